"""Goods of orders as suppliers tell of them: what an order or a child of it holds, and what was delivered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

import orjson

from gateway.relay import goods_queries as queries
from gateway.store import Connection
from schemas.orders import OrderEvent
from schemas.orders.commands import OrderedLine
from schemas.orders.events import OrderPartiallyConfirmed, OrderSplit, ShipmentDelivered
from schemas.orders.parts import LineQuantity

Quantities: TypeAlias = Mapping[str, Decimal]
"""Sales units by sku."""

Delivery: TypeAlias = tuple[str, Quantities]
"""The child, or "" of the whole order, and what arrived of it; no quantities: all that it holds."""


async def keep_goods(connection: Connection, events: Iterable[OrderEvent]) -> None:
    """Keep what events say of goods; what they say of the same goods later takes its place."""
    rows = {
        (event.supplier, event.order_no, child, delivery): _written(goods)
        for event in events
        for child, delivery, goods in _goods(event)
    }
    if rows:
        await connection.execute(queries.KEEP, *map(list, zip(*rows, strict=True)), list(rows.values()))


async def forget_goods(connection: Connection, orders: Iterable[tuple[str, str]]) -> None:
    """Forget the goods of orders, by supplier and order number, that start again."""
    rows = sorted(set(orders))
    if rows:
        await connection.execute(queries.FORGET, *map(list, zip(*rows, strict=True)))


async def goods_of(
    connection: Connection, supplier: str, order_no: str
) -> tuple[Mapping[str, Quantities], Sequence[Delivery]]:
    """What each child holds, "" of the whole order where the supplier cut it, and what was delivered."""
    rows = await connection.fetch(queries.OF_ORDER, supplier, order_no)
    held = {row["supplier_order_no"]: quantities(row["lines"]) for row in rows if not row["delivery_no"]}
    return held, [(row["supplier_order_no"], quantities(row["lines"])) for row in rows if row["delivery_no"]]


async def accepted_goods(connection: Connection, supplier: str, order_no: str) -> Quantities | None:
    """What the supplier accepted of an order that it cut; None: it accepted what was ordered."""
    lines = await connection.fetchval(queries.ACCEPTED, supplier, order_no)
    return None if lines is None else quantities(lines)


def summed(lines: Iterable[LineQuantity | OrderedLine]) -> dict[str, Decimal]:
    """Sales units of each sku in these lines."""
    return _summed((line.sku, line.quantity) for line in lines)


def quantities(lines: Mapping[str, str]) -> Quantities:
    """Quantities as they are kept, read."""
    return {sku: Decimal(quantity) for sku, quantity in lines.items()}


def _goods(event: OrderEvent) -> Iterable[tuple[str, str, dict[str, Decimal]]]:
    """Child, delivery and quantities of each of the goods that an event speaks of."""
    match event:
        case OrderPartiallyConfirmed(payload=cut):
            yield "", "", _summed((part.sku, part.confirmed) for part in cut.parts)
        case OrderSplit(payload=split):
            for child in split.children:
                yield child.supplier_order_no, "", summed(child.lines)
        case ShipmentDelivered(payload=arrived):
            yield arrived.supplier_order_no or "", arrived.delivery_no, summed(arrived.lines)
        case _:
            return


def _written(goods: Quantities) -> str:
    return orjson.dumps({sku: f"{quantity:f}" for sku, quantity in goods.items()}).decode()


def _summed(goods: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for sku, quantity in goods:
        total[sku] = total.get(sku, Decimal(0)) + quantity
    return total
