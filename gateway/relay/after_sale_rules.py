"""What must hold before a command about an after-sale service reaches a supplier, as far as the gateway knows. Pure.

A supplier that knows more refuses by itself. What the gateway does not know is not held against the mall: of a delivery
whose quantities were never told, as many units are taken back as were ordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gateway.relay.goods import Quantities
from schemas.orders import (
    AfterSaleCommand,
    AfterSaleRefusal,
    OrderStatus,
    RequestAfterSale,
    ServiceKind,
    ServiceState,
    State,
)
from schemas.orders.aftersales import ENDED, ServiceLine
from schemas.orders.states import TERMINAL, UNCONFIRMED

UNSUCCESSFUL = frozenset({ServiceState.REFUSED, ServiceState.CANCELLED})
"""Services that take no goods."""


@dataclass(frozen=True, slots=True)
class StoredService:
    """A service of the order. command_id: of its request; child: "" of an order that was not split."""

    service_no: str
    command_id: str
    child: str
    lines: Quantities
    state: ServiceState
    kind: ServiceKind = ServiceKind.RETURN


@dataclass(frozen=True, slots=True)
class Delivery:
    """Goods that arrived. lines: empty for all that the child, or the order, holds."""

    child: str
    lines: Quantities


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The known state of an order when a service of it is asked for.

    ordered: less what the supplier cut, whatever he says that children hold; None where the order cannot be read;
    children: those that there are now, with what each is said to hold, {} where it was not told; root: the supplier's
    number of the whole order.
    """

    status: OrderStatus
    ordered: Quantities | None = None
    root: str | None = None
    children: Mapping[str, Quantities] = field(default_factory=dict)
    deliveries: Sequence[Delivery] = ()
    services: Sequence[StoredService] = ()


def refusal_of(command: AfterSaleCommand, known: OrderFacts) -> AfterSaleRefusal | None:
    """Why a command is refused before anything is sent; None: nothing that is known stands against it."""
    if isinstance(command, RequestAfterSale):
        return _of_request(command, known)
    service = next((each for each in known.services if each.service_no == command.payload.service_no), None)
    if service is None:
        return AfterSaleRefusal.NO_SUCH_SERVICE
    if _child(command.payload.supplier_order_no, known) != _child(service.child, known):
        return AfterSaleRefusal.NOT_OF_ORDER
    return AfterSaleRefusal.TOO_LATE if service.state in ENDED else None


def _of_request(command: RequestAfterSale, known: OrderFacts) -> AfterSaleRefusal | None:
    wanted = command.payload
    if any(each.service_no == wanted.service_no and each.command_id != command.command_id for each in known.services):
        return AfterSaleRefusal.NUMBER_USED
    if (refusal := _of_order(known.status)) is not None:
        return refusal
    child = _child(wanted.supplier_order_no, known)
    if (child != "") != bool(known.children) or (child and child not in known.children):
        return AfterSaleRefusal.NOT_OF_ORDER
    delivered = _delivered(child, known)
    if delivered is None:
        return AfterSaleRefusal.NOT_DELIVERED
    earlier = [each for each in known.services if _takes(each, command)]
    of_child = _with(wanted.lines, (each.lines for each in earlier if _child(each.child, known) == child))
    of_order = _with(wanted.lines, (each.lines for each in earlier))
    if any(of_child[line.sku] > delivered.get(line.sku, Decimal(0)) for line in wanted.lines):
        return AfterSaleRefusal.QUANTITY
    ordered = known.ordered or {}
    beyond = any(line.sku in ordered and of_order[line.sku] > ordered[line.sku] for line in wanted.lines)
    return AfterSaleRefusal.QUANTITY if beyond else None


def _child(number: str | None, known: OrderFacts) -> str:
    """The child that a number names; "" of an order that was not split."""
    return "" if number is None or (number == known.root and not known.children) else number


def _of_order(status: OrderStatus) -> AfterSaleRefusal | None:
    """A cancel under way leaves the order where it stood."""
    state = status.before if status.state is State.CANCEL_PENDING and status.before else status.state
    if state in TERMINAL:
        return AfterSaleRefusal.ORDER_OVER
    return AfterSaleRefusal.NOT_CONFIRMED if state in UNCONFIRMED else None


def _takes(service: StoredService, command: RequestAfterSale) -> bool:
    """Whether another service has goods of the order; those that were repaired came back."""
    is_back = service.kind is ServiceKind.REPAIR and service.state is ServiceState.DONE
    return service.command_id != command.command_id and service.state not in UNSUCCESSFUL and not is_back


def _with(wanted: Iterable[ServiceLine], earlier: Iterable[Quantities]) -> Mapping[str, Decimal]:
    """What is wanted and what went before, by sku."""
    return _sum([*earlier, {line.sku: line.quantity for line in wanted}])


def _delivered(child: str, known: OrderFacts) -> Quantities | None:
    """What arrived of a child, or of the order; None: nothing did."""
    arrived = [each for each in known.deliveries if each.child == child]
    if not arrived:
        return None
    stated = _sum(each.lines for each in arrived)
    held = known.children.get(child) or known.ordered
    if held is None:
        return stated
    if any(not each.lines for each in arrived):
        return held
    return {sku: min(quantity, held.get(sku, quantity)) for sku, quantity in stated.items()}


def _sum(lines: Iterable[Quantities]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for each in lines:
        for sku, quantity in each.items():
            total[sku] = total.get(sku, Decimal(0)) + quantity
    return total
