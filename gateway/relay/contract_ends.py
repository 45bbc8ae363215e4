"""What the mall core is told of commands about contracts: they were delivered, or ended or stopped before. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.relay.commands import Command, Origin
from gateway.relay.contract_news import ContractNews
from gateway.relay.orders import News
from gateway.relay.states import State
from schemas.contracts.commands import TEXTS, ContractOperation
from schemas.contracts.events import (
    ContractDelivered,
    ContractEvent,
    ContractExpired,
    ContractParked,
    ContractRefusalClass,
    ContractRefused,
    ContractWithdrawn,
    DeliveredCommand,
    ExpiredCommand,
    ParkedCommand,
    RefusedContract,
    Refuser,
    WithdrawnCommand,
)
from schemas.contracts.states import ContractFact
from schemas.orders import ParkedReason
from schemas.orders.events import Cause


def contract_delivered(command: Command, origin: Origin, now: datetime) -> News:
    """That the vendor has a command: what he has of the contract is its text alone."""
    operation = ContractOperation(command.operation)
    event = ContractDelivered(**_common(command, origin, now), payload=DeliveredCommand(operation=operation))
    return _news(command, origin, event, ContractFact.DELIVERED if operation in TEXTS else None)


def contract_end(command: Command, origin: Origin, now: datetime) -> News:
    """Of a command that ended without being delivered; an issue then leaves its order without a contract."""
    common, operation = _common(command, origin, now), ContractOperation(command.operation)
    if command.state is not State.EXPIRED:
        return _news(command, origin, ContractWithdrawn(**common, payload=WithdrawnCommand(operation=operation)), None)
    event = ContractExpired(**common, payload=ExpiredCommand(operation=operation, deadline=command.deadline))
    lapses = operation is ContractOperation.ISSUE and not command.attempt
    return _news(command, origin, event, ContractFact.LAPSE if lapses else None)


def contract_parked(command: Command, origin: Origin, reason: ParkedReason, now: datetime) -> News:
    """That a command waits for a person."""
    payload = ParkedCommand(operation=ContractOperation(command.operation), reason=reason)
    return _news(command, origin, ContractParked(**_common(command, origin, now), payload=payload), None)


def contract_not_done(command: Command, origin: Origin, now: datetime) -> News:
    """That a person found that a command took no effect."""
    operation = ContractOperation(command.operation)
    payload = RefusedContract(by=Refuser.GATEWAY, code_class=ContractRefusalClass.OPERATOR, operation=operation)
    return _news(command, origin, ContractRefused(**_common(command, origin, now), payload=payload), None)


def _news(command: Command, origin: Origin, event: ContractEvent, fact: ContractFact | None) -> News:
    contract = ContractNews(event.contract_no, fact, command.revision, event)
    return News(
        command.supplier, command.about, None, tenant=origin.tenant, traceparent=origin.traceparent, contract=contract
    )


def _common(command: Command, origin: Origin, now: datetime) -> dict[str, Any]:
    """The members that every event of a command has."""
    return {
        "contract_no": command.contract_no,
        "order_no": command.contract_of,
        "tenant": origin.tenant,
        "cause": Cause(command_id=command.command_id),
        "occurred_at": now,
        "supplier": command.supplier,
        "revision": command.revision,
    }
