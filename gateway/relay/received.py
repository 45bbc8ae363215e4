"""Records of the commands topic as the inbox takes them: what each is, and what has to be told of it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.deadletters import DeadLetter
from gateway.kafka import ORDER_EVENTS, Record
from gateway.outbox import OutboxMessage
from gateway.relay.commands import Command, Role, first_facts
from gateway.relay.states import State
from gateway.sdk.commands import RefusalReason, RefusedCommand, terminal_event
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import MAX_RECORD, members
from schemas.envelope import TRACEPARENT
from schemas.orders import (
    COMMANDS,
    CancelOrder,
    CancelScope,
    Operation,
    OrderCommand,
    OrderEvent,
    UnsupportedReason,
    event_headers,
    order_key,
)
from schemas.orders.events import Cause, OrderUnsupported
from schemas.orders.payloads import Unsupported
from schemas.personal import masked

STAGE = "commands"
"""Stage of the dead letters of what is no command. The core writes it again, or an operator gives it as a patch."""

ROLES: Mapping[str, Role] = {
    Operation.SUBMIT: Role.MAKES,
    Operation.CONFIRM: Role.CHANGES,
    Operation.CANCEL: Role.CANCELS,
    Operation.REQUEST_AFTER_SALE: Role.SERVES,
    Operation.CANCEL_AFTER_SALE: Role.SERVES,
}
"""What each operation is to its order; a cancel may be of children alone."""


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No record was written before; clients that have no clock write 0 or -1."""

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Received:
    """A record that names a command.

    content: digest of what it says; value: the command as JSON; scope: of a cancel; event: what ends it at once, where
    it is no use.
    """

    record: Record
    command_id: str
    supplier: str
    order_no: str
    tenant: str | None
    operation: str
    revision: int
    content: bytes
    value: bytes
    deadline: datetime | None
    state: State
    scope: CancelScope | None = None
    reason: str = ""
    event: OrderEvent | None = None

    @property
    def traceparent(self) -> str | None:
        """The trace of whoever wrote the record, where it is one."""
        found = next((value for name, value in self.record.headers if name == TRACEPARENT), b"")
        return found.decode() if _TRACEPARENT.fullmatch(found) else None


def role_of(operation: str, scope: str | None) -> Role:
    """What a command is to its order. An operation that is none of ours makes and cancels nothing."""
    if operation == Operation.CANCEL and scope == CancelScope.CHILDREN:
        return Role.CANCELS_CHILDREN
    return ROLES.get(operation, Role.CHANGES)


def received(
    record: Record, came: OrderCommand | RefusedCommand, offered: Collection[str] | None, *, now: datetime
) -> Received | DeadLetter:
    """What a record is: a command, or a dead letter where nobody can be told. Total.

    came: what was read of it; offered: the operations that its supplier is offered, None: there is no such supplier.
    """
    at = written_at(record, now)
    return _refused(record, came, at) if isinstance(came, RefusedCommand) else _command(record, came, offered, at)


def written_at(record: Record, now: datetime) -> datetime:
    """When the record was written, by the clock of whoever wrote it; now where that is no time, or yet to come."""
    try:
        written = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return now
    return written if EARLIEST <= written < now else now


def conflict(record: Record, command_id: str) -> DeadLetter:
    """The letter of a record whose id was used for another command before."""
    actual = f"{command_id}, which was another command before"
    return _letter(record, (Issue("command_conflict", "/command_id", actual, "an id of its own"),))


def event_message(event: OrderEvent, traceparent: str | None) -> OutboxMessage:
    """An event as it is published."""
    value = event.model_dump_json().encode()
    return OutboxMessage(ORDER_EVENTS, order_key(event.order_no), value, event_headers(event, traceparent=traceparent))


