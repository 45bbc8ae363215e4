"""Where a contract stands, and what a command, a receipt or a vendor's answer does to it.

    none ► generated ► performing ► accepted ► settled ► closed
               └───────────┴──► voided (never announced) | terminated (announced, so that a correction is due)

Beside that line stand three parts that move by themselves: whether this revision is announced, whether it is filed, and
what its vendor said of it. Announcement and filing end in either order, each by its own receipt. An amendment begins
all three anew: its text is announced, filed and answered again.

    unsent ► delivered ► acknowledged ► signed
                 └────────────┴──► refused
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class ContractState(StrEnum):
    """Where a contract stands. voided: terminated before it was announced."""

    NONE = "none"
    GENERATED = "generated"
    PERFORMING = "performing"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    CLOSED = "closed"
    TERMINATED = "terminated"
    VOIDED = "voided"


class Receipt(StrEnum):
    """Whether the receipt of an announcement or a filing came, for the text as it is now."""

    PENDING = "pending"
    DONE = "done"


class Answer(StrEnum):
    """What the vendor has of the text as it is now, and says of it."""

    UNSENT = "unsent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    SIGNED = "signed"
    REFUSED = "refused"


class Fact(StrEnum):
    """What happens to a contract.

    lapse: its issue ended undelivered, by its deadline.
    performance_begun and those after it are the core's.
    """

    ISSUE = "issue"
    AMEND = "amend"
    TERMINATE = "terminate"
    ANNOUNCED = "announced"
    FILED = "filed"
    LAPSE = "lapse"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    SIGNED = "signed"
    REFUSED = "refused"
    PERFORMANCE_BEGUN = "performance_begun"
    ACCEPTANCE_DONE = "acceptance_done"
    PAID = "paid"
    CLOSE = "close"


class Verdict(StrEnum):
    """What a fact is to a contract. known: it tells nothing new; not_allowed: it cannot be so, or be done, now."""

    MOVES = "moves"
    KNOWN = "known"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class Status:
    """A contract's state and the parts beside it."""

    state: ContractState = ContractState.NONE
    announcement: Receipt = Receipt.PENDING
    filing: Receipt = Receipt.PENDING
    answer: Answer = Answer.UNSENT


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a fact does to a contract."""

    verdict: Verdict
    status: Status


TERMINAL = frozenset({ContractState.CLOSED, ContractState.TERMINATED, ContractState.VOIDED})
"""Out of these nothing leads."""

STANDING = frozenset(ContractState) - TERMINAL - {ContractState.NONE}
"""The contract is there, and no other one of its order is."""

MOVES: Mapping[ContractState, Mapping[Fact, ContractState]] = {
    ContractState.NONE: {Fact.ISSUE: ContractState.GENERATED},
    ContractState.GENERATED: {
        Fact.AMEND: ContractState.GENERATED,
        Fact.TERMINATE: ContractState.TERMINATED,
        Fact.LAPSE: ContractState.NONE,
        Fact.PERFORMANCE_BEGUN: ContractState.PERFORMING,
    },
    ContractState.PERFORMING: {
        Fact.AMEND: ContractState.PERFORMING,
        Fact.TERMINATE: ContractState.TERMINATED,
        Fact.ACCEPTANCE_DONE: ContractState.ACCEPTED,
    },
    ContractState.ACCEPTED: {Fact.PAID: ContractState.SETTLED},
    ContractState.SETTLED: {Fact.CLOSE: ContractState.CLOSED},
    **{state: {} for state in TERMINAL},
}
"""Every move of the state. One that is terminated before it was announced is voided."""

ANSWERS: Mapping[Answer, Mapping[Fact, Answer]] = {
    Answer.UNSENT: {
        Fact.DELIVERED: Answer.DELIVERED,
        Fact.ACKNOWLEDGED: Answer.ACKNOWLEDGED,
        Fact.SIGNED: Answer.SIGNED,
        Fact.REFUSED: Answer.REFUSED,
    },
    Answer.DELIVERED: {
        Fact.ACKNOWLEDGED: Answer.ACKNOWLEDGED,
        Fact.SIGNED: Answer.SIGNED,
        Fact.REFUSED: Answer.REFUSED,
    },
    Answer.ACKNOWLEDGED: {Fact.SIGNED: Answer.SIGNED, Fact.REFUSED: Answer.REFUSED},
    Answer.SIGNED: {},
    Answer.REFUSED: {},
}
"""Every move of the vendor's answer. He has what he answers: a delivery that he never acknowledged is one."""

_PASSED: Mapping[Fact, frozenset[Answer]] = {
    Fact.DELIVERED: frozenset(Answer) - {Answer.UNSENT},
    Fact.ACKNOWLEDGED: frozenset({Answer.ACKNOWLEDGED, Answer.SIGNED}),
    Fact.SIGNED: frozenset({Answer.SIGNED}),
    Fact.REFUSED: frozenset({Answer.REFUSED}),
}
"""Where an answer tells nothing new."""


def judge(status: Status, fact: Fact) -> Judgement:
    """What a fact does to a contract. Total: every fact has a verdict in every status."""
    if fact in _PASSED:
        return _judge_answer(status, fact)
    if fact in (Fact.ANNOUNCED, Fact.FILED):
        return _judge_receipt(status, fact)
    following = MOVES[status.state].get(fact)
    if following is None or (fact is Fact.LAPSE and status.answer is not Answer.UNSENT):
        return Judgement(Verdict.NOT_ALLOWED, status)
    if fact in (Fact.ISSUE, Fact.AMEND):
        return Judgement(Verdict.MOVES, Status(following))
    if fact is Fact.TERMINATE and status.announcement is Receipt.PENDING:
        following = ContractState.VOIDED
    return Judgement(Verdict.MOVES, replace(status, state=following))


def allowed(status: Status) -> frozenset[Fact]:
    """The facts that move a contract."""
    return frozenset(fact for fact in Fact if judge(status, fact).verdict is Verdict.MOVES)


def _judge_answer(status: Status, fact: Fact) -> Judgement:
    if status.state is ContractState.NONE:
        return Judgement(Verdict.NOT_ALLOWED, status)
    if status.answer in _PASSED[fact]:
        return Judgement(Verdict.KNOWN, status)
    following = ANSWERS[status.answer].get(fact)
    if following is None or status.state in TERMINAL:
        return Judgement(Verdict.NOT_ALLOWED, status)
    return Judgement(Verdict.MOVES, replace(status, answer=following))


def _judge_receipt(status: Status, fact: Fact) -> Judgement:
    if status.state is ContractState.NONE:
        return Judgement(Verdict.NOT_ALLOWED, status)
    announced = fact is Fact.ANNOUNCED
    if (status.announcement if announced else status.filing) is Receipt.DONE:
        return Judgement(Verdict.KNOWN, status)
    done = replace(status, announcement=Receipt.DONE) if announced else replace(status, filing=Receipt.DONE)
    return Judgement(Verdict.MOVES, done)
