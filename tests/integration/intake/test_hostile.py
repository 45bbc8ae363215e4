"""Clients that are slow, broken or hostile: each gets an answer or a closed connection in time, and harms no other."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from gateway.http.connection import Deadlines
from gateway.http.pace import PaceRule
from gateway.http.server import ConnectionLimits
from tests.integration.intake.conftest import Gate, Serving, head

SOON = Deadlines(header=0.2, idle=60, linger=0.2, body=PaceRule(grace=0.2, min_rate=1_000_000, absolute=60))
"""Deadlines that a test can wait for; a body has to come faster than any client here sends."""

PATIENT = Deadlines(header=600, idle=600)
"""Deadlines that close nothing while a test runs."""


@pytest.mark.parametrize("path", ["/records", "/read"])
async def test_a_body_that_stalls_is_answered_and_the_connection_closed(serving: Serving, path: str) -> None:
    async with serving(deadlines=SOON) as gate:
        wire = await gate.connect()
        await wire.send(head(path=path, rest="Content-Length: 1000\r\n"), b"{}\n")
        assert (await wire.answer()).problem == (408, "request_timeout")
        assert await wire.closed() == b""
        assert gate.desk.taken == []


async def test_a_body_that_trickles_is_answered_though_it_never_stalls(serving: Serving) -> None:
    async with serving(deadlines=SOON) as gate:
        wire = await gate.connect()
        await wire.send(head(path="/records", rest="Transfer-Encoding: chunked\r\n"))

        async def trickle() -> None:
            for _ in itertools.count():
                await wire.send(b"1\r\n\n\r\n")
                await asyncio.sleep(0.01)

        trickling = asyncio.create_task(trickle())
        assert (await wire.answer()).problem == (408, "request_timeout")
        trickling.cancel()
        await asyncio.wait([trickling])


async def test_a_body_is_only_so_long_under_way(serving: Serving) -> None:
    deadlines = Deadlines(body=PaceRule(grace=60, absolute=0.2))
    async with serving(deadlines=deadlines) as gate:
        wire = await gate.connect()
        await wire.send(head(path="/records", rest="Content-Length: 1000\r\n"), b"{}\n")
        assert (await wire.answer()).problem == (408, "request_timeout")


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_client_that_waits_for_us_is_not_slow(serving: Serving, at_once: bool) -> None:
    """A body that nobody reads is held back by us: that time is not the sender's."""
    # Handing 60 MB to the socket may take longer than SOON leaves for the headers.
    async with serving(deadlines=replace(SOON, header=60)) as gate:
        wire = await gate.connect()
        body = b"{}\n" * 20_000_000
        begin = f"GET /held HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        sending = asyncio.create_task(wire.send(*([begin + body] if at_once else [begin, body])))
        await gate.desk.began.wait()
        done, _ = await asyncio.wait([sending], timeout=4 * SOON.body.grace)
        assert not done
        gate.desk.go_on.set()
        assert (await wire.answer()).status == 200
        wire.abort()
        await asyncio.wait([sending])


async def test_a_client_that_stalls_after_we_waited_is_slow_again(serving: Serving) -> None:
    async with serving(deadlines=SOON) as gate:
        wire = await gate.connect()
        await wire.send(head(path="/late", rest="Content-Length: 1000000\r\n"), b"{}\n" * 300_000)
        await gate.desk.began.wait()
        gate.desk.go_on.set()
        assert (await wire.answer()).problem == (408, "request_timeout")


@pytest.mark.parametrize("sent", ["GET /ping HT", "GET /ping HTTP/1.1\r\nHost: x\r\nX-Half: "])
async def test_half_a_head_is_answered(serving: Serving, sent: str) -> None:
    async with serving(deadlines=SOON) as gate:
        wire = await gate.connect()
        await wire.send(sent)
        assert (await wire.answer()).problem == (408, "request_timeout")
        assert await wire.closed() == b""


