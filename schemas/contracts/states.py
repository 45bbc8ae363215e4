"""Where a contract stands, and what a command, a receipt or a vendor's answer does to it.

    none ► generated ► performing ► accepted ► settled ► closed
               └───────────┴──► voided (never announced) | terminated (announced, so that a correction is due)

Beside that line stand three parts that move by themselves: whether this revision is announced, whether it is filed, and
what its vendor said of it. Announcement and filing end in either order, each by its own receipt. An amendment begins
all three again: its text is announced, filed and answered again.

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


class ReceiptState(StrEnum):
    """Whether the receipt of an announcement or a filing came, for the text as it is now."""

    PENDING = "pending"
    DONE = "done"


class AnswerState(StrEnum):
    """What the vendor has of the text as it is now, and says of it."""

    UNSENT = "unsent"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"
    SIGNED = "signed"
    REFUSED = "refused"


class ContractFact(StrEnum):
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


class ContractVerdict(StrEnum):
    """What a fact is to a contract. known: it tells nothing new; not_allowed: it cannot be so, or be done, now."""

    MOVES = "moves"
    KNOWN = "known"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class ContractStatus:
    """A contract's state and the parts beside it."""

    state: ContractState = ContractState.NONE
    announcement: ReceiptState = ReceiptState.PENDING
    filing: ReceiptState = ReceiptState.PENDING
    answer: AnswerState = AnswerState.UNSENT


@dataclass(frozen=True, slots=True)
class ContractJudgement:
    """What a fact does to a contract."""

    verdict: ContractVerdict
    status: ContractStatus


TERMINAL = frozenset({ContractState.CLOSED, ContractState.TERMINATED, ContractState.VOIDED})
"""Out of these nothing leads."""

STANDING = frozenset(ContractState) - TERMINAL - {ContractState.NONE}
"""The contract is there, and no other one of its order is."""

MOVES: Mapping[ContractState, Mapping[ContractFact, ContractState]] = {
    ContractState.NONE: {ContractFact.ISSUE: ContractState.GENERATED},
    ContractState.GENERATED: {
        ContractFact.AMEND: ContractState.GENERATED,
        ContractFact.TERMINATE: ContractState.TERMINATED,
        ContractFact.LAPSE: ContractState.NONE,
        ContractFact.PERFORMANCE_BEGUN: ContractState.PERFORMING,
    },
    ContractState.PERFORMING: {
        ContractFact.AMEND: ContractState.PERFORMING,
        ContractFact.TERMINATE: ContractState.TERMINATED,
        ContractFact.ACCEPTANCE_DONE: ContractState.ACCEPTED,
    },
    ContractState.ACCEPTED: {ContractFact.PAID: ContractState.SETTLED},
    ContractState.SETTLED: {ContractFact.CLOSE: ContractState.CLOSED},
    **{state: {} for state in TERMINAL},
}
"""Every move of the state. One that is terminated before it was announced is voided."""

ANSWERS: Mapping[AnswerState, Mapping[ContractFact, AnswerState]] = {
    AnswerState.UNSENT: {
        ContractFact.DELIVERED: AnswerState.DELIVERED,
        ContractFact.ACKNOWLEDGED: AnswerState.ACKNOWLEDGED,
        ContractFact.SIGNED: AnswerState.SIGNED,
        ContractFact.REFUSED: AnswerState.REFUSED,
    },
    AnswerState.DELIVERED: {
        ContractFact.ACKNOWLEDGED: AnswerState.ACKNOWLEDGED,
        ContractFact.SIGNED: AnswerState.SIGNED,
        ContractFact.REFUSED: AnswerState.REFUSED,
    },
    AnswerState.ACKNOWLEDGED: {ContractFact.SIGNED: AnswerState.SIGNED, ContractFact.REFUSED: AnswerState.REFUSED},
    AnswerState.SIGNED: {},
    AnswerState.REFUSED: {},
}
"""Every move of the vendor's answer. He has what he answers: a delivery that he never acknowledged is one."""

_PASSED: Mapping[ContractFact, frozenset[AnswerState]] = {
    ContractFact.DELIVERED: frozenset(AnswerState) - {AnswerState.UNSENT},
    ContractFact.ACKNOWLEDGED: frozenset({AnswerState.ACKNOWLEDGED, AnswerState.SIGNED}),
    ContractFact.SIGNED: frozenset({AnswerState.SIGNED}),
    ContractFact.REFUSED: frozenset({AnswerState.REFUSED}),
}
"""Where an answer tells nothing new."""


def judge(status: ContractStatus, fact: ContractFact) -> ContractJudgement:
    """What a fact does to a contract. Total: every fact has a verdict in every status."""
    if fact in _PASSED:
        return _judge_answer(status, fact)
    if fact in (ContractFact.ANNOUNCED, ContractFact.FILED):
        return _judge_receipt(status, fact)
    following = MOVES[status.state].get(fact)
    if following is None or (fact is ContractFact.LAPSE and status.answer is not AnswerState.UNSENT):
        return ContractJudgement(ContractVerdict.NOT_ALLOWED, status)
    if fact in (ContractFact.ISSUE, ContractFact.AMEND):
        return ContractJudgement(ContractVerdict.MOVES, ContractStatus(following))
    if fact is ContractFact.TERMINATE and status.announcement is ReceiptState.PENDING:
        following = ContractState.VOIDED
    return ContractJudgement(ContractVerdict.MOVES, replace(status, state=following))


def allowed(status: ContractStatus) -> frozenset[ContractFact]:
    """The facts that move a contract."""
    return frozenset(fact for fact in ContractFact if judge(status, fact).verdict is ContractVerdict.MOVES)


def _judge_answer(status: ContractStatus, fact: ContractFact) -> ContractJudgement:
    if status.state is ContractState.NONE:
        return ContractJudgement(ContractVerdict.NOT_ALLOWED, status)
    if status.answer in _PASSED[fact]:
        return ContractJudgement(ContractVerdict.KNOWN, status)
    following = ANSWERS[status.answer].get(fact)
    if following is None or status.state in TERMINAL:
        return ContractJudgement(ContractVerdict.NOT_ALLOWED, status)
    return ContractJudgement(ContractVerdict.MOVES, replace(status, answer=following))


def _judge_receipt(status: ContractStatus, fact: ContractFact) -> ContractJudgement:
    if status.state is ContractState.NONE:
        return ContractJudgement(ContractVerdict.NOT_ALLOWED, status)
    announced = fact is ContractFact.ANNOUNCED
    if (status.announcement if announced else status.filing) is ReceiptState.DONE:
        return ContractJudgement(ContractVerdict.KNOWN, status)
    done = replace(status, announcement=ReceiptState.DONE) if announced else replace(status, filing=ReceiptState.DONE)
    return ContractJudgement(ContractVerdict.MOVES, done)
