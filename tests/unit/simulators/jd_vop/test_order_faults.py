"""Every fault of an order does what it says, and the ledger holds the effects, whatever the caller was told."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from contrib.simulators.jd_vop import ledger
from contrib.simulators.jd_vop.world import yuan
from tests.buyer import Buyer, open_buyer
from tests.eventually import eventually
from tests.ordering import form, messages, order_id, select, sellable, snapshot, submit

QUIET = {"skus": 400, "repeat_share": 0.0}
OPERATIONS = ("submitOrder", "confirmOrder", "cancel")
EFFECTS = {"submitOrder": "submit", "confirmOrder": "confirm", "cancel": "cancel"}


async def attempt(buyer: Buyer, operation: str) -> dict[str, Any]:
    """Do the one thing to the order M1, which has been submitted before unless that is it."""
    if operation == "submitOrder":
        return await submit(buyer, "M1")
    return await buyer.call(f"order/{operation}", jdOrderId=await order_id(buyer, "M1"))


def effects(path: Path) -> Counter[str]:
    """How often each thing has been done, as a reader of the file alone counts it."""
    return Counter(entry["effect"] for entry in ledger.read(path))


BROKEN_OFF = ("reset", "cut_off", "cut_reset")
LATE: list[tuple[str, dict[str, Any]]] = [("hang", {}), ("latency", {"ms": 600_000}), ("drip", {"pause": 600})]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("kind", "parameters"), [*((kind, {}) for kind in BROKEN_OFF), *LATE])
async def test_an_answer_may_be_lost_or_late_after_the_effect(tmp_path, kind, parameters, operation):
    path, effect = tmp_path / "ledger.jsonl", EFFECTS[operation]

    async def done() -> bool:
        return effects(path)[effect] == 1

    async with open_buyer(**QUIET, ledger=path) as buyer:
        if operation != "submitOrder":
            await submit(buyer, "M1")
        await buyer.order(kind, f"order/{operation}", parameters=parameters, times=1)
        call = asyncio.create_task(attempt(buyer, operation))
        await eventually(done)
        if kind in BROKEN_OFF:
            with pytest.raises(aiohttp.ClientError):
                await call
        else:
            assert not call.done()
            call.cancel()
        again = await attempt(buyer, operation)
        assert again["resultCode"] in {"0008", "3103", "3203"}
        assert effects(path)[effect] == 1


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(
    ("kind", "parameters", "done"),
    [
        ("status", {"status": 500}, 0),
        ("status", {"status": 503}, 0),
        ("rate_limited", {"retry_after": 2}, 0),
        ("html", {}, 0),
        ("refused", {"code": "3058", "message": "下单失败，请重新提交订单"}, 0),
        ("expired_token", {}, 0),
        ("status_after", {"status": 502}, 1),
        ("garbage", {}, 0),
        ("cut_json", {}, 1),
        ("empty", {}, 1),
    ],
)
async def test_what_a_caller_is_told_may_say_nothing_about_the_effect(tmp_path, kind, parameters, done, operation):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        fields = form(buyer, "M1", (sellable(buyer)[0], 1))
        if operation != "submitOrder":
            await submit(buyer, "M1")
            fields = {"jdOrderId": await order_id(buyer, "M1")}
        await buyer.order(kind, f"order/{operation}", parameters=parameters, times=1)
        status, _, _ = await buyer.raw(f"api/order/{operation}", token=buyer.token["access_token"], **fields)
        assert status == {"rate_limited": 429}.get(kind, parameters.get("status", 200))
        assert effects(path)[EFFECTS[operation]] == done
        if kind == "expired_token":
            await buyer.sign_in()
        again = await attempt(buyer, operation)
        assert again["success"] or again["resultCode"] in {"0008", "3103", "3203"}
        assert effects(path)[EFFECTS[operation]] == 1


async def test_half_an_answer_ends_in_a_reset():
    async with open_buyer(**QUIET) as buyer:
        await buyer.order("cut_reset", "order/submitOrder", times=1)
        fields = form(buyer, "M1", (sellable(buyer)[0], 1)) | {"token": buyer.token["access_token"]}
        async with buyer.session.post(f"{buyer.simulator.url}/api/order/submitOrder", data=fields) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


async def test_a_first_submission_may_be_told_as_a_repeated_one_and_as_another_than_it_is(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        item = sellable(buyer)[0]
        await buyer.order("duplicate_answer", "submitOrder", times=1)
        told = await submit(buyer, "M1", (item, 3))
        assert (told["success"], told["resultCode"]) == (True, "0008")
        assert told["result"]["sku"][0]["num"] == 3
        changed = {"line": {"num": 2}, "order": {"orderPrice": 1}}
        await buyer.order("duplicate_answer", "submitOrder", parameters=changed, times=1)
        told = await submit(buyer, "M2", (item, 3))
        assert (told["result"]["sku"][0]["num"], told["result"]["orderPrice"]) == (2, 1)
        assert [entry["lines"][0]["num"] for entry in ledger.read(path)] == [3, 3]


async def test_a_refusal_is_not_told_as_a_repeated_submission():
    async with open_buyer(**QUIET) as buyer:
        await buyer.order("duplicate_answer", "submitOrder")
        assert (await submit(buyer, "M1", name=""))["resultCode"] == "1001"


async def test_a_price_moves_between_its_snapshot_and_the_order(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        item = sellable(buyer)[0]
        await buyer.order("price_changed", "submitOrder", parameters={"percent": 120}, times=1)
        told = await submit(buyer, "M1", (item, 1), **snapshot((item, yuan(item.price))))
        assert (told["success"], told["resultCode"]) == (False, None)
        assert effects(path) == Counter()
        quoted = (await buyer.call("price/getSellPrice", sku=item.sku))["result"][0]["price"]
        assert quoted == item.price * 120 // 100 / 100
        assert [type_ for type_, _ in await messages(buyer, "2")] == [2]


async def test_the_last_goods_are_sold_just_before_the_order(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await buyer.order("out_of_stock", "submitOrder", times=1)
        assert (await submit(buyer, "M1"))["resultCode"] == "3008"
        assert effects(path) == Counter()


async def test_a_supplier_that_honours_no_key_takes_every_submission_for_a_new_order(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await buyer.order("key_ignored", "submitOrder", times=2)
        told = [await submit(buyer, "M1") for _ in range(3)]
        assert [one["resultCode"] for one in told] == ["0001", "0001", "0008"]
        ids = [int(one["result"]["jdOrderId"]) for one in told]
        assert ids[0] != ids[1] == ids[2] == await order_id(buyer, "M1")
        assert ledger.summary(ledger.read(path)) == {
            "effects": {"submit": 2},
            "orders": 1,
            "duplicates": {"M1": 2},
        }


@pytest.mark.parametrize(("operation", "state"), [("submitOrder", 1), ("confirmOrder", 0)])
async def test_an_order_is_split_as_soon_as_it_stands(operation, state):
    async with open_buyer(**QUIET) as buyer:
        items = [(item, 1) for item in sellable(buyer, 3)]
        await buyer.order("split", operation, parameters={"into": 3}, times=1)
        await submit(buyer, "M1", *items, submitState=state)
        id_ = await order_id(buyer, "M1")
        if not state:
            assert (await buyer.call("order/confirmOrder", jdOrderId=id_))["success"]
        assert len((await select(buyer, id_))["cOrder"]) == 3
        assert [type_ for type_, _ in await messages(buyer)][-1] == 1


async def test_a_confirmation_may_be_partial():
    async with open_buyer(**QUIET) as buyer:
        await submit(buyer, "M1", *((item, 1) for item in sellable(buyer, 2)))
        id_ = await order_id(buyer, "M1")
        await buyer.order("partial_confirmation", "confirmOrder", times=1)
        assert (await buyer.call("order/confirmOrder", jdOrderId=id_))["resultCode"] == "0003"
        tree = await select(buyer, id_)
        assert [child["orderState"] for child in tree["cOrder"]] == [1, 0]
        cancelled = int(tree["cOrder"][1]["jdOrderId"])
        assert (await messages(buyer))[-2:] == [(1, {"pOrder": id_}), (10, {"orderId": cancelled})]


@pytest.mark.parametrize(
    ("operation", "code", "done"),
    [("confirmOrder", "3105", {"submit": 1, "cancel": 1}), ("cancel", "3207", {"submit": 1, "confirm": 1, "split": 1})],
)
async def test_of_a_confirmation_and_a_cancellation_the_other_may_be_quicker(tmp_path, operation, code, done):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await submit(buyer, "M1", *((item, 1) for item in sellable(buyer, 2)))
        await buyer.order("cancel_races_confirm", operation, times=1)
        told = await buyer.call(f"order/{operation}", jdOrderId=await order_id(buyer, "M1"))
        assert (told["success"], told["resultCode"]) == (False, code)
        assert effects(path) == done
        assert [entry["by"] for entry in ledger.read(path)] == ["caller", *["supplier"] * (len(ledger.read(path)) - 1)]


@pytest.mark.parametrize("kind", ["split", "partial_confirmation", "cancel_races_confirm", "price_changed"])
@pytest.mark.parametrize("fields", [{}, {"jdOrderId": "x"}, {"jdOrderId": 1}, {"sku": "[]"}])
async def test_a_fault_about_no_order_changes_nothing(kind, fields):
    async with open_buyer(**QUIET) as buyer:
        await buyer.order(kind, "order/*")
        for operation in (*OPERATIONS, "selectJdOrder"):
            assert not (await buyer.call(f"order/{operation}", **fields))["success"]
        assert await buyer.control("GET", "orders") == []


async def test_messages_about_orders_come_twice_and_the_newest_first():
    async with open_buyer(**QUIET) as buyer:
        for third in ("M1", "M2"):
            await submit(buyer, third)
        await buyer.order("repeated_messages", "message/get", times=1)
        assert [type_ for type_, _ in await messages(buyer)] == [26] * 4
        await buyer.order("reordered_messages", "message/get", times=1)
        ids = [result["orderId"] for _, result in await messages(buyer)]
        assert ids == [await order_id(buyer, "M2"), await order_id(buyer, "M1")]


async def test_a_fault_may_strike_one_order_alone(tmp_path):
    path = tmp_path / "ledger.jsonl"
    async with open_buyer(**QUIET, ledger=path) as buyer:
        await buyer.order("status_after", "submitOrder", third="M2")
        fields = [form(buyer, third, (sellable(buyer)[0], 1)) for third in ("M1", "M2", "M3")]
        token = buyer.token["access_token"]
        told = [await buyer.raw("api/order/submitOrder", token=token, **one) for one in fields]
        assert [status for status, _, _ in told] == [200, 503, 200]
        assert [entry["thirdOrder"] for entry in ledger.read(path)] == ["M1", "M2", "M3"]


async def test_a_fault_is_drawn_by_the_seed_of_the_supplier():
    async def drawn() -> list[bool | None]:
        async with open_buyer(**QUIET, seed=11) as buyer:
            await buyer.order("status", "submitOrder", probability=0.5)
            fields = form(buyer, "M1", (sellable(buyer)[0], 1)) | {"token": buyer.token["access_token"]}
            told = [await buyer.raw("api/order/submitOrder", **fields) for _ in range(20)]
            return [orjson.loads(body)["success"] if status == 200 else None for status, _, body in told]

    first = await drawn()
    assert None in first
    assert any(one is not None for one in first)
    assert await drawn() == first
