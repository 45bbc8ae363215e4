"""What a simulated JD VOP answers about goods."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from contrib.simulators.jd_vop.calls import MOST_SKUS
from tests.buyer import Buyer, open_buyer


def text(skus: list[int]) -> str:
    return ",".join(map(str, skus))


def read(body: Any) -> Any:
    """A result that is JSON in a text, or a list all the same."""
    return json.loads(body) if isinstance(body, str) else body


async def whole_pool(buyer: Buyer, pool: str) -> list[str]:
    skus: list[str] = []
    for page in range(1, 1000):
        answer = await buyer.call("product/getSkuByPage", pageNum=pool, pageNo=page)
        skus += map(str, answer["result"]["skuIds"])
        if page == answer["result"]["pageCount"]:
            break
    return skus


async def test_the_pages_of_all_pools_hold_all_goods_and_a_few_twice():
    async with open_buyer(skus=2000, page_size=40) as buyer:
        pools = [pool["page_num"] for pool in (await buyer.call("product/getPageNum"))["result"]]
        listed = [sku for pool in pools for sku in await whole_pool(buyer, pool)]
        assert set(listed) == set(map(str, buyer.skus(2000)))
        assert 0 < len(listed) - 2000 < 60


async def test_a_pool_in_one_text_is_the_pool_in_pages():
    async with open_buyer(skus=500, page_size=20) as buyer:
        whole = await buyer.call("product/getSku", pageNum="41203103")
        assert whole["result"].split(",") == await whole_pool(buyer, "41203103")


@pytest.mark.parametrize(
    ("pool", "page", "code"), [("1", 1, "0010"), ("41203101", 9, "0010"), ("41203101", "x", "1002")]
)
async def test_a_pool_or_page_that_is_not_there_is_refused(pool, page, code):
    async with open_buyer(skus=100) as buyer:
        answer = await buyer.call("product/getSkuByPage", pageNum=pool, pageNo=page)
        assert (answer["success"], answer["resultCode"], answer["result"]) == (False, code, None)


async def test_an_empty_catalog_has_pools_and_no_page():
    async with open_buyer(skus=0) as buyer:
        assert len((await buyer.call("product/getPageNum"))["result"]) == 8
        assert (await buyer.call("product/getSkuByPage", pageNum="41203101"))["resultCode"] == "0010"
        assert (await buyer.call("product/getSku", pageNum="41203101"))["result"] == ""


async def test_the_last_of_a_million_goods_can_be_asked_for():
    async with open_buyer(skus=1_000_000) as buyer:
        last = buyer.simulator.world.catalog.sku(999_999)
        answer = await buyer.call("product/getDetail", sku=last)
        assert str(answer["result"]["sku"]) == str(last)
        page = await buyer.call("product/getSkuByPage", pageNum="41203101", pageNo=13)
        assert page["result"]["pageCount"] == 13


async def test_details_agree_with_the_truth():
    async with open_buyer(skus=300) as buyer:
        for sku in buyer.skus(300):
            detail = (await buyer.call("product/getDetail", sku=sku))["result"]
            truth = buyer.simulator.world.truth(buyer.simulator.world.catalog.number(sku) or 0)
            assert (detail["name"], detail["brandName"], detail["category"], detail["saleUnit"]) == (
                (truth["name"], truth["brand"], truth["category"], truth["unit"])
            )
            assert detail["upc"].split(";") == truth["upc"]
            assert Decimal(detail["weight"]) == Decimal(truth["weight"])
            assert detail["imagePath"] == truth["images"][0]


async def test_introductions_are_hostile_or_broken_now_and_then():
    async with open_buyer(skus=60) as buyer:
        texts = [(await buyer.call("product/getDetail", sku=sku))["result"]["introduction"] for sku in buyer.skus(60)]
        assert any("<script" in text for text in texts)
        assert any("<style" in text and "</style>" not in text for text in texts)


async def test_extensions_come_when_asked_for():
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        plain = (await buyer.call("product/getDetail", sku=sku))["result"]
        extended = (await buyer.call("product/getDetail", sku=sku, queryExts="taxCode,LowestBuy,unheard"))["result"]
        assert extended.keys() - plain.keys() == {"taxCode", "LowestBuy"}


async def test_envelopes_and_ids_come_in_every_form_met_in_the_wild():
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        answers = [await buyer.call("product/getDetail", sku=sku) for _ in range(21)]
        assert {answer["resultCode"] for answer in answers} == {"0000", None, "0"}
        assert {"code" in answer for answer in answers} == {True, False}
        assert {type(answer["result"]["sku"]) for answer in answers} == {int, str}


async def test_details_are_told_of_goods_in_no_pool_and_refused_of_goods_that_nobody_has():
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        buyer.simulator.changes.change(sku, "pool", {"in": False})
        assert str((await buyer.call("product/getDetail", sku=sku))["result"]["sku"]) == str(sku)
        assert (await buyer.call("product/getDetail", sku=17))["resultCode"] == "0010"


BATCHES = [
    ("product/skuImage", "sku"),
    ("product/skuState", "sku"),
    ("product/check", "skuIds"),
    ("product/checkAreaLimit", "skuIds"),
]
PLACE = {"province": 7, "city": 412, "county": 3545}


@pytest.mark.parametrize(("operation", "field"), BATCHES)
async def test_a_batch_answers_for_what_it_may_and_names_the_rest(operation, field):
    async with open_buyer() as buyer:
        answer = await buyer.call(operation, **{field: text([*buyer.skus(3), 17, 23]), **PLACE})
        result = read(answer["result"]) if operation == "product/checkAreaLimit" else answer["result"]
        assert len(result) == 3
        assert answer["resultMessage"] == '您不具有如下商品购买权限skuIds:["17","23"]'
        nothing = await buyer.call(operation, **{field: "17", **PLACE})
        assert (nothing["success"], nothing["result"]) == (True, None)


async def test_prices_name_goods_of_no_pool_before_their_usual_words_and_the_rest_is_told():
    async with open_buyer() as buyer:
        answer = await buyer.call("price/getSellPrice", sku=text([*buyer.skus(3), 17, 23]))
        assert (answer["success"], len(answer["result"])) == (True, 3)
        words = "17不在您的商品池中，23不在您的商品池中，价格为null或者小于0时，为暂无报价"
        assert answer["resultMessage"] == words
        nothing = await buyer.call("price/getSellPrice", sku="17")
        assert (nothing["success"], nothing["resultCode"], nothing["result"]) == (True, "0000", None)


async def test_stock_is_refused_for_all_because_of_goods_of_no_pool_which_are_named():
    async with open_buyer() as buyer:
        asked = json.dumps([{"skuId": sku, "num": 1} for sku in (*buyer.skus(2), 17)])
        answer = await buyer.call("stock/getNewStockById", skuNums=asked, area="7_412_3545")
        assert answer == {
            "success": False,
            "resultMessage": "17不在您的商品池中 ",
            "resultCode": "0010",
            "result": None,
            "code": 200,
        }


@pytest.mark.parametrize(("operation", "field"), [*BATCHES, ("price/getSellPrice", "sku")])
async def test_a_batch_beyond_the_documented_limit_is_refused(operation, field):
    async with open_buyer() as buyer:
        full = await buyer.call(operation, **{field: text(buyer.skus(MOST_SKUS)), **PLACE})
        assert full["success"]
        over = await buyer.call(operation, **{field: text(buyer.skus(MOST_SKUS + 1)), **PLACE})
        assert (over["success"], over["result"]) == (False, None)
        assert "超过100个" in over["resultMessage"]


async def test_one_sku_without_permission_costs_the_whole_price_call_where_so_configured():
    async with open_buyer(whole_batch=True) as buyer:
        answer = await buyer.call("price/getSellPrice", sku=text([*buyer.skus(3), 17]))
        assert (answer["success"], answer["resultCode"]) == (False, "2004")
        assert answer["resultMessage"].endswith('["17"]')


async def test_prices_are_numbers_with_two_decimals_and_agree_with_the_truth():
    async with open_buyer(skus=3000) as buyer:
        unquoted = []
        for start in range(0, 3000, 100):
            form = {"sku": text(buyer.skus(100, start=start)), "queryExts": "marketPrice,containsTax,nakedPrice"}
            token = buyer.token["access_token"]
            _, _, body = await buyer.raw("api/price/getSellPrice", token=token, **form)
            assert b'"jdPrice":' in body
            for row in json.loads(body, parse_float=str)["result"]:
                truth = buyer.simulator.world.truth(buyer.simulator.world.catalog.number(int(row["skuId"])) or 0)
                assert row["jdPrice"] == truth["jd_price"]
                assert row["tax"] == truth["tax"]
                if truth["price"] is None:
                    unquoted.append(row.get("price", "absent"))
                else:
                    assert (row["price"], row["nakedPrice"]) == (truth["price"], truth["naked_price"])
        assert set(unquoted) == {-1, None, "", "absent"}


async def test_stock_is_told_as_json_in_a_text_with_the_area_as_asked_or_a_level_longer():
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        buyer.simulator.changes.change(sku, "stock", 300)
        areas = set()
        for _ in range(8):
            answer = await buyer.call(
                "stock/getNewStockById", skuNums=f'[{{"skuId":{sku},"num":1}}]', area="7_412_3545"
            )
            areas.add(read(answer["result"])[0]["areaId"])
        assert areas == {"7_412_3545", "7_412_3545_0"}


@pytest.mark.parametrize(
    ("there", "asked", "state", "remaining"),
    [
        (300, 1, 33, 300),
        (300, 49, 33, 300),
        (300, 50, 33, -1),
        (300, 99, 33, -1),
        (300, 100, 33, 100),
        (300, 250, 33, 250),
        (300, 301, 34, 0),
        (0, 1, 34, 0),
        (0, 0, 34, 0),
    ],
)
async def test_remaining_numbers_depend_on_the_asked_quantity(there, asked, state, remaining):
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        buyer.simulator.changes.change(sku, "stock", there)
        asked_for = json.dumps([{"skuId": str(sku), "num": asked}])
        row = read((await buyer.call("stock/getNewStockById", skuNums=asked_for, area="7_412_3545_0"))["result"])[0]
        assert (row["stockStateId"], row["remainNum"]) == (state, remaining)


@pytest.mark.parametrize("asked", ["", "[1]", '[{"num":1}]', "{", json.dumps([{"skuId": 1, "num": 1}] * 101)])
async def test_a_stock_question_that_makes_no_sense_is_refused(asked):
    async with open_buyer() as buyer:
        answer = await buyer.call("stock/getNewStockById", skuNums=asked, area="7_412_3545")
        assert not answer["success"]


async def test_goods_off_the_shelf_or_without_a_quote_cannot_be_sold():
    async with open_buyer() as buyer:
        off, unquoted = buyer.skus(2)
        buyer.simulator.changes.change(off, "shelf", False)
        buyer.simulator.changes.change(unquoted, "price", "none")
        rows = (await buyer.call("product/check", skuIds=text([off, unquoted])))["result"]
        assert [row["saleState"] for row in rows] == [0, 0]
        states = (await buyer.call("product/skuState", sku=off))["result"]
        assert states[0]["state"] == 0


async def test_some_goods_are_not_sold_in_some_province():
    async with open_buyer(skus=2000) as buyer:
        world = buyer.simulator.world
        item = next(world.item(number) for number in range(2000) if world.item(number).restricted)
        for province in (item.restricted, item.restricted + 1):
            place = PLACE | {"province": province}
            told = read((await buyer.call("product/checkAreaLimit", skuIds=item.sku, **place))["result"])[0]
            limited = told.get("isAreaRestrict", told.get(" isAreaRestrict "))
            assert limited is (province == item.restricted)


async def test_the_area_tree_can_be_walked_to_a_town_and_ends_where_there_is_none():
    async with open_buyer() as buyer:
        assert (await buyer.call("area/getProvince"))["result"]["河南"] == 7
        assert (await buyer.call("area/getCity", id=7))["result"]["郑州市"] == 412
        counties = (await buyer.call("area/getCounty", id=412))["result"]
        answers = [await buyer.call("area/getTown", id=county) for county in counties.values()]
        assert sum(bool(answer["result"]) for answer in answers) == len(counties) - 1
        assert answers[-1]["resultCode"] == "3405"
        assert (await buyer.call("area/getCity", id=412))["resultCode"] == "3405"
