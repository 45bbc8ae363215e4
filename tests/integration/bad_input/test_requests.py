"""Requests that are slow, that can be read in two ways, or that ask for what is not there: answered, without harm."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from tests.integration.bad_input.conftest import NOTHING, House, Shop, request
from tests.wire import Wire

GOOD = b'{"sku":"A-1","price":"9.90"}\n'

IDLE = 600
"""Connections that ask nothing: more than one address may have at once."""


async def trickle(wire: Wire) -> None:
    """A body of one byte after the other, for as long as it is listened to."""
    with suppress(ConnectionError):
        while True:
            await wire.send(b" ")
            await asyncio.sleep(0.2)


async def answered_and_closed(wire: Wire) -> tuple[int, str]:
    problem = (await wire.answer()).problem
    assert await wire.closed() == b""
    await wire.close()
    return problem


async def test_slow_clients_are_sent_away_and_keep_nobody_waiting(house: House, shop: Shop) -> None:
    """With the deadlines of production: 5 s of grace for a body, 10 s for headers."""
    hungry = await house.shop()
    starts = (
        *(hungry.head("Content-Length: 1000"), hungry.head("Transfer-Encoding: chunked")),
        *("POST /v1/feeds/price HTTP/1.1\r\nHost: gateway\r\nX-Half: ", "POST /v1/fe", "P") * 4,
    )
    wires = [await house.connect() for _ in starts]
    trickling, silent = await house.connect(), await house.connect()
    for wire, start in zip(wires, starts, strict=True):
        await wire.send(start)
    await trickling.send(hungry.head("Content-Length: 1000"), GOOD)
    sending = asyncio.create_task(trickle(trickling))
    late = asyncio.gather(*(answered_and_closed(wire) for wire in (*wires, trickling)))
    served = 0
    while not late.done():
        await shop.done(await shop.push(GOOD))
        served += 1
    assert set(await late) == {(408, "request_timeout")}
    assert await silent.closed() == b""
    await asyncio.gather(silent.close(), sending)
    assert served > 0
    assert await hungry.left() == NOTHING


async def test_idle_connections_keep_nobody_out(house: House, shop: Shop) -> None:
    idle: list[Wire] = []
    try:
        for _ in range(IDLE // 50):
            idle += await asyncio.gather(*(house.connect() for _ in range(50)))
            assert (await shop.push(GOOD)).status == 202
        assert await idle[0].closed() == b""
    finally:
        await asyncio.gather(*(wire.close() for wire in idle))


AMBIGUOUS = {
    "length and chunks": ("Host: x", "Content-Length: 29", "Transfer-Encoding: chunked"),
    "two lengths": ("Host: x", "Content-Length: 29", "Content-Length: 30"),
    "a length with a sign": ("Host: x", "Content-Length: +29"),
    "a folded header": ("Host: x", "X-Folded: a\r\n b", "Content-Length: 29"),
    "a blank before the colon": ("Host: x", "X-Space : a", "Content-Length: 29"),
    "a NUL": ("Host: x", "X-Nul: a\0b", "Content-Length: 29"),
    "two hosts": ("Host: x", "Host: y", "Content-Length: 29"),
    "no host": ("Content-Length: 29",),
    "an unknown transfer": ("Host: x", "Transfer-Encoding: xchunked"),
}


@pytest.mark.parametrize("lines", AMBIGUOUS.values(), ids=AMBIGUOUS)
async def test_a_request_that_can_be_read_in_two_ways_smuggles_nothing(
    house: House, shop: Shop, lines: tuple[str, ...]
) -> None:
    head = "\r\n".join(
        ("POST /v1/feeds/price HTTP/1.1", shop.bearer.strip(), "Content-Type: application/x-ndjson", *lines)
    )
    wire = await house.connect()
    await wire.send(f"{head}\r\n\r\n".encode() + GOOD + GOOD)
    assert (await wire.answer()).problem == (400, "bad_request")
    assert await wire.closed() == b""
    await wire.close()
    assert await shop.left() == NOTHING


async def test_bare_line_feeds_end_no_line(house: House, shop: Shop) -> None:
    wire = await house.connect()
    await wire.send(shop.head("Content-Length: 29").replace("\r\n", "\n").encode() + GOOD)
    assert (await wire.answer()).problem == (400, "bad_request")
    await wire.close()
    assert await shop.left() == NOTHING


@pytest.mark.parametrize(
    ("lines", "body", "problems"),
    [
        ((f"X-Long: {'x' * 9_000}", "Content-Length: 29"), GOOD, {(431, "headers_too_large")}),
        (("X-Many: 1",) * 2_000, GOOD, {(431, "headers_too_large")}),
        (
            ("Transfer-Encoding: chunked",),
            b"1d\r\n%b\r\n0\r\n" % GOOD + b"X-Trailer: 1\r\n" * 100_000 + b"\r\n",
            {(400, "bad_request"), (400, "truncated_body"), (431, "headers_too_large")},
        ),
        (("Transfer-Encoding: chunked",), b"1d;x=" + b"x" * 1024 * 1024, {(400, "truncated_body")}),
    ],
    ids=["a long header", "many headers", "many trailers", "a long chunk extension"],
)
async def test_what_surrounds_a_body_cannot_outgrow_it(
    house: House, shop: Shop, lines: tuple[str, ...], body: bytes, problems: set[tuple[int, str]]
) -> None:
    wire = await house.connect()
    with suppress(ConnectionError):  # refused before it was all said
        await wire.send(shop.head(*lines), body)
    assert (await wire.answer()).problem in problems
    await wire.close()
    assert await shop.left() == NOTHING


PATHS = {
    "/v1/feeds/../../etc/passwd": 404,
    "/../../../../etc/passwd": 404,
    "/docs/assets/../../openapi.py": 404,
    "/docs/assets/%2e%2e/%2e%2e/openapi.py": 404,
    "/docs/assets/..%2f..%2fopenapi.py": 404,
    "/docs/assets/%252e%252e%252fopenapi.py": 404,
    "/docs/assets/start.js%00": 404,
    "/docs/assets/": 404,
    "/v1/feeds/%00": 404,
    "/v1/feeds/1%00": 404,
    "/v1/feeds/0x1": 404,
    "/v1/feeds/%EF%BC%91": 404,
    "/v1/feeds/99999999999999999999": 404,
    "/v1/items/price/%00": 404,
    "/v1/items/price/a%00b": 404,
    "/v1/items/price/%ff": 404,
    "/v1/items/price/%ed%a0%80": 404,
    "/v1/items/price/%252e%252e%252f": 404,
    "/v1/items/price/%2e%2e%2f%2e%2e%2fetc%2fpasswd": 404,
    "/v1/items/price%00/A-1": 404,
    "/v1/items/weather/A-1": 404,
    "//v1/feeds": 404,
    "/v1/feeds/": 404,
    "/v1//feeds": 404,
    "/V1/feeds": 404,
    "/v1/feeds?state=%00": 400,
    "/v1/feeds?limit=%00": 400,
    "/v1/feeds?before=1e3": 400,
    "/v1/feeds?limit=-1": 400,
    "/v1/feeds?limit=%EF%BC%91": 400,
    "/v1/feeds?nonsense=%ff%fe": 400,
    f"/v1/items/price/{'x' * 9_000}": 414,
    f"/v1/feeds?before={'1' * 9_000}": 414,
}
CODES = {400: "bad_parameter", 404: "not_found", 414: "uri_too_long"}


async def test_an_address_leads_to_what_it_names_or_nowhere(house: House, shop: Shop) -> None:
    found = {}
    for path in PATHS:
        answer = await house.send(request("GET", path, (shop.bearer.strip(),)))
        found[path] = answer.problem
        assert b"root:" not in answer.body
        assert b"import" not in answer.body
    assert found == {path: (status, CODES[status]) for path, status in PATHS.items()}


@pytest.mark.parametrize("path", ["/v1/feeds/weather", "/v1/feeds/price%00", "/v1/feeds/PRICE", "/v1/feeds/%70rice%2f"])
async def test_a_facet_that_is_none_is_not_fed(house: House, shop: Shop, path: str) -> None:
    headers = (shop.bearer.strip(), "Content-Type: application/x-ndjson")
    assert (await house.send(request("POST", path, headers, GOOD))).problem == (404, "not_found")
    assert await shop.left() == NOTHING


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("?mode=delete", (400, "bad_parameter")),
        ("?mod=upsert", (400, "bad_parameter")),
        ("?mode=upsert&mode=validate", (400, "bad_parameter")),
    ],
)
async def test_a_mode_that_is_not_understood_is_not_taken_for_another(
    shop: Shop, query: str, problem: tuple[int, str]
) -> None:
    assert (await shop.push(GOOD, query=query)).problem == problem
    assert await shop.left() == NOTHING


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é", "k-1\r\nIdempotency-Key: k-2"])
async def test_an_idempotency_key_that_is_none_is_not_ignored(shop: Shop, key: str) -> None:
    assert (await shop.push(GOOD, f"Idempotency-Key: {key}")).problem == (400, "bad_header")
    assert await shop.left() == NOTHING
