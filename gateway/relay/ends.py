"""What the mall core is told of commands that ended without a word of the supplier, or that nobody can decide. Pure.

The one place that says so, for the relay and for mailboxes: a command that was never sent has the same end in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from gateway.deadletters import DeadLetter
from gateway.relay.after_sale_events import ended_event, waiting_event
from gateway.relay.commands import Command, Origin, Role
from gateway.relay.contract_ends import contract_end, contract_parked
from gateway.relay.orders import News
from gateway.relay.states import State
from gateway.sdk.errors import Issue
from schemas.orders import (
    AfterSaleCommand,
    AfterSaleRefusal,
    CancelAfterSale,
    CancelOrder,
    CancelScope,
    Operation,
    OrderCommand,
    OrderEvent,
    ParkedReason,
    Party,
    RefusalClass,
    RequestAfterSale,
    RequestInvoice,
    fact_of_event,
)
from schemas.orders.events import (
    Cause,
    InvoiceExpiredEvent,
    InvoiceParkedEvent,
    InvoiceRefusedEvent,
    OrderCancelled,
    OrderCancelRefused,
    OrderExpired,
    OrderParked,
    OrderRefused,
)
from schemas.orders.facts import SENT
from schemas.orders.payloads import (
    Cancelled,
    CancelRefused,
    Expired,
    InvoiceExpired,
    InvoiceParked,
    InvoiceRefused,
    Parked,
    Refused,
)

STAGE = "relay"
"""Stage of the dead letters of commands that nobody can decide."""


def ending_news(
    command: Command, origin: Origin, now: datetime, *, alone: bool, asked: OrderCommand | None = None
) -> Sequence[News]:
    """Of a command that ended without a call. A held one that was superseded was told of as it was held.

    alone: where its order stands is decided by it; else the supplier has, or may have, the order from another command.
    asked: what it says, None where that was not read.
    """
    if command.state is State.SUPERSEDED:
        return []
    if command.contract_no is not None:
        return [contract_end(command, origin, now)]
    event = _ending_event(command, origin.tenant, now, asked, alone=alone)
    news = _news(command, event, origin, decides=alone or command.attempt > 0)
    if command.attempt or not alone or (fact := SENT.get(Operation(command.operation))) is None:
        return [news]
    return [News(command.supplier, command.order_no, fact, tenant=origin.tenant), news]


def undecided_news(command: Command, origin: Origin, now: datetime, asked: OrderCommand | None = None) -> News:
    """Of a command that nobody can decide; it has not ended, and the event is not its last one. asked: as above."""
    if command.contract_no is not None:
        return contract_parked(command, origin, ParkedReason.GAVE_UP, now)
    return _news(command, parked_event(command, origin.tenant, ParkedReason.GAVE_UP, now, asked), origin, decides=True)


def parked_event(
    command: Command, tenant: str | None, reason: ParkedReason, now: datetime, asked: OrderCommand | None = None
) -> OrderEvent:
    """That a command waits for a person. asked: what it says, where that was read."""
    common = _common_members(command, tenant, now)
    match command.operation:
        case Operation.REQUEST_INVOICE:
            return InvoiceParkedEvent(**common, payload=InvoiceParked(mark_id=_mark_of(asked), reason=reason))
        case Operation.REQUEST_AFTER_SALE | Operation.CANCEL_AFTER_SALE:
            return waiting_event(command, _of_service(asked), common, reason)
        case _:
            return OrderParked(**common, payload=Parked(operation=Operation(command.operation), reason=reason))


def undecided_letter(command: Command) -> DeadLetter:
    """The dead letter of it. Only what names the command: the rest may name people."""
    named = {
        "command_id": command.command_id,
        "supplier": command.supplier,
        "order_no": command.about,
        "operation": command.operation,
    }
    return DeadLetter(
        stage=STAGE,
        issues=(Issue("command_undecided", "", command.reason, "somebody who finds out whether it took effect"),),
        original=orjson.dumps(named),
        supplier=command.supplier,
        key=f"{command.command_id}|{command.attempt}".encode(),  # one that dies again later is another letter
    )


def not_cancelled(command: CancelOrder, by: Party, code_class: RefusalClass) -> CancelRefused:
    """That a cancel had no effect."""
    scope = command.payload
    return CancelRefused(scope=scope.scope, children=scope.children, by=by, code_class=code_class)


def _news(command: Command, event: OrderEvent, origin: Origin, *, decides: bool) -> News:
    fact = fact_of_event(event) if decides else None
    return News(command.supplier, command.order_no, fact, event, origin.tenant, traceparent=origin.traceparent)


def _ending_event(
    command: Command, tenant: str | None, now: datetime, asked: OrderCommand | None, *, alone: bool
) -> OrderEvent:
    common = _common_members(command, tenant, now)
    match command.operation:
        case Operation.REQUEST_INVOICE:
            return _ending_of_application(command, common, asked)
        case Operation.REQUEST_AFTER_SALE | Operation.CANCEL_AFTER_SALE:
            return _ending_of_service(command, common, asked)
        case _:
            return _ending_of_order(command, common, asked, alone=alone)


def _ending_of_order(
    command: Command, common: dict[str, Any], asked: OrderCommand | None, *, alone: bool
) -> OrderEvent:
    """A cancel that came too late is refused by time-out: the answer to a cancel says whether the order is cancelled,
    and of what. Of one that cannot be read only its deadline is known. What a cancel overtook is refused where that
    cancel has yet to be answered: the supplier may have the order.
    """
    if command.state is State.REFUSED:
        return _refused(command, common, asked, RefusalClass.NO_SUCH_ORDER)
    if command.state is not State.EXPIRED:
        if not alone and command.role is not Role.CANCELS:
            return _refused(command, common, asked, RefusalClass.CONFLICT)
        return OrderCancelled(**common, payload=Cancelled(scope=CancelScope.ORDER, by=Party.MALL))
    if isinstance(asked, CancelOrder):
        return OrderCancelRefused(**common, payload=not_cancelled(asked, Party.TIME_OUT, RefusalClass.TOO_LATE))
    deadline = command.deadline if asked is None else asked.deadline
    return OrderExpired(**common, payload=Expired(operation=Operation(command.operation), deadline=deadline))


def _ending_of_application(command: Command, common: dict[str, Any], asked: OrderCommand | None) -> OrderEvent:
    """Its time is over; or its order is not there, or was taken back before anything of it was sent."""
    mark_id = _mark_of(asked)
    if command.state is State.EXPIRED:
        deadline = command.deadline if asked is None else asked.deadline
        return InvoiceExpiredEvent(**common, payload=InvoiceExpired(mark_id=mark_id, deadline=deadline))
    refused = InvoiceRefused(mark_id=mark_id, code_class=RefusalClass.NO_SUCH_ORDER)
    return InvoiceRefusedEvent(**common, payload=refused)


def _mark_of(asked: OrderCommand | None) -> str | None:
    return asked.payload.mark_id if isinstance(asked, RequestInvoice) else None


def _ending_of_service(command: Command, common: dict[str, Any], asked: OrderCommand | None) -> OrderEvent:
    """A command about a service that its order's cancel overtook, whose time is over, or that was refused unsent."""
    match command.state:
        case State.EXPIRED:
            code_class, by = AfterSaleRefusal.TOO_LATE, Party.TIME_OUT
        case State.REFUSED if command.reason in list(AfterSaleRefusal):
            code_class, by = AfterSaleRefusal(command.reason), Party.MALL
        case _:
            code_class, by = AfterSaleRefusal.ORDER_OVER, Party.MALL
    return ended_event(command, _of_service(asked), common, code_class, by)


def _of_service(asked: OrderCommand | None) -> AfterSaleCommand | None:
    return asked if isinstance(asked, RequestAfterSale | CancelAfterSale) else None


def _refused(
    command: Command, common: dict[str, Any], asked: OrderCommand | None, code_class: RefusalClass
) -> OrderEvent:
    if isinstance(asked, CancelOrder):
        return OrderCancelRefused(**common, payload=not_cancelled(asked, Party.MALL, code_class))
    refused = Refused(operation=Operation(command.operation), code_class=code_class)
    return OrderRefused(**common, payload=refused)


def _common_members(command: Command, tenant: str | None, now: datetime) -> dict[str, Any]:
    """The members that every event of a command has."""
    return {
        "order_no": command.order_no,
        "tenant": tenant,
        "cause": Cause(command_id=command.command_id),
        "occurred_at": now,
        "supplier": command.supplier,
    }
