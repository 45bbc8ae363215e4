"""What may be ordered, read from the catalog topics: priced in yuan, on the shelf, not out of stock, with a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from contrib.mall.kafka import Options, open_consumer, read_to_end
from contrib.mall.plan import MOST_PIECES, Goods

PRODUCTS, PRICES = "mall.catalog.products.v1", "mall.catalog.prices.v1"
STOCKS, LISTINGS = "mall.catalog.stocks.v1", "mall.catalog.listings.v1"

States = dict[tuple[str, bytes], Mapping[str, Any] | None]
"""What stands by topic and key; None once withdrawn."""


async def read_goods(options: Options, prefix: str, suppliers: Mapping[str, str | None]) -> list[Goods]:
    """What may be ordered of these suppliers; each with the area of its own tree where orders go, if it has one."""
    states: States = {}
    versions: dict[tuple[str, bytes], int] = {}
    async with open_consumer(options, [prefix + topic for topic in (PRODUCTS, PRICES, STOCKS, LISTINGS)]) as consumer:
        async for record in read_to_end(consumer):
            place = record.topic.removeprefix(prefix), record.key
            version = int(dict(record.headers).get("gw-version", b"0"))
            if version >= versions.get(place, 0):
                versions[place] = version
                states[place] = orjson.loads(record.value) if record.value is not None else None
    return sorted(goods_of(states, suppliers), key=lambda goods: (goods.supplier, goods.sku))


def goods_in(path: Path, suppliers: Mapping[str, str | None]) -> list[Goods]:
    """The same from a file of the known state of goods already: supplier, sku, name and gross, one JSON object a
    line."""
    known = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [
        Goods(one["supplier"], one["sku"], one["name"], Decimal(one["gross"]), suppliers[one["supplier"]])
        for one in known
        if one["supplier"] in suppliers
    ]


def goods_of(states: States, suppliers: Mapping[str, str | None]) -> Iterable[Goods]:
    """The goods that states of the catalog allow to order. A price for the area of the supplier goes before `*`."""
    standing = [(topic, state) for (topic, _), state in states.items() if state and state["supplier"] in suppliers]
    names = {(state["supplier"], state["sku"]): state["name"] for topic, state in standing if topic == PRODUCTS}
    off = {
        (state["supplier"], state["sku"])
        for topic, state in standing
        if (topic == LISTINGS and state["shelf"] != "on") or (topic == STOCKS and _is_short(state, suppliers))
    }
    prices: dict[tuple[str, str], dict[str, str]] = {}
    for topic, state in standing:
        if topic == PRICES and state["quote"] == "quoted" and state.get("agreement_price"):
            prices.setdefault((state["supplier"], state["sku"]), {})[state.get("area", "*")] = state["agreement_price"]
    for (supplier, sku), by_area in prices.items():
        area = suppliers[supplier]
        price = by_area.get(area or "*", by_area.get("*"))
        if price is not None and (supplier, sku) in names and (supplier, sku) not in off:
            yield Goods(supplier, sku, names[supplier, sku], Decimal(price), area)


def _is_short(stock: Mapping[str, Any], suppliers: Mapping[str, str | None]) -> bool:
    """Whether an order may find none left, or too few, where it would go."""
    area, quantity = stock.get("area", "*"), stock.get("quantity")
    there = area == "*" or f"{suppliers[stock['supplier']] or ''}_".startswith(f"{area}_")
    return there and (stock["state"] == "out" or (quantity is not None and Decimal(quantity) < MOST_PIECES))
