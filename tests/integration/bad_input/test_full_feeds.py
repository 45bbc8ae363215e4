"""Full feeds over HTTP: what is missing from them leaves the mall, and nothing leaves it by mistake."""

from __future__ import annotations

from typing import Any

import aiohttp
import orjson
import pytest

from tests.eventually import eventually
from tests.integration.bad_input.conftest import Left, Shop
from tests.program import ADMIN_TOKEN
from tests.vendor import NDJSON

JSON = "application/json"


def body(*numbers: int, more: bytes = b"") -> bytes:
    return b"".join(b'{"sku":"A-%d","price":"9.90"}\n' % number for number in numbers) + more


def on_sale(left: Left) -> set[str]:
    """Skus that a consumer has who takes the highest version of every key."""
    last: dict[bytes | None, Any] = {}
    for entry in sorted(
        (each for each in left.entries if each.topic.startswith("mall.catalog")), key=lambda e: e.version
    ):
        last[entry.key] = entry.value
    return {orjson.loads(value)["sku"] for value in last.values() if value is not None}


def named(*numbers: int) -> set[str]:
    return {f"A-{number}" for number in numbers}


async def became(shop: Shop, feed: str, state: str) -> dict[str, Any]:
    """The feed once it is in this state."""
    found: dict[str, Any] = {}

    async def holds() -> bool:
        found.update((await shop.get(f"/v1/feeds/{feed}")).json)
        return bool(found["state"] == state)

    await eventually(holds)
    return found


async def decide(shop: Shop, feed: str, verb: str, **sent: Any) -> tuple[int, dict[str, Any]]:
    """What an operator's decision is answered with."""
    url = f"{shop.house.program.admin_url}/admin/v1/feeds/{feed}/{verb}"
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, json=sent) as response:
        return response.status, await response.json()


@pytest.fixture
async def stocked(shop: Shop) -> Shop:
    """A supplier with ten prices in the mall."""
    await shop.done(await shop.push(body(*range(10))))
    return shop


async def test_what_a_full_feed_does_not_name_leaves_the_mall_before_it_is_done(stocked: Shop) -> None:
    answer = await stocked.push(body(*range(8)), "Prefer: wait=30", query="?mode=full")
    assert answer.status == 200
    assert (answer.json["state"], answer.json["withdrawn"], answer.json["flaw"]) == ("done", 2, None)
    assert on_sale(await stocked.left()) == named(*range(8))
    item = (await stocked.get("/v1/items/price/A-9")).json
    assert item["keys"][0]["status"] == "withdrawn"


async def test_a_withdrawn_sku_is_back_as_soon_as_it_is_pushed(stocked: Shop) -> None:
    await stocked.push(body(*range(9)), "Prefer: wait=30", query="?mode=full")
    feed = await stocked.done(await stocked.push(body(9)))
    assert feed["items"] == {"normalized": 1}
    assert on_sale(await stocked.left()) == named(*range(10))


@pytest.mark.parametrize(
    "content",
    [b"[]", body(0), body(*range(7))],
    ids=["nothing at all", "a file cut short", "less than the brake allows"],
)
async def test_a_full_feed_that_misses_too_much_is_held_and_changes_nothing(stocked: Shop, content: bytes) -> None:
    kind = JSON if content == b"[]" else NDJSON
    pushed = (await stocked.push(content, query="?mode=full", content_type=kind)).json
    feed = await became(stocked, pushed["feed"], "held")
    assert (feed["finished_at"], feed["withdrawn"]) == (None, 0)
    left = await stocked.left()
    assert on_sale(left) == named(*range(10))
    assert [letter["code"] for letter in left.letters] == ["held_withdrawal"]
    assert [held["feed"] for held in (await stocked.get("/v1/feeds?state=held")).json["feeds"]] == [pushed["feed"]]


