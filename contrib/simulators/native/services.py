"""Invoices and after-sale at the vendor: what an application or a request comes to, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from contrib.simulators.native.answers import CHINA, PARTS, event
from contrib.simulators.native.subjects import HANDLED, SERVICE_STEPS, Application, Order, Service

Entry = dict[str, Any]
Json = Mapping[str, Any]
Faults = Mapping[str, Mapping[str, Any]]

REFUSED = "refuse"

STANDS: Mapping[str, str] = {
    "approve": "approved",
    "send_goods": "goods_returning",
    "receive": "received",
    "refund": "refunded",
    "close": "done",
    "cancel_after_sale": "cancelled",
}
"""Where an effect leaves a service; handled ones stand where HANDLED says."""

Effect = tuple[str, Entry]


def take(command: Json, order: Order | None, service: Service | None, faults: Faults) -> Effect:
    """The effect of a command, and what the ledger has of it."""
    return _DECISIONS[command["operation"]](command, order, service, faults)


def apply(applications: dict[str, Application], services: dict[str, Service], entry: Json) -> None:
    """Let an entry of the ledger be so."""
    match entry["effect"]:
        case "invoice":
            mark_id = entry["mark_id"]
            applications[mark_id] = Application(mark_id, entry["order_no"], entry["invoice"])
        case "invoice_issue":
            applications[entry["mark_id"]].state = "issued"
        case "after_sale":
            number = entry["service_no"]
            services[number] = Service(number, entry["order_no"], *(entry[each] for each in _KEPT))
        case effect:
            service = services[entry["service_no"]]
            service.state = HANDLED[service.kind] if effect == "handle" else STANDS[effect]


def issued(application: Application) -> Entry:
    """All invoices of an application."""
    return event("invoice.issued", {"mark_id": application.mark_id, "invoices": [application.invoice]})


def moved(service: Service, effect: str) -> Entry:
    """What is told of the next thing that is done about a service."""
    if effect == "refund":
        paid = {"amount": service.refund, "credit_note": f"CN-{service.service_no}"[:128]}
        return event("refund.made", _of(service.service_no) | paid)
    state = HANDLED[service.kind] if effect == "handle" else STANDS[effect]
    decided = {"audit": "approved"} if effect == "approve" else {}
    return event("aftersale.progress", {**_of(service.service_no), "state": state, **decided})


def _invoice(command: Json, order: Order | None, _: Service | None, faults: Faults) -> Effect:
    """The order stays as it is, so that the effect names none of its numbers. A wrong invoice is a cent too much."""
    asked = command["payload"]
    members = {"mark_id": asked["mark_id"]}
    if order is None or order.state == "cancelled" or "refuse" in faults:
        code_class = "no_such_order" if order is None else "conflict"
        return REFUSED, members | {"event": event("invoice.refused", {**members, "code_class": code_class}, code="NO")}
    amounts = {part: Decimal(asked["amounts"][part]) for part in PARTS}
    if "wrong_sum" in faults:
        amounts["gross"] += Decimal("0.01")
    number = {"number": f"F-{asked['mark_id']}"[:128], "issued_on": datetime.now(CHINA).date().isoformat()}
    invoice = {**number, **{part: f"{amount:f}" for part, amount in amounts.items()}}
    return "invoice", {**members, "invoice": invoice, "event": event("invoice.requested", dict(members))}


def _after_sale(command: Json, order: Order | None, _: Service | None, faults: Faults) -> Effect:
    asked = command["payload"]
    if order is None or order.state != "delivered" or "refuse" in faults:
        return _refusal(command, "no_such_order" if order is None else "not_offered")
    numbers = _of(asked["service_no"])
    members = {
        **numbers,
        "supplier_order_no": order.number,
        "lines": asked["lines"],
        "kind": asked["kind"],
        "refund": f"{_worth(asked['lines'], order):f}",
    }
    return "after_sale", members | {"event": event("aftersale.accepted", numbers)}


def _cancel_after_sale(command: Json, order: Order | None, service: Service | None, faults: Faults) -> Effect:
    """A service can be cancelled until money goes back or goods leave."""
    if order is None or service is None:
        return _refusal(command, "no_such_service")
    if "refuse" in faults or service.next in (None, "refund", "close"):
        return _refusal(command, "too_late")
    numbers = _of(service.service_no)
    members = {**numbers, "supplier_order_no": order.number}
    return "cancel_after_sale", members | {"event": event("aftersale.progress", {**numbers, "state": "cancelled"})}


def _refusal(command: Json, code_class: str) -> Effect:
    number = command["payload"]["service_no"]
    payload = {"operation": command["operation"], "service_no": number, "code_class": code_class}
    return REFUSED, {"service_no": number, "event": event("aftersale.refused", payload, code="NO")}


def _worth(lines: list[Json], order: Order) -> Decimal:
    """What goods of an order cost, with tax."""
    prices = {line["sku"]: Decimal(line["price"]["gross"]) for line in order.lines}
    return sum((prices.get(line["sku"], Decimal(0)) * Decimal(line["quantity"]) for line in lines), Decimal(0))


def _of(service_no: str) -> Entry:
    return {"service_no": service_no, "supplier_service_no": f"S-{service_no}"}


_KEPT = ("supplier_service_no", "kind", "refund")

_DECISIONS: Mapping[str, Callable[[Json, Order | None, Service | None, Faults], Effect]] = {
    "invoice.request": _invoice,
    "aftersale.request": _after_sale,
    "aftersale.cancel": _cancel_after_sale,
}

OPERATIONS = frozenset(_DECISIONS)
"""What serves an order that the vendor has."""

EFFECTS = frozenset(
    {"invoice", "invoice_issue", "after_sale", "cancel_after_sale"}
    | {step for steps in SERVICE_STEPS.values() for step in steps.values()}
)
"""Every effect of these, by the vendor or by a caller."""
