"""Answers of vendors about contracts, taken: once per key, judged under the contract's lock, told to the mall core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from gateway.evidence import body_of
from gateway.relay import contract_queries, mailbox_queries
from gateway.relay.commands import Command, Origin, lane_of
from gateway.relay.contract_answers import FACTS, ContractAnswer, ContractSignedByVendor, allowed_next, core_event
from gateway.relay.contract_ends import contract_delivered
from gateway.relay.contract_news import ContractNews, after_news
from gateway.relay.contract_rules import Contract
from gateway.relay.contracts import lock_contracts
from gateway.relay.documents import document_in
from gateway.relay.lane_store import close_letters, origins
from gateway.relay.mailbox import Clock, utc_now
from gateway.relay.orders import News, publish_news
from gateway.relay.states import State as CommandState
from gateway.relay.steps import Kind as StepKind
from gateway.relay.steps import Step
from gateway.relay.store import command_of, move
from gateway.relay.transitions import moved
from gateway.relay.vendor_keys import keep_answer, message_by, take_key
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, SharedPool
from gateway.suppliers import SecretBox
from gateway.telemetry.failpoints import failpoint
from schemas.contracts.commands import TEXTS
from schemas.contracts.events import ContractKind
from schemas.contracts.states import AnswerState, ContractState, ContractVerdict, judge
from schemas.orders.events import Cause, SupplierMessage

log = structlog.get_logger(__name__)


class UnknownContractError(GatewayError):
    """The supplier was given no such contract."""


class ContractStateError(GatewayError):
    """The contract does not stand where this could be said of it. stands: how it does; allowed: what can be said."""

    def __init__(self, stands: str, allowed: Sequence[ContractKind]) -> None:
        super().__init__(f"the contract is {stands}")
        self.stands = stands
        self.allowed = allowed


class OtherDocumentError(GatewayError):
    """The vendor signed another document than he was given. expected: the SHA-256 of that one."""

    def __init__(self, expected: str) -> None:
        super().__init__("another document")
        self.expected = expected


@dataclass(frozen=True, slots=True)
class SentAnswer:
    """What a vendor says of a contract.

    key: his own name for it; content: digest of what he says, 32 bytes; body: what he sent, kept as evidence.
    """

    supplier: str
    contract_no: str
    key: str
    content: bytes
    answer: ContractAnswer
    traceparent: str | None = None
    body: bytes = b""

    @property
    def message(self) -> SupplierMessage:
        """By which he says so."""
        return message_by(self.answer.event, self.key)


@dataclass(frozen=True, slots=True)
class AnswerReceipt:
    """What an answer came to.

    event: what the core was told, None: it knew that; answers: messages that count as acknowledged by it; the others:
    where the contract stands from then on.
    """

    event: ContractKind | None
    state: ContractState
    answer: AnswerState
    answers: tuple[str, ...]
    repeated: bool = False


class ContractAnswerService:
    """Takes what vendors say of contracts. pool: each supplier has its share."""

    def __init__(self, pool: SharedPool, box: SecretBox, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._box = box
        self._clock = clock

    async def take(self, sent: SentAnswer) -> AnswerReceipt:
        """Take an answer; the same under the same key comes to the same.

        Raises UnknownContractError, KeyReusedError, ContractStateError and OtherDocumentError: nothing was taken;
        StoreUnavailableError: nothing was, or all of it.
        """
        async with self._pool.acquired(sent.supplier) as connection, connection.transaction():
            lane = lane_of("", sent.contract_no)
            rows = await connection.fetch(mailbox_queries.LOCK_UNANSWERED, sent.supplier, lane)
            kept = await take_key(connection, sent.supplier, sent.key, sent.content)
            if kept is not None:
                return _stored(kept.row)
            answered = [each for each in map(command_of, rows) if _is_answered(each, sent)]
            contract = await _locked(connection, sent, answered)
            taken, news = await self._judged(connection, sent, contract, answered, origins(rows))
            await self._end(connection, answered)
            await publish_news(connection, self._box, news, readable=False, steps=[_answered(sent, contract, taken)])
            await keep_answer(connection, sent.supplier, sent.key, _row(taken))
            await close_letters(connection, answered, f"the vendor said {sent.answer.event}")
            failpoint("word.before_commit")
        failpoint("word.after_commit")
        log.info("contract.said", supplier=sent.supplier, contract_no=sent.contract_no, said=sent.answer.event)
        return taken

    async def _judged(
        self,
        connection: Connection,
        sent: SentAnswer,
        contract: Contract,
        answered: Sequence[Command],
        known: Mapping[str, Origin],
    ) -> tuple[AnswerReceipt, Sequence[News]]:
        """What the answer comes to: what he had not acknowledged is delivered by it. Raises ContractStateError."""
        now, answer = self._clock(), sent.answer
        news = [contract_delivered(each, known[each.command_id], now) for each in answered]
        for each in news:
            contract = contract if each.contract is None else after_news(contract, each.contract)
        kind = ContractKind(answer.event)
        found = judge(contract.status, FACTS[kind])
        if found.verdict is ContractVerdict.NOT_ALLOWED:
            over = contract.status.answer in (AnswerState.SIGNED, AnswerState.REFUSED)
            raise ContractStateError(contract.status.answer if over else contract.status.state, allowed_next(contract))
        await self._check_document(connection, sent)
        ids = tuple(each.command_id for each in answered)
        if found.verdict is ContractVerdict.KNOWN:
            return AnswerReceipt(None, contract.status.state, contract.status.answer, ids), news
        event = core_event(answer, contract, Cause(message=sent.message), now)
        of = ContractNews(contract.contract_no, FACTS[kind], answer.revision, event)
        whose = (contract.supplier, contract.order_no, None)
        news.append(News(*whose, tenant=contract.tenant, traceparent=sent.traceparent, contract=of))
        return AnswerReceipt(kind, found.status.state, found.status.answer, ids), news

    async def _check_document(self, connection: Connection, sent: SentAnswer) -> None:
        """Raises OtherDocumentError. A document that cannot be read any more is compared with nothing."""
        answer = sent.answer
        if not isinstance(answer, ContractSignedByVendor) or answer.payload.document_sha256 is None:
            return
        lane = lane_of("", sent.contract_no)
        row = await connection.fetchrow(contract_queries.LAST_TEXT, sent.supplier, lane, answer.revision)
        document = None if row is None else document_in(self._box, row)
        if document is not None and document.sha256 != answer.payload.document_sha256:
            raise OtherDocumentError(document.sha256)

    async def _end(self, connection: Connection, answered: Sequence[Command]) -> None:
        changes = [(each, moved(each, CommandState.CONFIRMED, reason="answered")) for each in answered]
        await move(connection, changes)
        await connection.execute(mailbox_queries.ANSWERED, [each.command_id for each in answered])


def _is_answered(command: Command, sent: SentAnswer) -> bool:
    """Whether an answer is about the text that a command carried."""
    return command.operation in TEXTS and command.revision == sent.answer.revision


async def _locked(connection: Connection, sent: SentAnswer, answered: Sequence[Command]) -> Contract:
    """The contract, locked. Raises UnknownContractError for one that he was never given, ContractStateError for one
    whose text is another by now.
    """
    key = (sent.supplier, sent.contract_no)
    contract = (await lock_contracts(connection, [key])).get(key)
    if contract is None or contract.status.state is ContractState.NONE:
        raise UnknownContractError
    if sent.answer.revision != contract.revision:
        raise ContractStateError(f"of revision {contract.revision}", ())
    if contract.status.answer is AnswerState.UNSENT and not answered:
        raise UnknownContractError
    return contract


def _answered(sent: SentAnswer, contract: Contract, taken: AnswerReceipt) -> Step:
    """What the vendor sent, and the receipt that he is given, as evidence of the order."""
    facts = {
        "said": sent.answer.event,
        "contract_no": contract.contract_no,
        "message": sent.message.model_dump(mode="json"),
        "receipt": _row(taken),
    }
    evidence = {"key": sent.key, "body": body_of(sent.body)}
    return Step(sent.supplier, contract.order_no, StepKind.ANSWERED, None, facts, evidence=evidence)


def _row(taken: AnswerReceipt) -> dict[str, Any]:
    return {"event": taken.event, "state": taken.state, "answer": taken.answer, "answers": list(taken.answers)}


def _stored(kept: Mapping[str, Any] | None) -> AnswerReceipt:
    if kept is None:
        raise ValueError("an answer about a contract is always kept")
    event = None if kept["event"] is None else ContractKind(kept["event"])
    receipt = AnswerReceipt(event, ContractState(kept["state"]), AnswerState(kept["answer"]), tuple(kept["answers"]))
    return replace(receipt, repeated=True)
