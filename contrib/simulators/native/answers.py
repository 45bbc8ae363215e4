"""What the vendor tells of orders: events as the mall core gets them, without what the gateway knows itself.

That is the order, which the address names, the supplier, whom the key names, what is answered, and who buys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contrib.simulators.native.subjects import Order

Json = Mapping[str, Any]
Event = dict[str, Any]
CHINA = timezone(timedelta(hours=8))
PARTS = ("gross", "net", "tax")


def placed(kind: str, number: str, lines: Sequence[Json], kept: Sequence[Json], *, wrong_sum: bool) -> Event:
    """An order that is held or confirmed: `kept` of the `lines` that were ordered."""
    payload: Event = {"lines": [_stated(line) for line in kept], "totals": _totals(kept, wrong_sum=wrong_sum)}
    if kept != lines:
        kind, payload = "order.partially_confirmed", payload | {"parts": _parts(lines, kept)}
    return event(kind, payload, number)


def refused(command: Json, code_class: str) -> Event:
    """A submit or confirm that had no effect."""
    return event("order.refused", {"operation": command["operation"], "code_class": code_class}, code="NO")


def out_of_state(operation: str) -> Event:
    """What fits no order that waits for the answer to this operation: the refusal of another one."""
    other = "order.confirm" if operation == "order.submit" else "order.submit"
    return event("order.refused", {"operation": other, "code_class": "other"}, code="NO")


def cancelled(command: Json, number: str) -> Event:
    """A cancel that took effect."""
    return event("order.cancelled", {**_scope(command), "by": "mall"}, number)


def cancel_refused(command: Json, code_class: str) -> Event:
    """A cancel that had no effect."""
    payload = {**_scope(command), "by": "supplier", "code_class": code_class}
    return event("order.cancel_refused", payload, code="NO")


def shipped(order: Order) -> Event:
    """Goods that left, all of the order in one delivery."""
    lines = [{name: line[name] for name in ("line_no", "sku", "quantity")} for line in order.lines]
    way = {"lines": lines, "carrier": "某快递", "waybill": f"SF-{order.number}"}
    return event("shipment.created", _shipment(order) | way, order.number)


def delivered(order: Order) -> Event:
    """Goods that were signed for, all of the order."""
    return event("shipment.delivered", _shipment(order), order.number)


def cut(lines: Sequence[Json]) -> list[Json]:
    """The lines of an order with one sales unit less of the first, or all of them where there is but one unit."""
    first, *others = lines
    quantity = Decimal(first["quantity"])
    if quantity > 1:
        return [{**first, "quantity": f"{quantity - 1:f}"}, *others]
    return others or [first]


def _parts(lines: Sequence[Json], kept: Sequence[Json]) -> list[Json]:
    stays = {line["line_no"]: Decimal(line["quantity"]) for line in kept}
    return [
        {
            "line_no": line["line_no"],
            "sku": line["sku"],
            "confirmed": f"{stays.get(line['line_no'], Decimal(0)):f}",
            "refused": f"{Decimal(line['quantity']) - stays.get(line['line_no'], Decimal(0)):f}",
        }
        for line in lines
    ]


def _stated(line: Json) -> Event:
    price = {part: line["price"][part] for part in (*PARTS, "tax_rate") if line["price"].get(part) is not None}
    return {"line_no": line["line_no"], "sku": line["sku"], "quantity": line["quantity"], "price": price}


def _totals(lines: Sequence[Json], *, wrong_sum: bool) -> Event:
    """The sums of those parts that every line has; a wrong one is a cent too much."""
    totals = {
        part: sum((Decimal(line["price"][part]) * Decimal(line["quantity"]) for line in lines), Decimal(0))
        for part in PARTS
        if all(line["price"].get(part) is not None for line in lines)
    }
    if wrong_sum:
        totals["gross"] += Decimal("0.01")
    return {part: f"{amount:f}" for part, amount in totals.items()}


def _scope(command: Json) -> Event:
    wanted = command["payload"]
    return {"scope": wanted["scope"], "children": wanted.get("children") or []}


def _shipment(order: Order) -> Event:
    return {"delivery_no": f"D-{order.number}", "supplier_order_no": order.number}


def event(kind: str, payload: Event, number: str = "", code: str = "OK") -> Event:
    """What is told, of now. number: the vendor's number of the order, where it stays or becomes one."""
    return {
        "event": kind,
        "occurred_at": datetime.now(CHINA).isoformat(timespec="seconds"),
        "supplier_order_nos": [number] if number else [],
        "raw_code": code,
        "payload": payload,
    }
