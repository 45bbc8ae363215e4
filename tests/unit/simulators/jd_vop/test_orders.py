"""The simulated supplier takes, confirms, cancels, splits and delivers orders as its documents have it."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from contrib.simulators.jd_vop.world import yuan
from tests.buyer import Buyer, open_buyer
from tests.ordering import form, messages, order_id, select, sellable, snapshot, submit

QUIET = {"skus": 400, "repeat_share": 0.0}


async def step(buyer: Buyer, third: str, *acts: str) -> None:
    for act in acts:
        await buyer.control("POST", "order", third=third, act=act)


async def test_a_reservation_is_taken_with_its_lines_and_sums():
    async with open_buyer(**QUIET) as buyer:
        first, second = sellable(buyer, 2)
        told = await submit(buyer, "M1", (first, 2), (second, 3))
        assert (told["success"], told["resultCode"]) == (True, "0001")
        result = told["result"]
        lines = [(int(line["skuId"]), line["num"], line["type"], line["oid"]) for line in result["sku"]]
        assert lines == [(first.sku, 2, 0, 0), (second.sku, 3, 0, 0)]
        gross = 2 * first.price + 3 * second.price
        naked = 2 * first.naked + 3 * second.naked
        assert Decimal(str(result["orderPrice"])) * 100 == gross
        assert Decimal(str(result["orderNakedPrice"])) * 100 == naked
        assert Decimal(str(result["orderTaxPrice"])) * 100 == gross - naked
        assert result["freight"] == (0 if gross >= 9900 else 6)
        assert await messages(buyer) == [(26, {"orderId": int(result["jdOrderId"]), "pin": "simulated-buyer"})]


async def test_money_is_written_with_two_decimals():
    async with open_buyer(**QUIET) as buyer:
        item = sellable(buyer)[0]
        fields = form(buyer, "M1", (item, 1)) | {"token": buyer.token["access_token"]}
        _, _, body = await buyer.raw("api/order/submitOrder", **fields)
        assert f'"orderPrice":{yuan(item.price)},'.encode() in body


async def test_a_contract_without_tax_states_net_prices_as_text_and_gross_sums():
    async with open_buyer(**QUIET, net=True) as buyer:
        item = sellable(buyer)[0]
        quoted = (await buyer.call("price/getSellPrice", sku=item.sku))["result"][0]["price"]
        told = await submit(buyer, "M1", (item, 2), **snapshot((item, yuan(item.naked))))
        line = told["result"]["sku"][0]
        assert (line["price"], Decimal(line["price"])) == (yuan(item.naked), Decimal(str(quoted)))
        assert Decimal(str(told["result"]["orderPrice"])) * 100 == 2 * item.price
        assert Decimal(str(told["result"]["orderNakedPrice"])) == 2 * Decimal(line["price"])


async def test_an_accessory_comes_unless_refused_and_a_gift_when_wished_for():
    async with open_buyer(skus=4000) as buyer:
        with_accessory, with_gift = sellable(buyer, extra="accessory")[0], sellable(buyer, extra="gift")[0]
        told = await submit(buyer, "M1", (with_accessory, 2), (with_gift, 3))
        lines = told["result"]["sku"]
        assert [(line["type"], line["oid"], line["price"], line["num"]) for line in lines if line["type"]] == [
            (1, with_accessory.sku, 0, 2),
            (2, with_gift.sku, 0, 3),
        ]
        bare = [{"skuId": item.sku, "num": 1, "bNeedAnnex": False} for item in (with_accessory, with_gift)]
        told = await submit(buyer, "M2", sku=orjson.dumps(bare).decode())
        assert [line["type"] for line in told["result"]["sku"]] == [0, 0]


async def test_an_order_is_submitted_once_and_told_again_under_its_number():
    async with open_buyer(**QUIET) as buyer:
        item, other = sellable(buyer, 2)
        first = await submit(buyer, "M1", (item, 1))
        again = [await submit(buyer, "M1", (other, 9)) for _ in range(4)]
        assert {told["resultCode"] for told in again} == {"0008"}
        assert {told["success"] for told in again} == {True, False}
        assert {int(told["result"]["jdOrderId"]) for told in again} == {int(first["result"]["jdOrderId"])}
        assert {int(line["skuId"]) for told in again for line in told["result"]["sku"]} == {item.sku}
        assert len(await buyer.control("GET", "orders")) == 1


async def test_an_order_is_found_by_the_number_of_the_buyer_or_is_not_there():
    async with open_buyer(**QUIET) as buyer:
        told = await submit(buyer, "M1")
        assert await order_id(buyer, "M1") == int(told["result"]["jdOrderId"])
        unknown = await buyer.call("order/selectJdOrderIdByThirdOrder", thirdOrder="M2")
        assert (unknown["success"], unknown["resultCode"], unknown["result"]) == (False, "3401", None)


async def test_a_reservation_is_confirmed_once():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1")
        id_ = await order_id(buyer, "M1")
        assert (await select(buyer, id_))["submitState"] == 0
        told = [await buyer.call("order/confirmOrder", jdOrderId=id_) for _ in range(2)]
        assert [(one["success"], one["resultCode"], one["result"]) for one in told] == [
            (True, "0003", True),
            (False, "3103", False),
        ]
        assert [type_ for type_, _ in await messages(buyer)] == [26, 25]


async def test_a_direct_order_needs_no_confirmation():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", submitState=1)
        told = await buyer.call("order/confirmOrder", jdOrderId=await order_id(buyer, "M1"))
        assert told["resultCode"] == "3103"
        assert [type_ for type_, _ in await messages(buyer)] == [25]


async def test_a_reservation_is_cancelled_once_and_then_cannot_be_confirmed():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1")
        id_ = await order_id(buyer, "M1")
        told = [await buyer.call("order/cancel", jdOrderId=id_) for _ in range(2)]
        assert [(one["success"], one["resultCode"], one["result"]) for one in told] == [
            (True, "0002", True),
            (False, "3203", False),
        ]
        assert (await buyer.call("order/confirmOrder", jdOrderId=id_))["resultCode"] == "3105"
        assert (await select(buyer, id_))["orderState"] == 0
        assert (10, {"orderId": id_}) in await messages(buyer)


async def test_a_confirmed_order_that_was_split_is_cancelled_child_by_child():
    async with open_buyer(**QUIET) as buyer:
        first, second = sellable(buyer, 2)
        await submit(buyer, "M1", (first, 1), (second, 1), submitState=1)
        id_ = await order_id(buyer, "M1")
        await step(buyer, "M1", "split")
        children = [int(child["jdOrderId"]) for child in (await select(buyer, id_))["cOrder"]]
        assert (await buyer.call("order/cancel", jdOrderId=id_))["resultCode"] == "3207"
        assert (await buyer.call("order/confirmOrder", jdOrderId=children[0]))["resultCode"] == "3104"
        assert (await buyer.call("order/cancel", jdOrderId=children[0]))["resultCode"] == "0002"
        assert [child["orderState"] for child in (await select(buyer, id_))["cOrder"]] == [0, 1]


async def test_what_is_on_its_way_cannot_be_cancelled():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", submitState=1)
        await step(buyer, "M1", "print", "leave_store")
        told = await buyer.call("order/cancel", jdOrderId=await order_id(buyer, "M1"))
        assert (told["success"], told["resultCode"]) == (False, "3204")


@pytest.mark.parametrize(
    ("operation", "code"),
    [("confirmOrder", "3102"), ("cancel", "3202"), ("selectJdOrder", "3401"), ("orderTrack", "3401")],
)
async def test_an_order_that_is_not_there_is_refused(operation, code):
    async with open_buyer(**QUIET) as buyer:
        told = await buyer.call(f"order/{operation}", jdOrderId=123)
        assert (told["success"], told["resultCode"]) == (False, code)
        assert (await buyer.call(f"order/{operation}"))["resultCode"] == "1001"
        assert (await buyer.call(f"order/{operation}", jdOrderId="12x"))["resultCode"] == "1002"


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"thirdOrder": ""}, "1001"),
        ({"thirdOrder": "x" * 101}, "1003"),
        ({"name": "某" * 21}, "1003"),
        ({"remark": "某" * 100}, "1003"),
        ({"email": ""}, "1001"),
        ({"companyName": ""}, "1001"),
        ({"submitState": 2}, "1003"),
        ({"submitState": "no"}, "1002"),
        ({"paymentType": 3}, "1003"),
        ({"paymentType": 4}, "1003"),
        ({"sku": "[]"}, "1003"),
        ({"sku": "{}"}, "1002"),
        ({"sku": "[1]"}, "1002"),
        ({"sku": '[{"skuId":1}'}, "1002"),
        ({"sku": '[{"skuId":1,"num":0}]'}, "1003"),
        ({"sku": '[{"skuId":1,"num":-1}]'}, "1002"),
        ({"sku": '[{"skuId":1,"num":1},{"skuId":"1","num":2}]'}, "1004"),
        ({"sku": '[{"skuId":1,"num":1}]'}, "2004"),
        ({"town": 0}, "3554"),
        ({"county": 1}, "3554"),
        ({"province": 1}, "3554"),
        ({"doOrderPriceMode": 1}, "1001"),
        ({"doOrderPriceMode": 1, "orderPriceSnap": '[{"skuId":1,"price":1}]'}, "1001"),
        ({"doOrderPriceMode": 1, "orderPriceSnap": '[{"skuId":1,"price":"1.234"}]'}, "1002"),
    ],
)
async def test_a_form_that_makes_no_sense_is_refused_and_orders_nothing(others, code):
    async with open_buyer(**QUIET) as buyer:
        told = await submit(buyer, "M1", **others)
        assert (told["success"], told["resultCode"]) == (False, code)
        assert await buyer.control("GET", "orders") == []


async def test_an_order_has_fifty_lines_at_most():
    async with open_buyer(skus=1000) as buyer:
        items = sellable(buyer, 51)
        assert (await submit(buyer, "M1", *((item, 1) for item in items)))["resultCode"] == "1003"
        assert (await submit(buyer, "M1", *((item, 1) for item in items[:50])))["resultCode"] == "0001"


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [("price", "none", "3001"), ("shelf", False, "3004"), ("stock", 1, "3008"), ("stock", 2, "0001")],
)
async def test_goods_that_may_not_be_sold_are_refused(kind, value, code):
    async with open_buyer(**QUIET) as buyer:
        item = sellable(buyer)[0]
        await buyer.control("POST", "change", sku=item.sku, kind=kind, value=value)
        told = await submit(buyer, "M1", (item, 2))
        assert told["resultCode"] == code
        assert len(await buyer.control("GET", "orders")) == (code == "0001")


async def test_goods_are_not_sold_to_where_they_are_restricted():
    async with open_buyer(skus=4000) as buyer:
        world = buyer.simulator.world
        item = next(one for one in map(world.item, range(4000)) if one.restricted == 7 and one.on_shelf)
        assert (await submit(buyer, "M1", (item, 1)))["resultCode"] == "3009"


async def test_a_price_that_has_moved_since_its_snapshot_is_refused_in_words():
    async with open_buyer(**QUIET) as buyer:
        item = sellable(buyer)[0]
        fixed = snapshot((item, yuan(item.price)))
        await buyer.control("POST", "change", sku=item.sku, kind="price", value=yuan(item.price + 1))
        told = await submit(buyer, "M1", (item, 1), **fixed)
        assert (told["success"], told["resultCode"]) == (False, None)
        assert str(item.sku) in told["resultMessage"]
        assert (await submit(buyer, "M1", (item, 1), **fixed | {"doOrderPriceMode": 0}))["resultCode"] == "0001"
        moved = snapshot((item, yuan(item.price + 1)))
        assert (await submit(buyer, "M2", (item, 1), **moved))["resultCode"] == "0001"


async def test_the_sums_of_children_are_those_of_their_parent():
    async with open_buyer(**QUIET) as buyer:
        cheap = sorted(sellable(buyer, 60), key=lambda item: item.price)[:3]
        await submit(buyer, "M1", *((item, 2) for item in cheap), submitState=1)
        id_ = await order_id(buyer, "M1")
        await buyer.control("POST", "order", third="M1", act="split", into=3)
        tree = await select(buyer, id_)
        parent = tree["pOrder"] | {name: tree[name] for name in ("orderNakedPrice", "orderTaxPrice")}
        assert len(tree["cOrder"]) == 3
        assert parent["freight"] == 6
        for name in ("orderPrice", "orderNakedPrice", "orderTaxPrice", "freight"):
            assert sum(Decimal(str(child[name])) for child in tree["cOrder"]) == Decimal(str(parent[name]))
        assert {(int(child["pOrder"]), child["type"]) for child in tree["cOrder"]} == {(id_, 2)}
        assert (tree["type"], tree["orderState"], tree["submitState"]) == (1, 1, 1)


async def test_a_later_split_replaces_a_child_and_names_the_original_parent():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", *((item, 1) for item in sellable(buyer, 3)), submitState=1)
        id_ = await order_id(buyer, "M1")
        await step(buyer, "M1", "split")
        first, second = [int(child["jdOrderId"]) for child in (await select(buyer, id_))["cOrder"]]
        await buyer.control("POST", "order", order=first, act="split")
        children = [int(child["jdOrderId"]) for child in (await select(buyer, id_))["cOrder"]]
        assert (len(children), second in children, first in children) == (3, True, False)
        assert (await buyer.call("order/selectJdOrder", jdOrderId=first))["resultCode"] == "3401"
        assert [result for type_, result in await messages(buyer) if type_ == 1] == [{"pOrder": id_}] * 2
        superseded = [one for one in await buyer.control("GET", "orders") if one["superseded"]]
        assert [one["jdOrderId"] for one in superseded] == [str(first)]


async def test_one_line_is_divided_by_its_quantity_but_one_piece_and_a_reservation_not_at_all():
    async with open_buyer(**QUIET) as buyer:
        item = sellable(buyer)[0]
        await submit(buyer, "M1", (item, 5), submitState=1)
        await submit(buyer, "M2", (item, 1), submitState=1)
        await submit(buyer, "M3", (item, 5))
        await step(buyer, "M1", "split")
        tree = await select(buyer, await order_id(buyer, "M1"))
        assert sorted(child["sku"][0]["num"] for child in tree["cOrder"]) == [2, 3]
        for third in ("M2", "M3"):
            assert (await buyer.told("POST", "order", third=third, act="split"))[0] == 400


async def test_an_order_that_was_never_split_is_its_own_child_at_times():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", submitState=1)
        id_ = await order_id(buyer, "M1")
        told = [await select(buyer, id_) for _ in range(12)]
        trees = [one for one in told if "cOrder" in one]
        assert 0 < len(trees) < 12
        assert all([int(child["jdOrderId"]) for child in tree["cOrder"]] == [id_] for tree in trees)
        assert all(one["pOrder"] == 0 and one["type"] == 2 for one in told if "cOrder" not in one)


async def test_the_state_of_the_supplier_is_told_when_asked_for():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1")
        id_ = await order_id(buyer, "M1")
        assert "jdOrderState" not in await select(buyer, id_)
        told = await select(buyer, id_, queryExts="orderType,jdOrderState")
        assert (told["orderType"], told["jdOrderState"]) == (1, 1)


async def test_a_delivered_order_leaves_its_messages_and_its_track():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", submitState=1)
        id_ = await order_id(buyer, "M1")
        await step(buyer, "M1", "print", "leave_store", "pack", "ship", "await_receipt", "deliver", "finish")
        told = [(type_, result.get("state")) for type_, result in await messages(buyer)]
        assert told == [(25, None), (18, None), (5, 1), (31, None)]
        tracks = (await buyer.call("order/orderTrack", jdOrderId=id_))["result"]
        assert (int(tracks["jdOrderId"]), len(tracks["orderTrack"])) == (id_, 8)
        assert set(tracks["orderTrack"][0]) == {"content", "msgTime", "operator"}
        assert [(one["state"], one["jdOrderState"]) for one in await buyer.control("GET", "orders")] == [(1, 19)]


async def test_a_rejected_order_comes_back():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", submitState=1)
        await step(buyer, "M1", "ship", "return", "reject")
        told = [(type_, result.get("state")) for type_, result in await messages(buyer)]
        assert told == [(25, None), (23, None), (5, 2)]
        assert (await buyer.control("GET", "orders"))[0]["state"] == 2


async def test_each_child_is_delivered_by_itself():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", *((item, 1) for item in sellable(buyer, 2)), submitState=1)
        id_ = await order_id(buyer, "M1")
        await step(buyer, "M1", "split")
        first, second = [int(child["jdOrderId"]) for child in (await select(buyer, id_))["cOrder"]]
        await buyer.control("POST", "order", order=first, act="deliver")
        assert [child["state"] for child in (await select(buyer, id_))["cOrder"]] == [1, 0]
        await step(buyer, "M1", "reject")
        assert (5, {"orderId": second, "state": 2}) in await messages(buyer)
        assert (await buyer.call("order/orderTrack", jdOrderId=id_))["resultCode"] == "3402"


@pytest.mark.parametrize(
    ("act", "told"), [("expire", [(15, 2), (10, None)]), ("unpaid", [(15, 1), (10, None)]), ("cancel", [(10, None)])]
)
async def test_the_supplier_cancels_by_itself_and_says_why(act, told):
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1")
        await step(buyer, "M1", act)
        assert [(type_, result.get("cancelType")) for type_, result in (await messages(buyer))[1:]] == told
        assert (await select(buyer, await order_id(buyer, "M1")))["orderState"] == 0


async def test_a_failed_payment_is_a_message():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", submitState=1)
        await step(buyer, "M1", "payment_failed")
        assert (14, {"orderId": await order_id(buyer, "M1")}) in await messages(buyer)


async def test_a_reservation_that_nobody_confirms_expires_and_a_confirmed_order_does_not():
    async with open_buyer(**QUIET, reserve_seconds=600) as buyer:
        await submit(buyer, "M1")
        await submit(buyer, "M2")
        expired, kept = await order_id(buyer, "M1"), await order_id(buyer, "M2")
        await buyer.call("order/confirmOrder", jdOrderId=kept)
        buyer.simulator.clock.skew += 601
        assert (await buyer.call("order/confirmOrder", jdOrderId=expired))["resultCode"] == "3105"
        assert (await select(buyer, kept, queryExts=""))["orderState"] == 1
        assert (15, {"orderId": expired, "cancelType": 2}) in await messages(buyer)


@pytest.mark.parametrize(("rejected", "last"), [(0.0, (31, None)), (1.0, (5, 2))])
async def test_an_order_goes_its_way_by_itself(rejected, last):
    async with open_buyer(**QUIET, step_seconds=60, reject_share=rejected) as buyer:
        await submit(buyer, "M1", submitState=1)
        for _ in range(9):
            buyer.simulator.clock.skew += 61
            await buyer.control("GET", "orders")
        told = [(type_, result.get("state")) for type_, result in await messages(buyer)]
        assert told[-1] == last
        assert len(told) == len({*told})


async def test_an_order_that_goes_its_way_is_split_as_often_as_configured():
    async with open_buyer(**QUIET, step_seconds=60, split_share=1.0) as buyer:
        await submit(buyer, "M1", *((item, 1) for item in sellable(buyer, 2)), submitState=1)
        for _ in range(9):
            buyer.simulator.clock.skew += 61
            await buyer.control("GET", "orders")
        told = [type_ for type_, _ in await messages(buyer)]
        assert (told.count(1), told.count(5), told.count(31)) == (1, 2, 2)


@pytest.mark.parametrize(
    "order", [{"act": "eat", "third": "M1"}, {"act": "ship", "third": "M2"}, {"act": "ship"}, {"third": "M1"}]
)
async def test_a_control_order_that_makes_no_sense_changes_nothing(order):
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1")
        before = await buyer.control("GET", "orders")
        assert (await buyer.told("POST", "order", **order))[0] == 400
        assert await buyer.control("GET", "orders") == before


async def test_orders_need_a_token():
    async with open_buyer(**QUIET) as buyer:
        buyer.token = {"access_token": "made-up"}
        assert (await submit(buyer, "M1"))["resultCode"] == "2007"
        assert await buyer.control("GET", "orders") == []
