"""Answers of a simulated JD VOP that are ordered: per sku, per area, in any envelope, and from lists that move."""

from __future__ import annotations

import pytest

from contrib.simulators.jd_vop.faults import Rule
from tests.buyer import open_buyer

PLACE = {"province": 7, "city": 412, "county": 3545}
POOL = "41203101"


async def test_calls_about_a_sku_are_refused_as_ordered_and_others_are_answered():
    async with open_buyer() as buyer:
        bad, good = buyer.skus(2)
        busy = {"code": "5001", "message": "服务异常，请稍后重试"}
        await buyer.order("refused", skus=[bad], parameters=busy)
        refused = await buyer.call("product/getDetail", sku=bad)
        assert (refused["success"], refused["resultCode"], refused["result"]) == (False, "5001", None)
        assert (await buyer.call("price/getSellPrice", sku=f"{good},{bad}"))["resultCode"] == "5001"
        assert (await buyer.call("price/getSellPrice", sku=good))["success"]


@pytest.mark.parametrize(
    ("each", "named"), [(None, "{0}不在您的商品池中，{1}不在您的商品池中"), (1, "{0}不在您的商品池中")]
)
async def test_refusals_name_the_skus_that_they_are_about_or_the_first_of_them(each, named):
    async with open_buyer() as buyer:
        good, *bad = buyer.skus(3)
        words = {"code": "2004", "names": "{sku}不在您的商品池中"} | ({"each": each} if each else {})
        await buyer.order("refused", "product/*", skus=bad, parameters=words)
        answer = await buyer.call("product/check", skuIds=f"{good},{bad[0]},{bad[1]}")
        assert answer["resultMessage"] == named.format(*bad)


async def test_answers_about_a_sku_are_no_whole_json():
    async with open_buyer() as buyer:
        bad, good = buyer.skus(2)
        buyer.simulator.faults.add(Rule("cut_json", skus=[bad]))
        _, _, body = await buyer.raw("api/product/check", token=buyer.token["access_token"], skuIds=f"{good},{bad}")
        assert not body.endswith(b"}")
        assert (await buyer.call("product/check", skuIds=good))["success"]


async def test_one_area_is_refused_and_the_others_are_answered():
    async with open_buyer() as buyer:
        sku = buyer.skus(1)[0]
        await buyer.order("refused", area="7_412_3545", parameters={"code": "3009", "message": "区域限制校验没通过"})
        asked = f'[{{"skuId":{sku},"num":1}}]'
        for area, answered in (("7_412_3545", False), ("7_412_3545_0", False), ("7_420_9721", True)):
            answer = await buyer.call("stock/getNewStockById", skuNums=asked, area=area)
            assert ("3009" not in str(answer.get("resultCode"))) is answered
        assert (await buyer.call("product/checkAreaLimit", skuIds=sku, **PLACE))["resultCode"] == "3009"


async def test_an_envelope_can_be_given_any_members():
    async with open_buyer() as buyer:
        odd = {"resultCode": "PARAM_VALUE_ERROR", "result": None, "without": ["success"]}
        await buyer.order("envelope", "price/*", parameters=odd, times=1)
        answer = await buyer.call("price/getSellPrice", sku=buyer.skus(1)[0])
        assert ("success" in answer, answer["resultCode"], answer["result"]) == (False, "PARAM_VALUE_ERROR", None)


async def test_a_list_that_moves_between_two_pages_hides_goods_that_are_sold():
    async with open_buyer(skus=800, page_size=20) as buyer:
        await buyer.order("moved_list", "getSkuByPage", after=1, times=1, parameters={"by": 3})
        seen: set[str] = set()
        for page in range(1, 6):
            answer = await buyer.call("product/getSkuByPage", pageNum=POOL, pageNo=page)
            seen |= {*map(str, answer["result"]["skuIds"])}
        whole = {*(await buyer.call("product/getSku", pageNum=POOL))["result"].split(",")}
        assert len(whole - seen) == 3
        states = (await buyer.call("product/check", skuIds=",".join(whole - seen)))["result"]
        assert len(states) == 3


@pytest.mark.parametrize("type_", [28, 49, 7001])
async def test_messages_of_any_type_are_fetched_by_it_alone(type_):
    async with open_buyer() as buyer:
        value = {"type": type_, "result": {"page_num": 41203101}}
        await buyer.control("POST", "change", kind="message", value=value)
        assert (await buyer.call("message/get", type="2,4,6"))["result"] == []
        [message] = (await buyer.call("message/get", type=f"2,{type_}"))["result"]
        assert (message["type"], message["result"]) == (type_, {"page_num": 41203101})
