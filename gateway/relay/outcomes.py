"""What one attempt came to: exactly one of four, whatever the adapter returned or raised.

A write of which some has left is unknown unless an answer to that very write says otherwise. What other calls of the
same attempt came to (a look at the price before, at the order afterwards, a token) says nothing about the write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gateway.sdk.errors import (
    AuthError,
    ContractError,
    OutcomeUnknownError,
    OverloadedError,
    RateLimitError,
    RejectedError,
    Sent,
    ServiceUnavailableError,
    SupplierError,
    TransientError,
    UnavailableError,
)
from gateway.sdk.status import may_have_taken_effect
from gateway.store import LeaseLostError

REFUSING = frozenset({400, 404, 410, 422})
"""Statuses that refuse a request permanently though the interface does not promise them. 409 may be a duplicate."""


class AttemptOutcome(StrEnum):
    """What an attempt came to.

    confirmed: it took effect; rejected: the supplier refused it; retry_safe: nothing can have happened; unknown: it may
    have happened.
    """

    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    RETRY_SAFE = "retry_safe"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AdapterAnswer:
    """What an adapter read out of a reply that it understood.

    order_no: ours, as the supplier repeats it, None where its interface repeats none; differs: in what the order there
    is another than the one here, "" in nothing; lapsed: the order is cancelled there, so that no confirm of it holds.
    """

    order_no: str | None = None
    differs: str = ""
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """The one call of an attempt that changes something, as `Http` saw it.

    sent: how much of it left; a try that was refused for its credential alone does not count.
    """

    operation: str
    sent: Sent


@dataclass(frozen=True, slots=True)
class Classified:
    """An outcome and what is known beside it.

    code: of the supplier or ours, for operators; retry_after: seconds that the supplier asks for; repeatable: whether
    the same again may work; differs: the supplier has something else than what was ordered; promised: whether the
    interface promises such an answer.
    """

    outcome: AttemptOutcome
    code: str = ""
    retry_after: float | None = None
    repeatable: bool = True
    differs: bool = False
    promised: bool = True


class LookUpOutcome(StrEnum):
    """What a look-up came to.

    differs: found, but not as it was ordered; lapsed: what is to be confirmed is cancelled there, whatever becomes of
    an attempt that is under way; failed: there is no answer to trust.
    """

    FOUND = "found"
    ABSENT = "absent"
    DIFFERS = "differs"
    LAPSED = "lapsed"
    FAILED = "failed"


FAULTS: Sequence[tuple[type[BaseException], str, AttemptOutcome, bool]] = (
    (RejectedError, "rejected", AttemptOutcome.REJECTED, True),
    (RateLimitError, "rate_limited", AttemptOutcome.RETRY_SAFE, True),
    (AuthError, "auth", AttemptOutcome.RETRY_SAFE, True),
    (UnavailableError, "unavailable", AttemptOutcome.UNKNOWN, True),  # or retry_safe, see `may_have_taken_effect`
    (TransientError, "transient", AttemptOutcome.RETRY_SAFE, True),
    (OutcomeUnknownError, "unknown", AttemptOutcome.UNKNOWN, True),
    (ContractError, "contract", AttemptOutcome.UNKNOWN, True),  # or rejected, see `REFUSING`
    (SupplierError, "failed", AttemptOutcome.UNKNOWN, True),
    (ServiceUnavailableError, "service_unavailable", AttemptOutcome.UNKNOWN, True),
    (OverloadedError, "overloaded", AttemptOutcome.UNKNOWN, True),
    (LeaseLostError, "lease_lost", AttemptOutcome.UNKNOWN, True),
    (Exception, "bug", AttemptOutcome.UNKNOWN, False),
    (BaseException, "interrupted", AttemptOutcome.UNKNOWN, True),
)
"""What a write that has left and then met this is, and whether it is worth repeating; the first that fits."""


def classify(answer: AdapterAnswer | BaseException, write: Write, order_no: str) -> Classified:
    """The one place that says what an attempt came to. Total: it raises nothing."""
    if isinstance(answer, AdapterAnswer):
        return _answered(answer, order_no)
    code, outcome, repeatable = _row(answer)
    asked = answer.retry_after if isinstance(answer, RateLimitError | UnavailableError) else None
    if write.sent is Sent.NOTHING:
        return Classified(_of_unsent(outcome, answer, write), code, asked, repeatable)
    if not _is_about(answer, write):
        return Classified(AttemptOutcome.UNKNOWN, code, None, repeatable)
    if isinstance(answer, UnavailableError) and not may_have_taken_effect(answer):
        return Classified(AttemptOutcome.RETRY_SAFE, code, asked, repeatable)
    if isinstance(answer, ContractError) and answer.status in REFUSING:
        return Classified(AttemptOutcome.REJECTED, f"http_{answer.status}", promised=False)
    return Classified(outcome, code, asked, repeatable)


def classify_look_up(answer: AdapterAnswer | BaseException | None, order_no: str) -> LookUpOutcome:
    """What a look-up says. None: the supplier says that it knows no such order. Total."""
    if answer is None:
        return LookUpOutcome.ABSENT
    if isinstance(answer, BaseException) or answer.order_no not in (None, order_no):
        return LookUpOutcome.FAILED
    if answer.lapsed:
        return LookUpOutcome.LAPSED
    return LookUpOutcome.DIFFERS if answer.differs else LookUpOutcome.FOUND


def _answered(answer: AdapterAnswer, order_no: str) -> Classified:
    if answer.order_no not in (None, order_no):
        return Classified(AttemptOutcome.UNKNOWN, "foreign_answer")
    if answer.lapsed:
        return Classified(AttemptOutcome.REJECTED, LookUpOutcome.LAPSED)
    if answer.differs:
        return Classified(AttemptOutcome.UNKNOWN, answer.differs, differs=True)
    return Classified(AttemptOutcome.CONFIRMED)


def _row(error: BaseException) -> tuple[str, AttemptOutcome, bool]:
    _, code, outcome, repeatable = next(row for row in FAULTS if isinstance(error, row[0]))
    return getattr(error, "supplier_code", "") or code, outcome, repeatable


def _of_unsent(outcome: AttemptOutcome, error: BaseException, write: Write) -> AttemptOutcome:
    """An adapter that refuses an order by itself is believed, and one that says that something may have happened.

    What another call was refused, as one for a token, is no refusal of the order.
    """
    refused = outcome is AttemptOutcome.REJECTED and _is_about(error, write)
    return outcome if refused or isinstance(error, OutcomeUnknownError) else AttemptOutcome.RETRY_SAFE


def _is_about(error: BaseException, write: Write) -> bool:
    """Whether an error is of the write itself: every call notes its operation in what it raises."""
    return isinstance(error, SupplierError) and error.operation in ("", write.operation)
