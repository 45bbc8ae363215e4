"""What a command about a contract comes to where the contract and its order stand. Pure.

It is decided as the command is taken from its topic: what cannot be is refused there and then, and no vendor sees it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from schemas.contracts.commands import AmendContract, ContractCommand, ContractOperation, IssueContract
from schemas.contracts.events import ContractRefusalClass
from schemas.contracts.states import TERMINAL, ContractFact, ContractState, ContractStatus, ContractVerdict, judge
from schemas.orders import State as OrderState

CONFIRMED = frozenset(
    {
        OrderState.CONFIRMED,
        OrderState.IN_FULFILMENT,
        OrderState.PARTIALLY_DELIVERED,
        OrderState.DELIVERED,
        OrderState.ACCEPTED,
        OrderState.DISPUTED,
        OrderState.INVOICED,
        OrderState.PAID,
    }
)
"""States of an order of which there can be a contract; of one that is confirmed in part the buyer decides first."""

ASKED: Mapping[str, ContractFact] = {
    ContractOperation.ISSUE: ContractFact.ISSUE,
    ContractOperation.AMEND: ContractFact.AMEND,
    ContractOperation.TERMINATE: ContractFact.TERMINATE,
    ContractOperation.ANNOUNCED: ContractFact.ANNOUNCED,
    ContractOperation.FILED: ContractFact.FILED,
}
"""What each command does to its contract."""

NOTICES = frozenset({ContractOperation.ANNOUNCED, ContractOperation.FILED})
"""They tell of a text: the one as it is now, or one before it."""


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as the gateway knows it.

    revision: of its text as it is now; issued_by: the command that issued it; content: digest of what was issued.
    """

    supplier: str
    contract_no: str
    order_no: str
    tenant: str | None
    status: ContractStatus
    revision: int
    issued_by: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command goes on to its vendor. contract: as it is from then on."""

    contract: Contract


@dataclass(frozen=True, slots=True)
class RefusedAtOnce:
    """It cannot be. stands: the number, revision or state that it cannot be because of."""

    code_class: ContractRefusalClass
    stands: str | None = None


@dataclass(frozen=True, slots=True)
class RepeatedAtOnce:
    """The contract was issued so already. first: by which command."""

    first: str


Ruling: TypeAlias = Accepted | RefusedAtOnce | RepeatedAtOnce
"""What a command comes to."""


def rule(asked: ContractCommand, contract: Contract | None, order: OrderState | None, standing: str | None) -> Ruling:
    """What a command comes to. order: where its order stands at this supplier, None: there is none; standing: the
    contract that the order has by now, None: none. Total.
    """
    if isinstance(asked, IssueContract):
        return _issue(asked, contract, order, standing)
    if contract is None or contract.status.state is ContractState.NONE:
        return RefusedAtOnce(ContractRefusalClass.NOT_ISSUED)
    if asked.order_no != contract.order_no:
        return RefusedAtOnce(ContractRefusalClass.OTHER_CONTRACT, contract.order_no)
    if asked.operation in NOTICES:
        return _notice(asked, contract)
    return _change(asked, contract)


def content_of(asked: IssueContract) -> bytes:
    """Digest of what is issued, without what makes one command another."""
    content = asked.model_dump_json(include={"order_no", "revision", "payload"})
    return hashlib.sha256(content.encode()).digest()


def _issue(asked: IssueContract, contract: Contract | None, order: OrderState | None, standing: str | None) -> Ruling:
    if contract is not None and contract.status.state is not ContractState.NONE:
        return _again(asked, contract)
    if order in (None, OrderState.DRAFT):
        return RefusedAtOnce(ContractRefusalClass.UNKNOWN_ORDER)
    if order not in CONFIRMED:
        return RefusedAtOnce(ContractRefusalClass.ORDER_NOT_CONFIRMED, order)
    if standing is not None:
        return RefusedAtOnce(ContractRefusalClass.OTHER_CONTRACT, standing)
    status = judge(ContractStatus(), ContractFact.ISSUE).status
    whose = (asked.supplier, asked.contract_no, asked.order_no, asked.tenant)
    return Accepted(Contract(*whose, status, asked.revision, asked.command_id, content_of(asked)))


def _again(asked: IssueContract, contract: Contract) -> Ruling:
    """Of one that was issued before."""
    if contract.status.state in TERMINAL:
        return RefusedAtOnce(ContractRefusalClass.CONTRACT_OVER, contract.status.state)
    if contract.content == content_of(asked):
        return RepeatedAtOnce(contract.issued_by)
    return RefusedAtOnce(ContractRefusalClass.OTHER_CONTENT, str(contract.revision))


def _change(asked: ContractCommand, contract: Contract) -> Ruling:
    """Of two amendments of one revision the first counts; what ends a contract speaks of its text as it is now."""
    found = judge(contract.status, ASKED[asked.operation])
    if found.verdict is ContractVerdict.NOT_ALLOWED:
        return RefusedAtOnce(ContractRefusalClass.CONTRACT_OVER, contract.status.state)
    amends = isinstance(asked, AmendContract)
    if asked.revision < contract.revision or (amends and asked.revision == contract.revision):
        return RefusedAtOnce(ContractRefusalClass.STALE_REVISION, str(contract.revision))
    revision = asked.revision if amends else contract.revision
    return Accepted(replace(contract, status=found.status, revision=revision))


def _notice(asked: ContractCommand, contract: Contract) -> Ruling:
    """One of an earlier text is true all the same: the vendor is told, and the text as it is now waits for its own."""
    if asked.revision > contract.revision:
        return RefusedAtOnce(ContractRefusalClass.NOT_ISSUED, str(contract.revision))
    if asked.revision < contract.revision:
        return Accepted(contract)
    return Accepted(replace(contract, status=judge(contract.status, ASKED[asked.operation]).status))
