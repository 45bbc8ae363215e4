"""Records of the commands topic as the inbox takes them: what each is, and what has to be told of it. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.deadletters import DeadLetter
from gateway.kafka import CONTRACT_COMMANDS, CONTRACT_EVENTS, ORDER_EVENTS, Record
from gateway.outbox import OutboxMessage
from gateway.relay.commands import Command, Role, first_facts, lane_of
from gateway.relay.states import State
from gateway.sdk.commands import (
    RefusalReason,
    RefusedCommand,
    read_command,
    read_contract_command,
    terminal_event,
)
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import MAX_RECORD, members
from schemas import contracts
from schemas.contracts import (
    ContractCommand,
    ContractEvent,
    ContractOperation,
    contract_event_headers,
    contract_event_id,
    contract_key,
)
from schemas.contracts.events import ContractUnsupported, UnsupportedCommand
from schemas.envelope import TRACEPARENT
from schemas.orders import (
    COMMANDS,
    CancelOrder,
    CancelScope,
    Operation,
    OrderCommand,
    OrderEvent,
    RefusalClass,
    RequestInvoice,
    UnsupportedReason,
    event_headers,
    event_id,
    order_key,
)
from schemas.orders.events import Cause, InvoiceRefusedEvent, OrderUnsupported
from schemas.orders.payloads import InvoiceRefused, Unsupported
from schemas.personal import masked

STAGE = "commands"
"""Stage of the dead letters of what is no command. The core writes it again, or an operator gives it as a patch."""

ROLES: Mapping[str, Role] = {
    Operation.SUBMIT: Role.MAKES,
    Operation.CONFIRM: Role.CHANGES,
    Operation.CANCEL: Role.CANCELS,
    ContractOperation.ISSUE: Role.MAKES,
    ContractOperation.AMEND: Role.CHANGES,
    ContractOperation.TERMINATE: Role.CANCELS,
    ContractOperation.ANNOUNCED: Role.CHANGES,
    ContractOperation.FILED: Role.CHANGES,
    Operation.REQUEST_INVOICE: Role.SERVES,
    Operation.REQUEST_AFTER_SALE: Role.SERVES,
    Operation.CANCEL_AFTER_SALE: Role.SERVES,
}
"""What each operation is to its order or contract; a cancel may be of children alone."""


EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No record was written before; clients that have no clock write 0 or -1."""

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Received:
    """A record that names a command.

    order_no: of the order that it is about, or is about the contract of; contract_no: of the contract. content: digest
    of what it says; value: the command as JSON; scope: of a cancel; event: what ends it at once, where it is no use;
    asked: what it says, of a contract; application: the same, for invoices.
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
    event: OrderEvent | ContractEvent | None = None
    contract_no: str | None = None
    asked: ContractCommand | None = None
    application: RequestInvoice | None = None

    @property
    def lane(self) -> str:
        """Of its order, or its contract."""
        return lane_of(self.order_no, self.contract_no)

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


def read_record(record: Record) -> OrderCommand | ContractCommand | RefusedCommand:
    """The command that a record is, by its topic. Total."""
    read = read_contract_command if record.topic == CONTRACT_COMMANDS else read_command
    return read(record.key, record.headers, record.value)


def received(
    record: Record,
    came: OrderCommand | ContractCommand | RefusedCommand,
    offered: Collection[str] | None,
    *,
    now: datetime,
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


def event_message(event: OrderEvent | ContractEvent, traceparent: str | None) -> OutboxMessage:
    """An event as it is published."""
    value = event.model_dump_json().encode()
    if isinstance(event, ContractEvent):
        headers = contract_event_headers(event, traceparent=traceparent)
        return OutboxMessage(CONTRACT_EVENTS, contract_key(event.contract_no), value, headers)
    return OutboxMessage(ORDER_EVENTS, order_key(event.order_no), value, event_headers(event, traceparent=traceparent))


def id_of(event: OrderEvent | ContractEvent) -> str:
    """The `ce_id` of an event."""
    return contract_event_id(event) if isinstance(event, ContractEvent) else event_id(event)


def _refused(record: Record, came: RefusedCommand, at: datetime) -> Received | DeadLetter:
    event = terminal_event(came, at=at)
    if event is None or came.command_id is None:
        return _letter(record, (Issue(_code_of(came), actual=came.reason.value), *came.issues))
    value = record.value or b""
    return Received(
        record=record,
        command_id=came.command_id,
        supplier=came.supplier or "",
        order_no=came.order_no or "",
        contract_no=came.contract_no,
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


def _command(
    record: Record, came: OrderCommand | ContractCommand, offered: Collection[str] | None, at: datetime
) -> Received:
    value = came.model_dump_json().encode()
    content = hashlib.sha256(_normalised(record.value or b""))
    scope = came.payload.scope if isinstance(came, CancelOrder) else None
    of_contract = came if isinstance(came, ContractCommand) else None
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
        contract_no=of_contract.contract_no if of_contract else None,
        asked=of_contract,
        reason=facts.reason,
        event=_unsupported(came, known=offered is not None, at=at) if facts.state is State.UNSUPPORTED else None,
        application=came if isinstance(came, RequestInvoice) and facts.state is State.WAITING else None,
    )


MARK_REUSED = "mark_id_reused"
"""Why an application is refused whose number was another's before."""