async def test_a_second_request_has_the_same_deadline(serving: Serving) -> None:
    deadlines = Deadlines(header=0.2, idle=60)
    async with serving(deadlines=deadlines) as gate:
        wire = await gate.connect()
        await wire.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.answer()).status == 200
        await wire.send("GET /ping HTTP/1.1\r\n")
        assert (await wire.answer()).problem == (408, "request_timeout")


@pytest.mark.parametrize("asked_before", [False, True])
async def test_a_connection_without_a_request_is_closed(serving: Serving, asked_before: bool) -> None:
    async with serving(deadlines=Deadlines(header=0.2, idle=0.2)) as gate:
        wire = await gate.connect()
        if asked_before:
            await wire.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await wire.answer()).status == 200
        assert await wire.closed() == b""


async def test_two_thousand_idle_connections_keep_nobody_out(serving: Serving) -> None:
    async with serving(connections=ConnectionLimits(per_client=64), deadlines=PATIENT) as gate:
        idle = []
        for _ in range(40):
            idle += await asyncio.gather(*(gate.connect() for _ in range(50)))
            await gate.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await gate.push(b"{}")).status == 202
        assert await idle[0].closed() == b""
        elsewhere = await gate.connect("127.0.0.2")
        await elsewhere.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await elsewhere.answer()).status == 200


