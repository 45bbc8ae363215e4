"""A recorded, withheld or redirected signed request: what is not signed never decides whether or how it counts."""

from __future__ import annotations

import asyncio
import gzip
import time

import pytest

from gateway.feeds.chunk import Mode
from gateway.outbound.signature import sign
from tests.integration.bad_input.conftest import NOTHING, House, Shop, request
from tests.integration.bad_input.test_credentials import BODY, PATH, push, signed

CHEAPER = BODY.replace(b"9.90", b"1.90")


async def test_a_recording_under_a_fresh_key_does_not_bring_the_old_price_back(house: House, shop: Shop) -> None:
    recorded = signed(shop)
    first = await shop.done(await push(house, recorded))
    await shop.done(await shop.push(CHEAPER))
    for headers in ([*recorded, "Idempotency-Key: k-2"], recorded, [*signed(shop), "Idempotency-Key: k-3"]):
        again = await push(house, headers)
        assert (again.status, again.json["feed"], again.json["duplicate"]) == (202, first["feed"], True)
    assert [item["agreement_price"] for item in (await shop.left()).items] == ["9.90", "1.90"]


async def test_a_key_beside_a_signature_does_not_stand_for_the_push(house: House, shop: Shop) -> None:
    first = await shop.done(await push(house, [*signed(shop), "Idempotency-Key: k-1"]))
    other = await shop.push(CHEAPER, "Idempotency-Key: k-1")
    assert not (await shop.done(other))["duplicate"]
    assert (await push(house, signed(shop))).json["feed"] == first["feed"]


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (f"{PATH}?mode=full", {}),
        (f"{PATH}?mode=validate", {}),
        ("/v1/feeds/stock", {}),
        ("/v1/feeds/listing", {}),
        (PATH, {"Content-Type": "application/json"}),
        (PATH, {"Content-Encoding": "gzip"}),
    ],
)
async def test_a_withheld_push_counts_as_what_it_was_signed_for_or_not_at_all(
    house: House, shop: Shop, path: str, changed: dict[str, str]
) -> None:
    headers = [line for line in signed(shop) if line.partition(":")[0] not in changed]
    redirected = [*headers, *(f"{name}: {value}" for name, value in changed.items())]
    answer = await house.send(request("POST", path, redirected, BODY))
    assert answer.problem == (400, "bad_header")
    assert answer.json["path"] == "webhook-id"
    assert await shop.left() == NOTHING
    assert not (await shop.done(await push(house, signed(shop))))["duplicate"]


async def test_an_id_that_does_not_say_what_it_is_for_is_told_how_it_has_to_begin(house: House, shop: Shop) -> None:
    answer = await push(house, signed(shop, identity="msg_1"))
    assert answer.problem == (400, "bad_header")
    assert answer.json["expected"].startswith("price:upsert:ndjson:")
    assert await shop.left() == NOTHING


@pytest.mark.parametrize("mode", [Mode.FULL, Mode.VALIDATE])
async def test_a_push_that_is_signed_as_such_may_have_any_mode(house: House, shop: Shop, mode: Mode) -> None:
    headers = signed(shop, identity=f"price:{mode}:ndjson:1")
    feed = await shop.done(await house.send(request("POST", f"{PATH}?mode={mode}", headers, BODY)))
    assert (feed["mode"], feed["items"]) == (mode, {"normalized": 1})


async def test_a_compressed_push_is_signed_as_such(house: House, shop: Shop) -> None:
    body = gzip.compress(BODY)
    identity = "price:upsert:ndjson+gzip:1"
    now = int(time.time())
    given = sign(shop.keys.webhook, identity, now, body)
    headers = [*signed(shop, identity=identity, given=given, at=now), "Content-Encoding: gzip"]
    assert (await shop.done(await push(house, headers, body)))["items"] == {"normalized": 1}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "{feed}"), ("GET", "{feed}/report"), ("POST", "{feed}/cancel"), ("GET", "/v1/feeds")]
)
async def test_a_signature_over_nothing_opens_no_other_door(house: House, shop: Shop, method: str, path: str) -> None:
    """Without a body all of these would be signed alike: who records one could send another."""
    feed = (await shop.push(BODY)).json["links"]["self"]
    headers = signed(shop, b"")
    answer = await house.send(request(method, path.format(feed=feed), headers))
    assert answer.problem == (401, "bearer_required")


@pytest.mark.parametrize(
    "name", ["webhook-id", "webhook-timestamp", "webhook-signature", "webhook-supplier", "Authorization"]
)
async def test_a_credential_that_is_sent_twice_is_not_chosen_from(house: House, shop: Shop, name: str) -> None:
    headers = [shop.bearer.strip(), *signed(shop)]
    (line,) = [each for each in headers if each.startswith(f"{name}:")]
    kept = headers if name == "Authorization" else headers[1:]
    answer = await push(house, [*kept, line])
    assert answer.problem == (400, "bad_header")
    assert await shop.left() == NOTHING


async def test_a_recording_that_comes_many_times_at_once_is_one_feed(house: House, shop: Shop) -> None:
    recorded = signed(shop)
    answers = await asyncio.gather(*(push(house, [*recorded, f"Idempotency-Key: {number}"]) for number in range(8)))
    assert {answer.status for answer in answers} <= {202, 409}
    assert len((await shop.left()).feeds) == 1


async def test_another_supplier_cannot_send_a_recording_as_its_own(house: House, shop: Shop) -> None:
    other = await house.shop()
    recorded = [line for line in signed(shop) if not line.startswith("webhook-supplier")]
    assert (await push(house, [*recorded, f"webhook-supplier: {other.name}"])).problem == (401, "signature_invalid")
    mixed = [other.bearer.strip(), f"webhook-supplier: {shop.name}", *recorded]
    assert (await push(house, mixed)).problem == (403, "tenant_mismatch")
    assert (await shop.left(), await other.left()) == (NOTHING, NOTHING)
