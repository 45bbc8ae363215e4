"""What becomes of contracts at suppliers: the contract is moved, its event and its step are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gateway.evidence import body_of
from gateway.outbox import OutboxMessage
from gateway.relay.contract_rules import Contract
from gateway.relay.contracts import keep, lock_contracts
from gateway.relay.received import event_message
from gateway.relay.steps import Kind, Step
from gateway.store import Connection
from schemas.contracts import contract_event_id
from schemas.contracts.events import ContractEvent, SupplierContractEvent
from schemas.contracts.states import ContractFact, judge


@dataclass(frozen=True, slots=True)
class ContractNews:
    """Something about a contract.

    fact: what it means for where the contract stands, None: nothing; revision: of the text that it is about; event: for
    the core, None: it is not told.
    """

    contract_no: str
    fact: ContractFact | None
    revision: int
    event: ContractEvent | None = None


class AboutContract(Protocol):
    """News that may be about a contract. order_no: of the order whose story it belongs to."""

    @property
    def supplier(self) -> str: ...
    @property
    def order_no(self) -> str: ...
    @property
    def traceparent(self) -> str | None: ...
    @property
    def contract(self) -> ContractNews | None: ...


@dataclass(frozen=True, slots=True)
class PublishedContractNews:
    """An event of a contract, and the step by which its order's story has it."""

    message: OutboxMessage
    step: Step


def after_news(contract: Contract, news: ContractNews) -> Contract:
    """A contract after news of it. What is about another text than the one as it is now changes nothing of it."""
    if news.fact is None or news.revision != contract.revision:
        return contract
    return replace(contract, status=judge(contract.status, news.fact).status)


async def publish_contract_news(
    connection: Connection, news: Iterable[AboutContract]
) -> Sequence[PublishedContractNews]:
    """Move the contracts that news is about, in this order; what has to be told and written. Orders are locked before.

    One that is not kept is told of all the same: its command was refused or is nobody's.
    """
    found = [(each, each.contract) for each in news if each.contract is not None]
    keys = [(each.supplier, of.contract_no) for each, of in found]
    contracts = await lock_contracts(connection, keys)
    before, published = dict(contracts), []
    for each, of in found:
        known = contracts.get((each.supplier, of.contract_no))
        if known is not None:
            known = contracts[each.supplier, of.contract_no] = after_news(known, of)
        if of.event is not None:
            message = event_message(of.event, each.traceparent)
            published.append(PublishedContractNews(message, _step(each, of.event, known, message)))
    await keep(connection, [each for key, each in contracts.items() if before[key] != each])
    return published


def _step(about: AboutContract, event: ContractEvent, contract: Contract | None, message: OutboxMessage) -> Step:
    vendor_event = event if isinstance(event, SupplierContractEvent) else None
    facts = {
        "event": event.event,
        "id": contract_event_id(event),
        "contract_no": event.contract_no,
        "revision": vendor_event.revision if vendor_event else None,
        "state": contract.status.state.value if contract else None,
        "answer": contract.status.answer.value if contract else None,
        "raw_code": vendor_event.raw_code if vendor_event else None,
    }
    words = (vendor_event.raw_message or "") if vendor_event else ""
    evidence = {"event": body_of(message.value)}
    return Step(about.supplier, about.order_no, Kind.EVENT, event.cause.command_id, facts, words, evidence)
