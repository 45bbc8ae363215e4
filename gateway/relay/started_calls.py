"""Calls under way, and what follows from what they came to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.calls.exchange import Exchange
from gateway.deadletters import DeadLetter
from gateway.relay.attempts import AttemptResult, LookUpResult
from gateway.relay.command_events import end_of, news_of
from gateway.relay.commands import Command
from gateway.relay.ends import undecided_letter
from gateway.relay.order_number_owners import numbers_in
from gateway.relay.orders import News
from gateway.relay.outcomes import AdapterAnswer, Classified, LookUpOutcome, classify, classify_look_up
from gateway.relay.policy import Profile
from gateway.relay.states import ENDED, STOPPED, State
from gateway.relay.steps import Kind, Step
from gateway.relay.transitions import claim_of, in_doubt, moved, take_look_up, take_outcome
from gateway.sdk.errors import OrderRefusedError
from gateway.sdk.storable import storable
from schemas.base import written
from schemas.orders import OrderCommand, SubmitOrder

BUG_WAIT = timedelta(seconds=60)
"""After a fault of ours, before the command is gone on with."""


@dataclass(frozen=True, slots=True)
class StartedCall:
    """A call under way.

    command: as it stands while the call is; asked: what it says; number: the supplier's of the order; ordered: what a
    confirm is of; begun_at: when it was noted; exchanges: what has gone over the wire since.
    """

    command: Command
    asked: OrderCommand
    profile: Profile
    begun_at: datetime
    number: str | None = None
    ordered: SubmitOrder | None = None
    traceparent: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def looks_up(self) -> bool:
        """Whether it asks whether the command has taken effect."""
        return self.command.state is State.LOOKING_UP


@dataclass(frozen=True, slots=True)
class CallResult:
    """A call that is over. after: the command then, None: it is another's now; what it came to is dropped."""

    call: StartedCall
    after: Command | None
    outcome: str
    code: str = ""
    words: str = ""
    news: News | None = None


EndedCall: TypeAlias = tuple[StartedCall, AttemptResult | LookUpResult]
"""A call that is over, and what it came to."""


def numbers_in_answers(over: Sequence[EndedCall]) -> frozenset[str]:
    """The numbers of which suppliers speak in these answers."""
    return frozenset(number for _, came in over for number in _numbers_in(came))


def results(
    over: Sequence[EndedCall], owners: Mapping[str, str], now: datetime, dice: Callable[[], float]
) -> Iterator[CallResult]:
    """What follows from calls that are over. owners: of which order of ours each number is; of a new one, of the first
    that is told to have it.
    """
    known = dict(owners)
    for call, came in over:
        yield result_of(call, _of_this_order(call, came, known), now, dice)
        known = dict.fromkeys(_numbers_in(came), call.command.order_no) | known


def _of_this_order(
    call: StartedCall, came: AttemptResult | LookUpResult, owners: Mapping[str, str]
) -> AttemptResult | LookUpResult:
    """An answer that gives a number of another order is one about that order."""
    own = call.command.order_no
    other = next((owners[each] for each in _numbers_in(came) if owners.get(each, own) != own), None)
    if other is None:
        return came
    if isinstance(came, LookUpResult):
        return LookUpResult(AdapterAnswer(other))
    return replace(came, answer=AdapterAnswer(other), returned=None)


def _numbers_in(came: AttemptResult | LookUpResult) -> Sequence[str]:
    """As columns hold them."""
    order = came.found if isinstance(came, LookUpResult) else came.returned
    return [storable(each) for each in numbers_in(order)]


def result_of(
    call: StartedCall, came: AttemptResult | LookUpResult, now: datetime, dice: Callable[[], float]
) -> CallResult:
    """What follows from what a call came to. Total: what cannot be told of is unknown, and looked at again."""
    try:
        return _result_of(call, came, now, dice)
    except Exception as error:  # noqa: BLE001 -- a fault of ours about one answer must not hold up the others
        after = moved(
            in_doubt(call.command),
            State.UNKNOWN,
            reason=f"bug: {type(error).__name__}",
            failures=call.command.failures + 1,
            spent=call.command.spent + (0 if call.looks_up else 1),
            due_at=now + BUG_WAIT,
        )
        return CallResult(call, after, "bug", type(error).__name__)


def _result_of(
    call: StartedCall, came: AttemptResult | LookUpResult, now: datetime, dice: Callable[[], float]
) -> CallResult:
    command, claim = call.command, claim_of(call.command)
    if isinstance(came, LookUpResult):
        found = classify_look_up(came.answer, command.order_no)
        after = take_look_up(command, claim, found, call.profile, asked_at=call.begun_at, now=now, dice=dice)
        outcome, code = found.value, _code_of(came.answer) if found is LookUpOutcome.FAILED else ""
    else:
        classified: Classified = classify(came.answer, came.write, command.order_no)
        after = take_outcome(command, claim, classified, call.profile, now=now, dice=dice, probe=came.probe)
        outcome, code = classified.outcome.value, classified.code
    if after is not None:
        after = replace(after, reason=storable(after.reason), refusal=storable(after.refusal))
    news = None if after is None else news_of(call.asked, command.state, after, end_of(came, call.ordered), now)
    return CallResult(call, after, outcome, code, _words(came), _traced(news, call.traceparent))


def started_step(call: StartedCall, operation: str) -> Step:
    """That a call was begun."""
    command = call.command
    kind = Kind.LOOK_UP if call.looks_up else Kind.ATTEMPT
    facts = {"attempt": command.attempt, "epoch": command.epoch, "operation": command.operation, "call": operation}
    return Step(command.supplier, command.order_no, kind, command.command_id, facts)


def result_step(result: CallResult, after: Command) -> Step:
    """What it came to."""
    facts = {
        "outcome": result.outcome,
        "code": storable(result.code),
        "state": after.state.value,
        "reason": after.reason,
        "due_at": written(after.due_at),
    }
    return Step(after.supplier, after.order_no, Kind.OUTCOME, after.command_id, facts, storable(result.words))


def settled_step(after: Command) -> Step:
    """That a command ended or stopped without a call, or that nobody knows what its last call came to."""
    facts = {"state": after.state.value, "reason": after.reason}
    kind = Kind.STOPPED if after.state in STOPPED else Kind.ENDED
    if after.state not in STOPPED | ENDED:
        kind, facts = Kind.OUTCOME, {**facts, "outcome": "unknown", "code": after.reason}
    return Step(after.supplier, after.order_no, kind, after.command_id, facts)


def letter_of(after: Command) -> DeadLetter | None:
    """The letter of a command for which no automatic step is left; None for any other."""
    return undecided_letter(after) if after.state is State.DEAD else None


def _words(came: AttemptResult | LookUpResult) -> str:
    error = came.answer
    return str(error) if isinstance(error, OrderRefusedError) else ""


def _code_of(answer: object) -> str:
    return getattr(answer, "supplier_code", "") or type(answer).__name__


def _traced(news: News | None, traceparent: str | None) -> News | None:
    return None if news is None else replace(news, traceparent=traceparent)
