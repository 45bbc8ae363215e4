"""How a simulated JD VOP changes, and what its message pool tells of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.buyer import Buyer, open_buyer
from tests.eventually import eventually


async def messages(buyer: Buyer, types: str = "") -> list[dict[str, Any]]:
    return list((await buyer.call("message/get", **({"type": types} if types else {})))["result"])


async def truth(buyer: Buyer, sku: int) -> dict[str, Any]:
    return dict(await buyer.control("GET", f"truth?sku={sku}"))


CHANGES = [
    ("price", "12.30", 2, "price", "12.30"),
    ("price", "none", 2, "price", None),
    ("shelf", False, 4, "on_shelf", False),
    ("tax", 9, 100, "tax", 9),
    ("detail", None, 16, "revision", 1),
    ("pool", {"in": False}, 6, "pools", []),
    ("pool", {"pool": "41203105", "in": True}, 6, "pools", ["41203101", "41203105"]),
]


@pytest.mark.parametrize(("kind", "value", "type_", "field", "expected"), CHANGES)
async def test_a_change_is_true_at_once_and_told_by_a_message(kind, value, type_, field, expected):
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        done = await buyer.control("POST", "change", sku=sku, kind=kind, value=value)
        assert (await truth(buyer, sku))[field] == expected
        (message,) = await messages(buyer)
        assert (message["id"], message["type"], str(message["result"]["skuId"])) == (done["message"], type_, str(sku))


async def test_stock_changes_without_a_message():
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        await buyer.control("POST", "change", sku=sku, kind="stock", value=5)
        assert (await truth(buyer, sku))["quantity"] == 5
        assert await messages(buyer) == []


async def test_a_silent_change_has_no_message():
    async with open_buyer() as buyer:
        await buyer.control("POST", "changes", count=10, kinds=["price"], silent=True)
        assert await messages(buyer) == []


@pytest.mark.parametrize("operate", [1, 2, 3])
async def test_an_area_changes_in_the_tree_and_by_a_message(operate):
    async with open_buyer() as buyer:
        which = {"parent": 3545, "name": "新街道"} if operate == 1 else {"id": 1_035_450, "name": "新街道"}
        await buyer.control("POST", "change", kind="area", value={"operate": operate, **which})
        (message,) = await messages(buyer, "50")
        assert message["result"]["operateType"] == operate
        assert message["result"]["areaLevel"] == 5
        towns = (await buyer.call("area/getTown", id=3545))["result"]
        assert ("新街道" in towns) is (operate != 3)


@pytest.mark.parametrize(
    "order", [{"kind": "price", "sku": 17}, {"kind": "price", "value": "1.234"}, {"kind": "mood"}, {}]
)
async def test_a_change_that_makes_no_sense_is_refused(order):
    async with open_buyer() as buyer:
        assert (await buyer.told("POST", "change", **order))[0] == 400


async def test_a_message_comes_again_until_it_is_deleted():
    async with open_buyer() as buyer:
        await buyer.control("POST", "changes", count=3, kinds=["price"])
        first = await messages(buyer)
        assert await messages(buyer) == first
        assert (await buyer.call("message/del", id=first[0]["id"]))["result"] is True
        assert await messages(buyer) == first[1:]
        assert (await buyer.call("message/del", id=first[0]["id"]))["result"] is True
        await buyer.call("message/del", id=",".join(str(message["id"]) for message in first))
        assert await messages(buyer) == []


async def test_an_answer_holds_the_hundred_oldest_of_the_types_asked_for():
    async with open_buyer() as buyer:
        await buyer.control("POST", "changes", count=240, kinds=["price", "shelf"])
        shelf = await messages(buyer, "4,16")
        assert len(shelf) == 100
        assert {message["type"] for message in shelf} == {4}
        both = await messages(buyer, "4,2")
        assert [message["id"] for message in both] == sorted(message["id"] for message in both)
        assert min(message["id"] for message in shelf) == min(m["id"] for m in both if m["type"] == 4)


async def test_a_fifth_of_the_events_comes_again_under_another_id():
    async with open_buyer(repeat_seconds=60) as buyer:
        await buyer.control("POST", "changes", count=1000, kinds=["detail"])
        buyer.simulator.clock.skew += 120
        await messages(buyer)
        stats = (await buyer.control("GET", "stats"))["messages"]
        assert stats["written"] == 1000 + stats["repeated"]
        assert 150 < stats["repeated"] < 270


async def test_goods_change_by_themselves_at_the_rate_that_was_set():
    async with open_buyer(changes_per_second=200) as buyer:

        async def enough() -> bool:
            return bool((await buyer.control("GET", "stats"))["messages"]["written"] > 50)

        await eventually(enough)


async def test_the_whole_truth_is_a_line_for_all_goods():
    async with open_buyer(skus=700) as buyer:
        async with buyer.session.get(f"{buyer.simulator.url}/_control/truth/all") as response:
            lines = [orjson.loads(line) for line in (await response.read()).splitlines()]
        assert [line["sku"] for line in lines] == [str(sku) for sku in buyer.skus(700)]
        assert lines[3] == await truth(buyer, buyer.skus(4)[3])


async def test_the_truth_is_told_for_the_city_that_was_asked_for():
    async with open_buyer() as buyer:
        quantities = set()
        for city in (412, 420, 427):
            told = await buyer.control("GET", f"truth?sku={buyer.skus(1)[0]}&province=7&city={city}")
            quantities.add(told["quantity"])
        assert len(quantities) > 1


@pytest.mark.parametrize(("method", "route"), [("GET", "nothing"), ("PUT", "faults")])
async def test_a_control_route_that_is_not_there_names_those_that_are(method, route):
    async with open_buyer() as buyer:
        status, answer = await buyer.told(method, route)
        assert status == 404
        assert "POST change" in answer["routes"]


async def test_unknown_goods_have_no_truth():
    async with open_buyer() as buyer:
        assert (await buyer.told("GET", "truth?sku=17"))[0] == 404
