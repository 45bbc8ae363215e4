"""Which fact of an order's life a command or an event is."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.orders.commands import CancelScope, Operation, OrderCommand
from schemas.orders.events import (
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderParked,
    OrderRefused,
    OrderUnsupported,
)
from schemas.orders.kinds import Kind
from schemas.orders.payloads import ParkedReason, Party
from schemas.orders.states import OrderFact

SENT: Mapping[Operation, OrderFact] = {
    Operation.SUBMIT: OrderFact.SUBMIT,
    Operation.CONFIRM: OrderFact.CONFIRM,
    Operation.CANCEL: OrderFact.CANCEL,
}

_ALWAYS: Mapping[Kind, OrderFact] = {
    Kind.ACCEPTED: OrderFact.ACCEPTED,
    Kind.CONFIRMED: OrderFact.CONFIRMED,
    Kind.PARTIALLY_CONFIRMED: OrderFact.PARTIALLY_CONFIRMED,
    Kind.SPLIT: OrderFact.SPLIT,
    Kind.PRICE_MISMATCH: OrderFact.PRICE_MISMATCH,
    Kind.CANCEL_REFUSED: OrderFact.CANCEL_FAILED,
    Kind.SHIPPED: OrderFact.SHIPPED,
    Kind.DELIVERED: OrderFact.DELIVERED,
    Kind.REJECTED: OrderFact.REJECTED,
}

_REFUSED: Mapping[str, OrderFact] = {
    Operation.SUBMIT: OrderFact.SUBMIT_REFUSED,
    Operation.CONFIRM: OrderFact.CONFIRM_FAILED,
    Operation.CANCEL: OrderFact.CANCEL_FAILED,
}


def fact_of_command(command: OrderCommand) -> OrderFact | None:
    """The fact that a command is sent; None: it leaves the order as it is."""
    return SENT.get(Operation(command.operation))


def fact_of_event(event: OrderEvent) -> OrderFact | None:
    """What an event means for the order, or child, that it is about; None: it moves nothing.

    A delivery that is told with its lines may be one of several: then the caller says `PARTLY_DELIVERED` instead. Some
    children cancelled move those; where a command asked for it, the order has no cancel under way any more.
    """
    match event:
        case OrderRefused(payload=payload):
            return _REFUSED[payload.operation]
        case OrderExpired(payload=payload):
            return OrderFact.SUBMIT_EXPIRED if payload.operation is Operation.SUBMIT else _REFUSED[payload.operation]
        case OrderUnsupported(payload=payload):
            return _REFUSED.get(payload.operation or "")
        case OrderParked() | OrderCancelled():
            return _not_always(event)
        case _:
            return _ALWAYS.get(Kind(event.event))


def _not_always(event: OrderParked | OrderCancelled) -> OrderFact | None:
    if isinstance(event, OrderParked):
        sent = event.payload.reason is not ParkedReason.PREDECESSOR
        return OrderFact.OUTCOME_UNKNOWN if sent and event.payload.operation is Operation.SUBMIT else None
    if event.payload.scope is CancelScope.CHILDREN:
        return None if event.cause.command_id is None else OrderFact.CHILDREN_CANCELLED
    return OrderFact.LAPSED if event.payload.by is Party.TIME_OUT else OrderFact.CANCELLED
