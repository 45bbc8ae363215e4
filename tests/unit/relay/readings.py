"""Orders as a supplier has them, for tests of what reading them tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.relay.orders import Judged, Order, judge_news
from gateway.relay.readings import Number, Reading, StoredOrder, compare
from gateway.sdk.orders import OrderTree, Parcel, Progress, Standing, SupplierOrder, Track
from schemas.orders import OrderStatus, State
from schemas.orders.events import SupplierMessage
from schemas.orders.parts import StatedLine, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder, TrackStep

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MESSAGE = SupplierMessage(type="5", id="m1")


def stated(quantity: int = 1, gross: str | None = None) -> StatedOrder:
    """So many pieces at 10 yuan. gross: the sum, where it is not theirs."""
    line = StatedLine(sku="S1", quantity=Decimal(quantity), price=UnitPrice(gross=Decimal("10.00")))
    return StatedOrder(lines=(line,), totals=Totals(gross=Decimal(gross or f"{quantity * 10}.00")))


def order(number: str = "100", standing: Standing = Standing.PLACED, **facts: Any) -> SupplierOrder:
    usual: dict[str, Any] = {"stated": stated(), "order_no": "A", "progress": Progress.NOT_SHIPPED}
    return SupplierOrder(supplier_order_no=number, standing=standing, **{**usual, **facts})


def child(number: str, progress: Progress = Progress.NOT_SHIPPED, **facts: Any) -> SupplierOrder:
    return order(number, **{"parent_no": "100", "progress": progress, **facts})


def split(*children: SupplierOrder) -> OrderTree:
    return OrderTree(order("100", stated=stated(len(children))), children)


def known(state: State = State.CONFIRMED, before: State | None = None) -> StoredOrder:
    return StoredOrder(Order("jd", "A", OrderStatus(state, before), "410000", "100"))


def track(*texts: str, waybills: Iterable[str] = ()) -> Track:
    steps = [TrackStep(at=NOON.replace(minute=minute), text=text) for minute, text in enumerate(texts)]
    return Track(tuple(steps), tuple(Parcel(each) for each in waybills))


def read(
    before: StoredOrder, tree: OrderTree, tracks: Mapping[str, Track] | None = None, *, cause: SupplierMessage = MESSAGE
) -> tuple[StoredOrder, Sequence[Judged]]:
    """What is known after a reading, and what became of its news."""
    found = compare(before, Reading(tree, tracks or {}, cause, NOON))
    standing, judged = before.order, []
    for news in found.news:
        judged.append(judge_news(standing, news))
        standing = judged[-1].order
    numbers = {**before.numbers, **{each.supplier_order_no: each for each in found.numbers}}
    return replace(before, order=standing, numbers=numbers), judged


def events(judged: Iterable[Judged]) -> list[Any]:
    """What the core is told."""
    return [each.news.event for each in judged if each.news.event is not None and not each.late]


def kinds(judged: Iterable[Judged]) -> list[str]:
    return [event.event for event in events(judged)]


def children_of(now: StoredOrder) -> dict[str, Number]:
    return {number: each for number, each in now.numbers.items() if each.state is not None}
