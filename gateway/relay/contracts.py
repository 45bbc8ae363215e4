"""Contracts at suppliers as they are kept, and commands about them, judged as they are taken."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from gateway.relay import contract_queries as queries
from gateway.relay.contract_rules import Accepted, Contract, RefusedAtOnce, RepeatedAtOnce, Ruling, rule
from gateway.relay.received import Received
from gateway.relay.states import State as CommandState
from gateway.store import Connection, Row
from schemas.contracts.commands import ContractCommand, ContractOperation
from schemas.contracts.events import (
    ContractEvent,
    ContractRefused,
    ContractRepeated,
    RefusedContract,
    Refuser,
    RepeatedIssue,
)
from schemas.contracts.states import STANDING, AnswerState, ContractState, ContractStatus, ReceiptState
from schemas.orders import State as OrderState
from schemas.orders.events import Cause

Key: TypeAlias = tuple[str, str]
"""A supplier and a number: of a contract, or of an order."""


@dataclass(slots=True)
class _LoadedContracts:
    """The known state of the contracts that a batch speaks of, and of their orders, as the batch goes on."""

    orders: Mapping[Key, OrderState]
    contracts: MutableMapping[Key, Contract]
    standing: MutableMapping[Key, str]

    def judge(self, asked: ContractCommand) -> Ruling:
        key, of_order = (asked.supplier, asked.contract_no), (asked.supplier, asked.order_no)
        ruling = rule(asked, self.contracts.get(key), self.orders.get(of_order), self.standing.get(of_order))
        if isinstance(ruling, Accepted):
            self.contracts[key] = ruling.contract
            if ruling.contract.status.state in STANDING:
                self.standing[of_order] = asked.contract_no
            elif self.standing.get(of_order) == asked.contract_no:
                del self.standing[of_order]
        return ruling


async def judge_commands(connection: Connection, new: Sequence[Received], at: datetime) -> Sequence[Received]:
    """Judge commands about contracts that were just kept; those that come to nothing have their event and are ended."""
    asked = [each.asked for each in new if each.asked is not None and each.event is None]
    if not asked:
        return new
    known = await _load_contracts(connection, asked)
    before = dict(known.contracts)
    judged = [_judged(each, known, at) for each in new]
    await keep(connection, [each for key, each in known.contracts.items() if before.get(key) != each])
    ended = [after for was, after in zip(new, judged, strict=True) if after is not was]
    rows = [(each.command_id, each.state.value, each.reason) for each in ended]
    if rows:
        await connection.execute(queries.END_AT_ONCE, *zip(*rows, strict=True))
    return judged


async def lock_contracts(connection: Connection, keys: Iterable[Key]) -> dict[Key, Contract]:
    """The contracts of these keys that there are, locked."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await connection.fetch(queries.LOCK, *zip(*wanted, strict=True))
    return {(row["supplier"], row["contract_no"]): _contract(row) for row in rows}


async def keep(connection: Connection, contracts: Collection[Contract]) -> None:
    """Keep contracts as they are now, those that are over first: another one of their order may be among the rest."""
    if contracts:
        ordered = sorted(contracts, key=lambda each: (each.status.state in STANDING, each.supplier, each.contract_no))
        await connection.execute(queries.KEEP, *zip(*map(_row, ordered), strict=True))


async def _load_contracts(connection: Connection, asked: Sequence[ContractCommand]) -> _LoadedContracts:
    of_orders = sorted({(each.supplier, each.order_no) for each in asked})
    columns = tuple(zip(*of_orders, strict=True))
    orders = {
        (row["supplier"], row["order_no"]): OrderState(row["state"])
        for row in await connection.fetch(queries.LOCK_ORDERS, *columns)
    }
    contracts = await lock_contracts(connection, ((each.supplier, each.contract_no) for each in asked))
    standing = {
        (row["supplier"], row["order_no"]): row["contract_no"]
        for row in await connection.fetch(queries.STANDING, *columns)
    }
    return _LoadedContracts(orders, contracts, standing)


def _judged(command: Received, known: _LoadedContracts, at: datetime) -> Received:
    if command.asked is None or command.event is not None:
        return command
    asked = command.asked
    common: dict[str, Any] = {
        "contract_no": asked.contract_no,
        "order_no": asked.order_no,
        "tenant": asked.tenant,
        "cause": Cause(command_id=asked.command_id),
        "occurred_at": at,
        "supplier": asked.supplier,
        "revision": asked.revision,
    }
    match known.judge(asked):
        case RefusedAtOnce(code_class, stands):
            refused = RefusedContract(
                by=Refuser.GATEWAY,
                code_class=code_class,
                operation=ContractOperation(asked.operation),
                stands=stands,
            )
            event: ContractEvent = ContractRefused(**common, payload=refused)
            return replace(command, state=CommandState.REFUSED, reason=code_class.value, event=event)
        case RepeatedAtOnce(first):
            event = ContractRepeated(**common, payload=RepeatedIssue(first=first))
            return replace(command, state=CommandState.SUPERSEDED, reason=f"repeats {first}", event=event)
        case Accepted():
            return command


def _contract(row: Row) -> Contract:
    status = ContractStatus(
        ContractState(row["state"]),
        ReceiptState(row["announcement"]),
        ReceiptState(row["filing"]),
        AnswerState(row["answer"]),
    )
    whose = (row["supplier"], row["contract_no"], row["order_no"], row["tenant"])
    return Contract(*whose, status, row["revision"], row["issued_by"], bytes(row["content"]))


def _row(contract: Contract) -> tuple[Any, ...]:
    status = contract.status
    return (
        contract.supplier,
        contract.contract_no,
        contract.order_no,
        contract.tenant,
        status.state.value,
        status.announcement.value,
        status.filing.value,
        status.answer.value,
        contract.revision,
        contract.issued_by,
        contract.content,
    )