async def test_an_address_whose_connections_are_all_busy_is_told_so_and_others_are_served(serving: Serving) -> None:
    async with serving(connections=ConnectionLimits(per_client=2), deadlines=PATIENT) as gate:
        busy = [await gate.connect() for _ in range(2)]
        for wire in busy:
            await wire.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n")
            await gate.desk.began.wait()
            gate.desk.began.clear()
        silent = await gate.connect()
        for body in (b"{}", b"{}\n" * 500_000):
            answer = await gate.push(body)
            assert answer.problem == (429, "connections_limit")
            assert answer.headers["retry-after"] == "1"
        assert await silent.closed() == b""
        elsewhere = await gate.connect("127.0.0.2")
        await elsewhere.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await elsewhere.answer()).status == 200
        gate.desk.go_on.set()
        assert [(await wire.answer()).status for wire in busy] == [200, 200]
        await busy[0].close()
        again = await gate.connect()
        await again.send("GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await again.answer()).status == 200


@pytest.mark.parametrize(
    ("rest", "sent"),
    [
        ("Content-Length: 100\r\n", b"{}\n"),
        ("Transfer-Encoding: chunked\r\n", b"3\r\n{}\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", b"ff\r\n{}"),
        ("Transfer-Encoding: chunked\r\n", b""),
    ],
)
@pytest.mark.parametrize("path", ["/records", "/read"])
async def test_a_body_that_ends_early_is_answered_and_nothing_is_taken(
    gate: Gate, path: str, rest: str, sent: bytes
) -> None:
    wire = await gate.connect()
    await wire.send(head(path=path, rest=rest), sent)
    await wire.end()
    assert (await wire.answer()).problem == (400, "truncated_body")
    assert await wire.closed() == b""
    assert gate.desk.taken == []


async def test_a_client_that_vanishes_within_its_body_leaves_nothing(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Content-Length: 3000000\r\n"), b"{}\n" * 900_000)
    await gate.desk.began.wait()
    wire.abort()
    assert (await gate.push(b"[1]", "application/json")).status == 202
    assert gate.desk.taken == [[b"1"]]


async def test_a_client_that_has_said_everything_still_gets_its_answer(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Content-Length: 3\r\n"), b"{}\n")
    await wire.end()
    assert (await wire.answer()).status == 202
    assert await wire.closed() == b""


@pytest.mark.parametrize(
    "damage",
    [b"zz\r\n{}\r\n", b"-1\r\n", b"3\r\n{}\nxx", b"0x3\r\n{}\n\r\n", b"3 ;\n{}\n"],
    ids=["no number", "negative", "longer than said", "hexadecimal mark", "bare LF"],
)
async def test_a_damaged_chunk_is_answered_even_far_into_the_body(gate: Gate, damage: bytes) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Transfer-Encoding: chunked\r\n"), b"3\r\n{}\n\r\n")
    await gate.desk.began.wait()
    await wire.send(damage)
    assert (await wire.answer()).problem == (400, "truncated_body")
    assert await wire.closed() == b""
    assert gate.desk.taken == []


@pytest.mark.parametrize(
    "lines",
    [
        "Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        "Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
        "Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n",
        "Host: x\r\nContent-Length: +3\r\n",
        "Host: x\r\nContent-Length: -3\r\n",
        "Host: x\r\nContent-Length: 3, 3\r\n",
        "Host: x\r\nContent-Length: 99999999999999999999999\r\n",
        "Host: x\r\nTransfer-Encoding: xchunked\r\n",
        "Host: x\r\nTransfer-Encoding: chunked, identity\r\n",
        "Host: x\nContent-Length: 3\n",
        "Host: x\r\nX-Folded: a\r\n b\r\nContent-Length: 3\r\n",
        "Host: x\r\nX-Space : a\r\nContent-Length: 3\r\n",
        "Host: x\r\nX-Nul: a\0b\r\nContent-Length: 3\r\n",
        "Host: x\r\nHost: y\r\nContent-Length: 3\r\n",
        "Content-Length: 3\r\n",
    ],
)
async def test_a_request_that_can_be_read_in_two_ways_is_refused(gate: Gate, lines: str) -> None:
    wire = await gate.connect()
    await wire.send(f"POST /records HTTP/1.1\r\nContent-Type: application/x-ndjson\r\n{lines}\r\n", b"{}\n")
    assert (await wire.answer()).problem == (400, "bad_request")
    assert await wire.closed() == b""
    assert gate.desk.taken == []


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
async def test_what_is_no_http_is_answered_as_such(gate: Gate, sent: bytes) -> None:
    answer = await gate.send(sent)
    assert answer.problem == (400, "bad_request")


@pytest.mark.parametrize(
    "sent",
    [
        "GET /ping\r\n\r\n",
        "GET /ping HTTP/0.9\r\n\r\n",
        "GET /ping HTTP/0.9\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/1.2\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/3.0\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/11\r\nHost: x\r\n\r\n",
        "GET /ping http/1.1\r\nHost: x\r\n\r\n",
        "GET /ping HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET /ping ICE/1.0\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /records HTTP/2.0\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 3\r\n\r\n{}\n",
        "POST /records HTTP/0.9\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nContent-Length: 3\r\n\r\n{}\n",
    ],
)
async def test_another_version_of_http_is_refused_and_ends(gate: Gate, sent: str) -> None:
    wire = await gate.connect()
    await wire.send(sent)
    answer = await wire.answer()
    assert answer.problem in {(400, "bad_request"), (505, "http_version_unsupported")}
    assert await wire.closed() == b""
    assert gate.desk.taken == []


async def test_another_version_behind_a_good_request_is_refused_after_it(gate: Gate) -> None:
    wire = await gate.connect()
    good, odd = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n", "GET /ping HTTP/2.0\r\nHost: x\r\n\r\n"
    await wire.send(good + odd)
    assert (await wire.answer()).status == 200
    assert (await wire.answer()).status in {400, 505}
    assert await wire.closed() == b""


async def test_a_refused_head_is_answered_under_the_id_that_it_gave(gate: Gate) -> None:
    lines = "Host: x\r\nTransfer-Encoding: chunked\r\nX-Request-Id: r-7\r\n"
    answer = await gate.send(f"POST /records HTTP/1.0\r\n{lines}\r\n0\r\n\r\n")
    assert answer.problem == (400, "bad_request")
    assert answer.json["request_id"] == "r-7"


@pytest.mark.parametrize("more", ["", "Content-Length: 3\r\n", "Connection: keep-alive\r\n"])
@pytest.mark.parametrize("coding", ["chunked", "identity", "gzip, chunked"])
async def test_a_transfer_encoding_that_http_1_0_does_not_have_is_refused(gate: Gate, coding: str, more: str) -> None:
    wire = await gate.connect()
    head = "POST /records HTTP/1.0\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
    await wire.send(f"{head}Transfer-Encoding: {coding}\r\n{more}\r\n3\r\n{{}}\n\r\n0\r\n\r\n")
    assert (await wire.answer()).problem == (400, "bad_request")
    assert await wire.closed() == b""
    assert gate.desk.taken == []


async def test_http_1_0_itself_is_spoken(gate: Gate) -> None:
    head = "POST /records HTTP/1.0\r\nContent-Type: application/x-ndjson\r\nContent-Length: 3\r\n\r\n"
    assert (await gate.send(head, b"{}\n")).status == 202


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        (f"GET /{'x' * 9_000} HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long"),
        (f"GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 9_000}\r\n\r\n", 431, "headers_too_large"),
        (f"GET /ping HTTP/1.1\r\nHost: x\r\nX-Long: /{'x' * 9_000}\r\n\r\n", 431, "headers_too_large"),
        (f"GET /ping HTTP/1.1\r\nHost: x\r\n{'x' * 9_000}: 1\r\n\r\n", 431, "headers_too_large"),
        ("GET /ping HTTP/1.1\r\nHost: x\r\n" + "X-Many: 1\r\n" * 2_000 + "\r\n", 431, "headers_too_large"),
    ],
    ids=["address", "header", "header like an address", "header name", "headers"],
)
async def test_a_head_that_is_too_large_is_told_where(gate: Gate, lines: str, status: int, code: str) -> None:
    wire = await gate.connect()
    await wire.send(lines)
    assert (await wire.answer()).problem == (status, code)


async def test_a_megabyte_of_chunk_extensions_is_refused(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Transfer-Encoding: chunked\r\n"), b"1;x=" + b"x" * 1024 * 1024)
    assert (await wire.answer()).problem == (400, "truncated_body")


async def test_chunks_of_one_byte_are_unwise_but_taken(gate: Gate) -> None:
    body = b'{"sku":"1"}\n' * 20_000
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Transfer-Encoding: chunked\r\n"))
    await wire.send(b"".join(b"1\r\n%c\r\n" % byte for byte in body), b"0\r\n\r\n")
    assert (await wire.answer()).json["size"] == len(body)


async def test_a_hundred_thousand_trailers_are_refused(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Transfer-Encoding: chunked\r\n"), b"3\r\n{}\n\r\n0\r\n")
    await wire.send(b"X-Trailer: 1\r\n" * 100_000, b"\r\n")
    assert (await wire.answer()).status in {400, 431}
    assert gate.desk.taken == []


@pytest.mark.parametrize("path", ["/../etc/passwd", "/%2e%2e/etc", "/ping%00", "/%252e%252e/x", "//ping", "/ping/"])
async def test_odd_paths_lead_nowhere(gate: Gate, path: str) -> None:
    assert (await gate.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).problem == (404, "not_found")


@pytest.mark.parametrize("method", ["CONNECT x:443", "TRACE /ping", "PROPFIND /ping", "OPTIONS *"])
async def test_a_method_that_is_not_offered_is_refused_and_ends(serving: Serving, method: str) -> None:
    async with serving(deadlines=Deadlines(idle=0.2, linger=0.1)) as gate:
        wire = await gate.connect()
        await wire.send(f"{method} HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await wire.answer()).problem in {(404, "not_found"), (405, "method_not_allowed")}
        assert await wire.closed() == b""


async def test_pipelined_requests_are_answered_in_order(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Content-Length: 3\r\n"), b"{}\nGET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [(await wire.answer()).status, (await wire.answer()).status] == [202, 200]


async def test_garbage_behind_a_good_request_spoils_only_itself(gate: Gate) -> None:
    wire = await gate.connect()
    await wire.send(head(path="/records", rest="Content-Length: 3\r\n"), b"{}\nnonsense\r\n\r\n")
    assert (await wire.answer()).status in {202, 400}
    assert b"500" not in await wire.closed()
