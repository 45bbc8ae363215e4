"""After-sale of the simulated supplier, as its documents have it: what it takes, refuses, tells, and keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.buyer import Buyer, open_buyer
from tests.ordering import messages, order_id, sellable, submit


async def apply(buyer: Buyer, number: int, sku: int, pieces: int = 1, **more: Any) -> dict[str, Any]:
    """The envelope of an application to return goods."""
    param = {
        "jdOrderId": number,
        "customerExpect": 10,
        "questionDesc": "坏了 [AS-1]",
        "asCustomerDto": {"customerContactName": "王小明", "customerMobilePhone": "13800000001"},
        "asPickwareDto": {"pickwareType": 40},
        "asDetailDto": {"skuId": sku, "skuNum": pieces},
        **more,
    }
    return await buyer.call("afterSale/createAfsApply", param=json.dumps(param))


async def listed(buyer: Buyer, number: int) -> list[dict[str, Any]]:
    param = {"jdOrderId": number, "pageIndex": 1, "pageSize": 10}
    answer = await buyer.call("afterSale/getServiceListPage", param=json.dumps(param))
    assert answer["success"]
    return list((answer["result"] or {"serviceInfoList": []})["serviceInfoList"])


async def test_a_service_is_refused_for_each_reason_of_the_documents_and_then_taken() -> None:
    async with open_buyer(skus=60) as buyer:
        sku = sellable(buyer)[0].sku
        assert (await apply(buyer, 1, sku))["resultCode"] == "6002"
        await submit(buyer, "M1", (sellable(buyer)[0], 2))
        number = await order_id(buyer, "M1")
        assert (await apply(buyer, number, sku))["resultCode"] == "6003"
        await buyer.call("order/confirmOrder", jdOrderId=number)
        assert (await apply(buyer, number, sku))["resultCode"] == "6005"
        await buyer.control("POST", "order", third="M1", act="deliver")
        assert (await apply(buyer, number, sku, asDetailDto={"skuId": 1, "skuNum": 1}))["resultCode"] == "6007"
        assert (await apply(buyer, number, sku, 3))["resultCode"] == "6010"
        assert (await apply(buyer, number, sku, customerExpect=99))["resultCode"] == "6001"
        taken = await apply(buyer, number, sku, 2)
        assert (taken["success"], taken["result"]) == (True, None)
        assert (await apply(buyer, number, sku))["resultCode"] == "6010"
        [service] = await listed(buyer, number)
        assert (service["afsServiceStep"], service["cancel"]) == (10, 1)


async def test_its_money_is_told_once_it_went_back_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with open_buyer(skus=60, ledger=ledger) as buyer:
        item = sellable(buyer)[0]
        await submit(buyer, "M1", (item, 2), submitState=1)
        number = await order_id(buyer, "M1")
        await buyer.control("POST", "order", third="M1", act="deliver")
        await apply(buyer, number, item.sku, 2)
        [service] = await listed(buyer, number)
        asked = {"orderId": number, "refId": service["afsServiceId"]}
        assert not (await buyer.call("afterSale/getOrderPayByOrderId", **asked))["success"]
        for act in ("approve", "receive", "handle", "refund"):
            await buyer.control("POST", "service", third="M1", act=act)
        refund = (await buyer.call("afterSale/getOrderPayByOrderId", **asked))["result"]
        assert refund["refundAmount"] == f"{item.price * 2 // 100}.{item.price * 2 % 100:02d}"
        types = [type_ for type_, _ in await messages(buyer, "109,110")]
        assert (types.count(109), types.count(110)) >= (1, 3)
    async with open_buyer(skus=60, ledger=ledger) as buyer:
        [again] = await buyer.control("GET", "services")
        assert (again["afsServiceStep"], again["refunded"]) == (40, True)
        assert await listed(buyer, number) != []


async def test_a_service_is_cancelled_until_its_goods_are_there() -> None:
    async with open_buyer(skus=60) as buyer:
        item = sellable(buyer)[0]
        await submit(buyer, "M1", (item, 2), submitState=1)
        number = await order_id(buyer, "M1")
        await buyer.control("POST", "order", third="M1", act="deliver")
        for _ in range(2):
            await apply(buyer, number, item.sku)
        first, second = [int(each["afsServiceId"]) for each in await listed(buyer, number)]
        await buyer.control("POST", "service", service=str(second), act="receive")
        for service, cancelled in ((first, True), (first, True), (second, False)):
            param = json.dumps({"serviceIdList": [service], "approveNotes": "不需要了"})
            assert (await buyer.call("afterSale/auditCancel", param=param))["result"] is cancelled
        assert (await apply(buyer, number, item.sku))["success"]