async def test_an_operator_lets_a_held_feed_go_on(stocked: Shop) -> None:
    pushed = (await stocked.push(body(*range(5)), query="?mode=full")).json
    await became(stocked, pushed["feed"], "held")
    assert (await decide(stocked, pushed["feed"], "release"))[1]["code"] == "reason_required"
    status, answer = await decide(stocked, pushed["feed"], "release", reason="they stopped selling these")
    assert (status, answer["state"] in ("withdrawing", "done")) == (200, True)
    assert (await became(stocked, pushed["feed"], "done"))["withdrawn"] == 5
    assert on_sale(await stocked.left()) == named(*range(5))
    assert (await decide(stocked, pushed["feed"], "reject", reason="too late"))[1]["code"] == "conflict"


async def test_an_operator_decides_against_a_held_feed(stocked: Shop) -> None:
    pushed = (await stocked.push(body(*range(5)), query="?mode=full")).json
    await became(stocked, pushed["feed"], "held")
    status, answer = await decide(stocked, pushed["feed"], "reject", reason="their export broke")
    assert (status, answer["state"], answer["flaw"]) == (200, "done", "hold_rejected")
    feed = await became(stocked, pushed["feed"], "done")
    assert (feed["withdrawn"], feed["items"]) == (0, {"unchanged": 5})
    assert on_sale(await stocked.left()) == named(*range(10))


async def test_of_a_feed_that_does_not_exist_nothing_is_decided(stocked: Shop) -> None:
    status, answer = await decide(stocked, "999999999", "release", reason="which?")
    assert (status, answer["code"]) == (404, "not_found")


@pytest.mark.parametrize("record", [b'{"price":"9.90"}\n', b"{oops\n", b'{"sku":["A-9"],"price":"9.90"}\n'])
async def test_a_record_whose_sku_cannot_be_read_keeps_everything_in_the_mall(stocked: Shop, record: bytes) -> None:
    answer = await stocked.push(body(*range(9), more=record), "Prefer: wait=30", query="?mode=full")
    assert (answer.json["state"], answer.json["withdrawn"]) == ("done", 0)
    assert "sku cannot be read" in answer.json["flaw"]
    assert on_sale(await stocked.left()) == named(*range(10))


async def test_a_record_that_is_rejected_under_its_sku_keeps_that_in_the_mall(stocked: Shop) -> None:
    rejected = b'{"sku":"A-8","price":"1e3"}\n'
    answer = await stocked.push(body(*range(8), more=rejected), "Prefer: wait=30", query="?mode=full")
    assert (answer.json["withdrawn"], answer.json["flaw"]) == (1, None)
    assert on_sale(await stocked.left()) == named(*range(9))


async def test_the_same_full_feed_twice_under_one_key_is_one(stocked: Shop) -> None:
    first = await stocked.push(body(*range(9)), "Idempotency-Key: k", "Prefer: wait=30", query="?mode=full")
    again = await stocked.push(body(*range(9)), "Idempotency-Key: k", query="?mode=full")
    assert (again.json["feed"], again.json["duplicate"], again.json["withdrawn"]) == (first.json["feed"], True, 1)
    other = await stocked.push(body(*range(9)), "Idempotency-Key: k")
    assert other.problem == (422, "idempotency_key_reused")


async def test_a_supplier_cancels_its_held_feed(stocked: Shop) -> None:
    pushed = (await stocked.push(body(0), query="?mode=full")).json
    await became(stocked, pushed["feed"], "held")
    url = f"{stocked.house.program.url}{pushed['links']['cancel']}"
    headers = {"Authorization": f"Bearer {stocked.keys.bearer}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url) as response:
        assert response.status == 202
    feed = await became(stocked, pushed["feed"], "cancelled")
    assert (feed["withdrawn"], feed["flaw"]) == (0, "it was cancelled")
    assert on_sale(await stocked.left()) == named(*range(10))


async def test_a_validated_feed_withdraws_nothing(stocked: Shop) -> None:
    answer = await stocked.push(body(0), "Prefer: wait=30", query="?mode=validate")
    assert (answer.json["state"], answer.json["withdrawn"]) == ("done", None)
    assert on_sale(await stocked.left()) == named(*range(10))