def mark_reused(received: Received, asked: RequestInvoice, at: datetime) -> Received:
    """An application that ends at once: its number was that of another one before."""
    refused = InvoiceRefusedEvent(
        order_no=asked.order_no,
        tenant=asked.tenant,
        cause=Cause(command_id=asked.command_id),
        occurred_at=at,
        supplier=asked.supplier,
        raw_code=MARK_REUSED,
        payload=InvoiceRefused(mark_id=asked.payload.mark_id, code_class=RefusalClass.CONFLICT),
    )
    return replace(received, state=State.REFUSED, reason=MARK_REUSED, event=refused, application=None)


def _normalised(value: bytes) -> bytes:
    """The value without what makes no other command: white space, the order of members, those that are null.

    As the core wrote it, not as these models do: a later release that knows a member more reads the same command.
    """
    return orjson.dumps(_comparable(members(value)), option=orjson.OPT_SORT_KEYS)


def _comparable(content: Any) -> Any:
    """Without members that are null; numbers by their digits, as texts that no text of a message can be."""
    if isinstance(content, dict):
        return {name: _comparable(value) for name, value in content.items() if value is not None}
    if isinstance(content, list):
        return [_comparable(each) for each in content]
    return content if content is None or isinstance(content, (str, bool)) else f"\0{content}"


def _unsupported(
    command: OrderCommand | ContractCommand, *, known: bool, at: datetime
) -> OrderUnsupported | ContractUnsupported:
    reason = UnsupportedReason.UNKNOWN_OPERATION if known else UnsupportedReason.UNKNOWN_SUPPLIER
    common: dict[str, Any] = {
        "order_no": command.order_no,
        "tenant": command.tenant,
        "cause": Cause(command_id=command.command_id),
        "occurred_at": at,
        "supplier": command.supplier,
    }
    if isinstance(command, ContractCommand):
        nothing = UnsupportedCommand(reason=reason, operation=command.operation)
        return ContractUnsupported(**common, contract_no=command.contract_no, payload=nothing)
    return OrderUnsupported(**common, payload=Unsupported(reason=reason, operation=command.operation))


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
        content = members(value)
        shown = masked(content, (*COMMANDS.values(), *contracts.COMMANDS.values()))
        return value if shown == content else orjson.dumps(shown)
    except (InvalidMessageError, TypeError):  # no object, or one that is nested too deeply to be written
        return _digest(value)


def _digest(value: bytes) -> bytes:
    return orjson.dumps({"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()})
