"""What the mall core is told of commands that ended without a word of the supplier, or that nobody can decide. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.deadletters import DeadLetter
from gateway.relay.commands import Command
from gateway.relay.orders import News
from gateway.relay.states import State
from gateway.sdk.errors import Issue
from schemas.orders import CancelScope, Fact, Operation, OrderEvent, ParkedReason, Party, fact_of_event
from schemas.orders.events import Cause, OrderCancelled, OrderExpired, OrderParked
from schemas.orders.payloads import Cancelled, Expired, Parked

STAGE = "relay"
"""Stage of the dead letters of commands that nobody can decide."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What events about a command repeat of it."""

    tenant: str | None
    traceparent: str | None


def ending_news(command: Command, origin: Origin, now: datetime, ordered: bool) -> Sequence[News]:
    """Of a command that ended unsent. ordered: the supplier has the order from an earlier command, which stands."""
    event = _ending_event(command, origin.tenant, now)
    told = _news(command, None if ordered else fact_of_event(event), event, origin)
    if ordered or command.operation != Operation.SUBMIT:
        return [told]
    return [News(command.supplier, command.order_no, Fact.SUBMIT, tenant=origin.tenant), told]


def undecided_news(command: Command, origin: Origin, now: datetime) -> News:
    """Of a command that nobody can decide; it has not ended, and the event is not its last one."""
    event = OrderParked(
        order_no=command.order_no,
        tenant=origin.tenant,
        cause=Cause(command_id=command.command_id),
        occurred_at=now,
        supplier=command.supplier,
        payload=Parked(operation=Operation(command.operation), reason=ParkedReason.GAVE_UP),
    )
    return _news(command, fact_of_event(event), event, origin)


def undecided_letter(command: Command) -> DeadLetter:
    """The dead letter of it. Only what names the command: the rest may name people."""
    named = {
        "command_id": command.command_id,
        "supplier": command.supplier,
        "order_no": command.order_no,
        "operation": command.operation,
    }
    return DeadLetter(
        stage=STAGE,
        issues=(Issue("command_undecided", "", command.reason, "somebody who finds out whether it took effect"),),
        original=orjson.dumps(named),
        supplier=command.supplier,
        key=f"{command.command_id}|{command.attempt}".encode(),  # one that dies again later is another letter
    )


def _news(command: Command, fact: Fact | None, event: OrderEvent, origin: Origin) -> News:
    return News(command.supplier, command.order_no, fact, event, origin.tenant, traceparent=origin.traceparent)


def _ending_event(command: Command, tenant: str | None, now: datetime) -> OrderExpired | OrderCancelled:
    cause = Cause(command_id=command.command_id)
    if command.state is State.EXPIRED:
        return OrderExpired(
            order_no=command.order_no,
            tenant=tenant,
            cause=cause,
            occurred_at=now,
            supplier=command.supplier,
            payload=Expired(operation=Operation(command.operation), deadline=command.deadline),
        )
    return OrderCancelled(
        order_no=command.order_no,
        tenant=tenant,
        cause=cause,
        occurred_at=now,
        supplier=command.supplier,
        payload=Cancelled(scope=CancelScope.ORDER, by=Party.MALL),
    )
