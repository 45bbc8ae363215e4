"""What the mall core is told of a command that a person resolved."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.relay.commands import Command
from gateway.relay.orders import News
from gateway.relay.states import State
from schemas.orders import (
    EVENTS,
    CancelOrder,
    Kind,
    Operation,
    OrderCommand,
    Party,
    RefusalClass,
    SubmitMode,
    SubmitOrder,
    fact_of_event,
)
from schemas.orders.events import Cause


def resolved_news(command: OrderCommand, facts: Command) -> News:
    """The news of a command that a person's word has ended. facts: of it, confirmed or refused."""
    kind, payload = _done(command) if facts.state is State.CONFIRMED else _not_done(command)
    event = EVENTS[kind].model_validate(
        {
            "order_no": command.order_no,
            "tenant": command.tenant,
            "supplier": command.supplier,
            "cause": Cause(command_id=command.command_id),
            "occurred_at": datetime.now(UTC),
            "payload": payload,
        }
    )
    return News(command.supplier, command.order_no, fact_of_event(event), event, command.tenant)


def _done(command: OrderCommand) -> tuple[Kind, dict[str, object]]:
    if isinstance(command, CancelOrder):
        scope = {"scope": command.payload.scope, "children": command.payload.children}
        return Kind.CANCELLED, {**scope, "by": Party.MALL}
    reserved = isinstance(command, SubmitOrder) and command.payload.mode is SubmitMode.RESERVE
    return (Kind.ACCEPTED if reserved else Kind.CONFIRMED), {}


def _not_done(command: OrderCommand) -> tuple[Kind, dict[str, object]]:
    if isinstance(command, CancelOrder):
        scope = {"scope": command.payload.scope, "children": command.payload.children}
        return Kind.CANCEL_REFUSED, {**scope, "by": Party.MALL, "code_class": RefusalClass.OPERATOR}
    return Kind.REFUSED, {"operation": Operation(command.operation), "code_class": RefusalClass.OPERATOR}
