"""Orders in tests: forms of JD VOP's order/submitOrder, and the calls that follow them."""

from __future__ import annotations

from typing import Any

import orjson

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.catalog import Item
from tests.buyer import Buyer

TYPES = "1,5,10,14,15,18,23,25,26,31"


def sellable(buyer: Buyer, count: int = 1, *, extra: str = "") -> list[Item]:
    """Goods that may be ordered to Zhengzhou, a hundred of each. extra: "accessory" or "gift" that comes with them."""
    return goods(buyer.simulator, count, extra=extra)


def goods(simulator: Simulator, count: int = 1, *, extra: str = "") -> list[Item]:
    """The same, of a simulator."""
    world = simulator.world
    styles = {"": None, "accessory": 3, "gift": 5}[extra]
    found = [
        item
        for item in map(world.item, range(world.catalog.size))
        if item.no_quote is None
        and item.on_shelf
        and not item.restricted
        and world.stock(item, 7, 412) >= 100
        and (item.style % 16 == styles if styles else item.style % 16 not in {3, 5})
    ]
    assert len(found) >= count
    return found[:count]


def form(buyer: Buyer, third: str, *lines: tuple[Item, int], **others: Any) -> dict[str, Any]:
    """The form of an order to Zhengzhou: a reservation, unless others say something else."""
    towns = buyer.simulator.world.areas.children(3545)
    sku = [{"skuId": item.sku, "num": num, "bNeedGift": True} for item, num in lines]
    return {
        "thirdOrder": third,
        "sku": orjson.dumps(sku).decode(),
        "name": "王小明",
        "province": 7,
        "city": 412,
        "county": 3545,
        "town": towns[0].id,
        "address": "建设路某号",
        "mobile": "13900000000",
        "email": "buyer@example.com",
        "invoiceState": 2,
        "invoiceType": 2,
        "selectedInvoiceTitle": 5,
        "companyName": "某某局",
        "invoiceContent": 1,
        "paymentType": 5,
        "isUseBalance": 0,
        "submitState": 0,
    } | others


def snapshot(*prices: tuple[Item, str]) -> dict[str, Any]:
    """The fields of a form that fix its prices."""
    rows = b",".join(b'{"price":%s,"skuId":%d}' % (price.encode(), item.sku) for item, price in prices)
    return {"doOrderPriceMode": 1, "orderPriceSnap": f"[{rows.decode()}]"}


async def submit(buyer: Buyer, third: str, *lines: tuple[Item, int], **others: Any) -> dict[str, Any]:
    """The envelope of order/submitOrder; one of the first goods when no lines are given."""
    return await buyer.call("order/submitOrder", **form(buyer, third, *(lines or [(sellable(buyer)[0], 1)]), **others))


async def order_id(buyer: Buyer, third: str) -> int:
    """The supplier's id of an order that exists."""
    return int((await buyer.call("order/selectJdOrderIdByThirdOrder", thirdOrder=third))["result"])


async def select(buyer: Buyer, id_: int, **others: Any) -> dict[str, Any]:
    """The result of order/selectJdOrder for an order that exists."""
    envelope = await buyer.call("order/selectJdOrder", jdOrderId=id_, **others)
    return dict(envelope["result"])


async def messages(buyer: Buyer, types: str = TYPES) -> list[tuple[int, dict[str, Any]]]:
    """Type and content of every message that waits, oldest first; keys without the blanks around them."""
    told = (await buyer.call("message/get", type=types))["result"] or []
    return [(one["type"], {key.strip(): value for key, value in one["result"].items()}) for one in told]
