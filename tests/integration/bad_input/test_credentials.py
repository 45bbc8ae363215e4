"""Who is calling: whatever is wrong with a credential, the answer says no more than it must, and nothing is taken."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.embedded import Engines
from tests.eventually import eventually
from tests.integration.bad_input.conftest import NOTHING, House, Shop, request, send
from tests.program import fault, running
from tests.vendor import NDJSON, declared
from tests.wire import Answer

BODY = b'{"sku":"A-1","price":"9.90"}\n'

PATH = "/v1/feeds/price"

IDENTITY = "price:upsert:ndjson:1"
"""Of a signed push: what it is about, and which it is."""


def signature(shop: Shop, body: bytes = BODY, *, identity: str = IDENTITY, at: float | None = None) -> str:
    """The `v1,…` of a request, by the reference library."""
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC)
    return Webhook(shop.keys.webhook).sign(identity, moment, body.decode())


def signed(
    shop: Shop, body: bytes = BODY, *, given: str | None = None, identity: str = IDENTITY, at: float | str | None = None
) -> list[str]:
    """Header lines of a signed push. given: the signatures, by default the right one; at: the time, by default now."""
    moment = int(time.time()) if at is None else at
    right = signature(shop, body, identity=identity, at=moment if isinstance(moment, int) else None)
    return [
        f"webhook-supplier: {shop.name}",
        f"webhook-id: {identity}",
        f"webhook-timestamp: {moment}",
        f"webhook-signature: {right if given is None else given}",
        f"Content-Type: {NDJSON}",
    ]


async def push(house: House, headers: list[str], body: bytes = BODY) -> Answer:
    return await house.send(request("POST", PATH, headers, body))


async def test_a_stranger_is_asked_for_a_credential(house: House) -> None:
    answer = await push(house, [f"Content-Type: {NDJSON}"])
    assert answer.problem == (401, "auth_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="mallgate"'


async def test_a_wrong_key_learns_nothing_about_the_right_one(house: House, shop: Shop) -> None:
    right = shop.keys.bearer
    _, identity, secret = right.split("_", 2)
    expired = await house.shop()
    await house.reading.execute("UPDATE api_keys SET expires_at = now() WHERE supplier = $1", expired.name)
    told = []
    for token in (f"mg_{'0' * 16}_{secret}", f"mg_{identity}_{'x' * len(secret)}", expired.keys.bearer, "x"):
        answer = await push(house, [f"Authorization: Bearer {token}", f"Content-Type: {NDJSON}"])
        assert answer.problem == (401, "auth_invalid")
        told.append({**answer.json, "request_id": "", "trace_id": ""})
    assert told == [told[0]] * len(told)
    assert (await shop.left(), await expired.left()) == (NOTHING, NOTHING)


@pytest.mark.parametrize(
    "sent",
    [BODY.replace(b"9.90", b"1.90"), b'{"price":"9.90","sku":"A-1"}\n', BODY + b"\n", BODY.replace(b'"', b"'"), b"x"],
    ids=["one byte changed", "serialised again", "a line more", "other quotes", "another body"],
)
async def test_a_body_that_was_changed_on_its_way_is_not_taken(house: House, shop: Shop, sent: bytes) -> None:
    assert (await push(house, signed(shop), sent)).problem == (401, "signature_invalid")
    assert await shop.left() == NOTHING


async def test_another_suppliers_signature_does_not_count(house: House, shop: Shop) -> None:
    other = await house.shop()
    assert (await push(house, signed(shop, given=signature(other)))).problem == (401, "signature_invalid")
    assert (await push(house, [*signed(other)[1:], f"webhook-supplier: {shop.name}"])).problem == (
        401,
        "signature_invalid",
    )
    assert (await shop.left(), await other.left()) == (NOTHING, NOTHING)


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        (-301, (401, "timestamp_out_of_window")),
        (+330, (401, "timestamp_out_of_window")),
        ("hello", (400, "bad_header")),
        ("-1760000000", (400, "bad_header")),
        (str(2**63), (400, "bad_header")),
        ("1760000000.5", (400, "bad_header")),
        ("", (400, "bad_header")),
    ],
)
async def test_an_old_recording_is_not_taken(house: House, shop: Shop, at: int | str, problem: tuple[int, str]) -> None:
    moment = at if isinstance(at, str) else int(time.time()) + at
    assert (await push(house, signed(shop, at=moment))).problem == problem
    assert await shop.left() == NOTHING


async def test_a_vendor_that_changes_its_secret_may_sign_with_both(house: House, shop: Shop) -> None:
    given = f"v1,{'A' * 43}= v2,{'B' * 43}= {signature(shop)}"
    feed = await shop.done(await push(house, signed(shop, given=given)))
    assert feed["items"] == {"normalized": 1}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (lambda right: right.replace("v1,", "v9,"), (401, "signature_invalid")),
        (lambda right: " ".join([right] * 100), (400, "bad_header")),
        (lambda right: "", (400, "bad_header")),
        (lambda right: right.removeprefix("v1,"), (401, "signature_invalid")),
    ],
    ids=["unknown version", "a hundred", "none", "without a version"],
)
async def test_a_signature_of_a_kind_that_we_do_not_know_proves_nothing(
    house: House, shop: Shop, given: Any, problem: tuple[int, str]
) -> None:
    assert (await push(house, signed(shop, given=given(signature(shop))))).problem == problem
    assert await shop.left() == NOTHING


@pytest.mark.parametrize("identity", ["a.b", "x" * 257, "", "a b", "é"])
async def test_an_id_that_could_be_read_in_two_ways_is_not_signed_for(house: House, shop: Shop, identity: str) -> None:
    answer = await push(house, signed(shop, identity=identity))
    assert answer.problem == (400, "bad_header")
    assert answer.json["path"] == "webhook-id"
    assert await shop.left() == NOTHING


async def test_a_recorded_push_takes_effect_once(house: House, shop: Shop) -> None:
    first = await push(house, signed(shop))
    feed = await shop.done(first)
    again = await push(house, signed(shop))
    assert (again.status, again.json["feed"], again.json["duplicate"]) == (202, feed["feed"], True)
    assert again.headers["idempotent-replayed"] == "true"
    left = await shop.left()
    assert (len(left.feeds), len(left.items)) == (1, 1)


async def test_a_recorded_id_carries_no_other_body(house: House, shop: Shop) -> None:
    await shop.done(await push(house, signed(shop)))
    other = BODY.replace(b"9.90", b"1.90")
    assert (await push(house, signed(shop, other), other)).problem == (422, "idempotency_key_reused")
    assert [item["agreement_price"] for item in (await shop.left()).items] == ["9.90"]


@pytest.mark.parametrize(
    ("path", "body"),
    [(PATH, BODY + BODY), ("/v1/feeds/stock", BODY), (f"{PATH}?mode=validate", BODY)],
    ids=["another body", "another facet", "another mode"],
)
async def test_an_idempotency_key_stands_for_one_request(house: House, shop: Shop, path: str, body: bytes) -> None:
    headers = [shop.bearer.strip(), f"Content-Type: {NDJSON}", "Idempotency-Key: k-1"]
    first = await shop.done(await push(house, headers))
    again = await push(house, headers)
    assert (again.status, again.json["feed"], again.json["duplicate"]) == (202, first["feed"], True)
    answer = await house.send(request("POST", path, headers, body))
    assert answer.problem == (422, "idempotency_key_reused")
    assert len((await shop.left()).feeds) == 1


async def test_equal_bytes_without_a_key_are_two_feeds(shop: Shop) -> None:
    feeds = [await shop.done(await shop.push(BODY)) for _ in range(2)]
    assert [feed["items"] for feed in feeds] == [{"normalized": 1}, {"unchanged": 1}]
    assert not any(feed["duplicate"] for feed in feeds)


async def test_a_second_request_does_not_overtake_the_first(
    engines: Engines, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    """The first is frozen between its row and its chunks; the second reaches another process."""
    mark = tmp_path / "mark"
    services = (engines.kafka_bootstrap, database, topic_prefix)
    environment = fault("produce.before", "stop", mark)
    async with running(*services, environment=environment) as frozen, running(*services) as other:
        await asyncio.gather(frozen.started(), other.started())
        keys = await declared(other.admin_url, "acme")
        lines = [f"Authorization: Bearer {keys.bearer}", f"Content-Type: {NDJSON}", "Idempotency-Key: k-1"]
        sent = request("POST", PATH, lines, BODY)
        first = asyncio.create_task(send(frozen.url, sent))

        async def is_frozen() -> bool:
            return mark.exists()

        await eventually(is_frozen)
        second = await send(other.url, sent)
        assert second.problem == (409, "idempotency_in_progress")
        assert int(second.headers["retry-after"]) > 0
        frozen.signal(signal.SIGCONT)
        assert (await first).status == 202
        third = await send(other.url, sent)
        assert (third.status, third.json["duplicate"]) == (202, True)
