"""The check of what an adapter makes of a supplier that fails: the error of each fault reaches the gateway as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.sdk.errors import (
    AuthError,
    ContractError,
    OutcomeUnknownError,
    RateLimitError,
    SupplierError,
    UnavailableError,
)
from gateway.sdk.http import Reply
from gateway.sdk.status import raise_for_fault
from gateway.sdk.testing.calls import CallCase, CaseReply
from gateway.sdk.testing.mutants import HTML
from gateway.sdk.testing.performing import Performance, Stage, make_adapter, perform, shown, wrong
from gateway.sdk.testing.recorded import Answer
from gateway.sdk.testing.subject import Subject, Trial, each_in_turn


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. answer: what comes instead of the recorded reply; errors: what may be raised."""

    name: str
    answer: Answer
    errors: tuple[type[SupplierError], ...]
    bodiless: bool = False
    """It is told by its body alone, so it shows only where a body matters."""


_BROKEN = (UnavailableError, ContractError)

FAULTS = (
    Fault("401", CaseReply(status=401), (AuthError,)),
    Fault("403", CaseReply(status=403), (AuthError,)),
    Fault("429, Retry-After: 7", CaseReply(status=429, headers={"Retry-After": "7"}), (RateLimitError,)),
    Fault("500", CaseReply(status=500, body=HTML), (UnavailableError,)),
    Fault("302", CaseReply(status=302, headers={"Location": "https://example.com/"}), (ContractError,)),
    Fault("200, empty", CaseReply(), _BROKEN, bodiless=True),
    Fault("200, HTML", CaseReply(headers={"Content-Type": "text/html"}, body=HTML), _BROKEN, bodiless=True),
    Fault("connection reset", UnavailableError("The connection was reset."), (UnavailableError,)),
    Fault("time-out", UnavailableError("No whole reply came in time."), (UnavailableError,)),
)
"""Every way to fail that a golden reply is replaced by."""

_UNKNOWN = OutcomeUnknownError()

WRITE_FAULTS = tuple(
    replace(fault, answer=_UNKNOWN, errors=(OutcomeUnknownError,)) if fault.errors == (UnavailableError,) else fault
    for fault in FAULTS
)
"""The same of an operation that changes something: after an outage nobody knows whether it did, as `Http.call` says."""


def faults_mapped(subject: Subject) -> Iterator[Trial]:
    """A refused credential, a rate limit, an outage or a page instead of an answer ends in the error that says so."""
    yield from each_in_turn(_mapped(subject, case) for case in subject.calls)


async def _mapped(subject: Subject, case: CallCase) -> list[Trial]:
    untouched = await perform(subject.adapter, case)
    if any(wrong(subject.adapter, untouched)) or untouched.http.strayed:
        return []
    return [await _tried(subject, case, index, fault) for index, fault in _applicable(subject, case)]


def _applicable(subject: Subject, case: CallCase) -> Iterator[tuple[int, Fault]]:
    """Which faults are told apart from what the case shows already, and where."""
    judge = make_adapter(subject.adapter, case.options).judge
    for index, each in enumerate(case.exchanges):
        # Of several replies, one that is a fault itself may be one that the adapter knows a way around.
        if len(case.exchanges) > 1 and (
            not case.succeeds or _is_fault(each.reply.reply(each.request.operation), judge)
        ):
            continue
        operation = subject.manifest.operations.get(each.request.operation)
        faults = FAULTS if operation is None or operation.reads else WRITE_FAULTS
        yield from ((index, fault) for fault in faults if each.reply.body.strip() or not fault.bodiless)


def _is_fault(reply: Reply, judge: object) -> bool:
    try:
        raise_for_fault(reply, judge)  # type: ignore[arg-type]
    except SupplierError:
        return True
    return False


async def _tried(subject: Subject, case: CallCase, index: int, fault: Fault) -> Trial:
    performance = await perform(subject.adapter, case, Stage(answers={index: fault.answer}))
    where = f"{case.exchanges[index].request.operation} answered by {fault.name}"
    return Trial(case.name, tuple(f"{where}: {problem}" for problem in _mistaken(performance, index, fault)))


def _mistaken(performance: Performance, index: int, fault: Fault) -> Iterator[str]:
    error, strayed = performance.error, performance.http.strayed
    wanted = " or ".join(each.__name__ for each in fault.errors)
    if performance.case.exchanges[index].request in strayed:
        yield f"asked again ({shown(strayed[0])}); repeating is the gateway's to do"
    elif strayed and isinstance(error, SupplierError):
        return  # it tried another way, for which nothing is recorded
    elif type(error) not in fault.errors:
        yield f"expected {wanted}, got {type(error).__name__ if error else 'a result'}: {error or ''}".rstrip(": ")
    elif isinstance(fault.answer, SupplierError) and error is not fault.answer:
        yield "the error of the gateway was replaced by another one"
    elif isinstance(error, RateLimitError) and error.retry_after != 7:
        yield f"expected retry_after 7, got {error.retry_after}"