def _refused(record: Record, came: RefusedCommand, at: datetime) -> Received | DeadLetter:
    event = terminal_event(came, at=at)
    if event is None or came.command_id is None or came.order_no is None:
        return _letter(record, (Issue(_code_of(came), actual=came.reason.value), *came.issues))
    value = record.value or b""
    return Received(
        record=record,
        command_id=came.command_id,
        supplier=came.supplier or "",
        order_no=came.order_no,
        tenant=came.tenant,
        operation=came.operation or "",
        revision=0,
        content=hashlib.sha256(value).digest(),
        value=value,
        deadline=None,
        state=State.UNSUPPORTED,
        reason=came.reason,
        event=event,
    )


def _code_of(came: RefusedCommand) -> str:
    """What a record is whose writer cannot be told. Its group is of one reason; what is wrong where comes behind it."""
    return "unknown_schema" if came.reason is RefusalReason.UNKNOWN_SCHEMA_VERSION else "poison_pill"


def _command(record: Record, came: OrderCommand, offered: Collection[str] | None, at: datetime) -> Received:
    value = came.model_dump_json().encode()
    content = hashlib.sha256(_as_said(record.value or b""))
    scope = came.payload.scope if isinstance(came, CancelOrder) else None
    facts = first_facts(
        Command(
            command_id=came.command_id,
            supplier=came.supplier,
            order_no=came.order_no,
            operation=came.operation,
            role=role_of(came.operation, scope),
            place=record.offset,
            content=content.hexdigest(),
            deadline=came.deadline,
            due_at=at,
            revision=came.revision,
        ),
        offered or (),
    )
    return Received(
        record=record,
        command_id=came.command_id,
        supplier=came.supplier,
        order_no=came.order_no,
        tenant=came.tenant,
        operation=came.operation,
        revision=came.revision,
        content=content.digest(),
        value=value,
        deadline=came.deadline,
        state=facts.state,
        scope=scope,
        reason=facts.reason,
        event=_unsupported(came, known=offered is not None, at=at) if facts.state is State.UNSUPPORTED else None,
    )


def _as_said(value: bytes) -> bytes:
    """The value without what makes no other command: white space, the order of members, those that are null.

    As the core wrote it, not as these models do: a later release that knows a member more reads the same command.
    """
    return orjson.dumps(_comparable(members(value)), option=orjson.OPT_SORT_KEYS)


def _comparable(said: Any) -> Any:
    """Without members that are null; numbers by their digits, as texts that no text of a message can be."""
    if isinstance(said, dict):
        return {name: _comparable(value) for name, value in said.items() if value is not None}
    if isinstance(said, list):
        return [_comparable(each) for each in said]
    return said if said is None or isinstance(said, (str, bool)) else f"\0{said}"


def _unsupported(command: OrderCommand, *, known: bool, at: datetime) -> OrderUnsupported:
    reason = UnsupportedReason.UNKNOWN_OPERATION if known else UnsupportedReason.UNKNOWN_SUPPLIER
    return OrderUnsupported(
        order_no=command.order_no,
        tenant=command.tenant,
        cause=Cause(command_id=command.command_id),
        occurred_at=at,
        supplier=command.supplier,
        payload=Unsupported(reason=reason, operation=command.operation),
    )


def _letter(record: Record, issues: tuple[Issue, ...]) -> DeadLetter:
    return DeadLetter(
        stage=STAGE,
        issues=issues,
        original=without_people(record.value or b""),
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        headers=record.headers,
    )


def without_people(value: bytes) -> bytes:
    """The value with everything masked that a command may tell of people; of one that cannot be searched, or is larger
    than any command, the digest.
    """
    if len(value) > MAX_RECORD:  # neither this process nor the topic of dead letters has room for it
        return _digest(value)
    try:
        said = members(value)
        shown = masked(said, COMMANDS.values())
        return value if shown == said else orjson.dumps(shown)
    except (InvalidMessageError, TypeError):  # no object, or one that is nested too deeply to be written
        return _digest(value)


def _digest(value: bytes) -> bytes:
    return orjson.dumps({"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()})
