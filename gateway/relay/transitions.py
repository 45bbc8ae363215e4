"""What happens to a command's facts: a step is taken, a call comes to something, its process dies, a person speaks.

Each returns the facts that follow. What a call came to is taken from the claim alone under which it was begun: a
process that was frozen past its lease (a zombie) learns of a call that the next owner has long judged as unknown. Its
word would be about another attempt than the one under way, so it is dropped, whatever it says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from gateway.relay.commands import Command, Role
from gateway.relay.outcomes import AttemptOutcome, Classified, LookUpOutcome
from gateway.relay.policy import (
    PARKED_BY_OPERATOR,
    Decision,
    Die,
    Finish,
    LookUp,
    Park,
    Profile,
    Send,
    Wait,
    backoff,
    is_parked_by_operator,
    is_parked_elsewhere,
    may_end_unsent,
)
from gateway.relay.states import BUSY, NEXT_STATES, STOPPED, UNSENT, State
from gateway.sdk.manifest import Idempotency


@dataclass(frozen=True, slots=True)
class Claim:
    """Under which lease and as which attempt a call was begun."""

    epoch: int
    attempt: int


class Resolution(StrEnum):
    """What a person found out about a command that may have taken effect. not_done: it has not, and never will."""

    DONE = "done"
    NOT_DONE = "not_done"


@dataclass(frozen=True, slots=True)
class ResolutionRefused:
    """A person's word that cannot be taken. until: when it can be, None: never."""

    reason: str
    until: datetime | None = None


def carry_out(command: Command, decision: Decision, *, epoch: int, now: datetime) -> Command:
    """The facts once a decision is taken; they are durable before the first byte leaves. epoch: of the lease."""
    match decision:
        case Send(to=to):
            noted = {"epoch": epoch, "attempt": command.attempt + 1, "sent_at": now, "sent_to": to, "absent_at": None}
            return moved(command, State.SENDING, **noted)
        case LookUp():
            return moved(command, State.LOOKING_UP, epoch=epoch)
        case Park(reason):
            return moved(command, State.PARKED, reason=reason)
        case Die(reason):
            return moved(command, State.DEAD, reason=reason)
        case Finish(state, reason):
            return moved(command, state, reason=reason)
        case Wait():
            return command


def claim_of(command: Command) -> Claim:
    """The claim of a call that was just begun."""
    return Claim(command.epoch, command.attempt)


def take_outcome(
    command: Command,
    claim: Claim,
    result: Classified,
    profile: Profile,
    *,
    now: datetime,
    dice: Callable[[], float],
    probe: bool = False,
) -> Command | None:
    """The facts after an attempt; None: the attempt is not the one under way, drop what it came to.

    probe: it was the one by which an open breaker finds out whether the supplier is back. It spends nothing: a supplier
    that is away for a day would otherwise use up the attempts of whatever is tried first.
    """
    if not is_current(command, claim, State.SENDING):
        return None
    if result.outcome is AttemptOutcome.CONFIRMED:
        return moved(command, State.CONFIRMED, reason=result.code)
    if result.outcome is AttemptOutcome.REJECTED:
        return _refused(command, result, profile, now)
    if result.differs:
        return moved(in_doubt(command), State.HELD, reason=result.code)
    if result.outcome is AttemptOutcome.UNKNOWN:
        tried = replace(in_doubt(command), spent=command.spent + (0 if probe else 1))
    elif result.repeatable:
        tried = command
    else:
        return moved(command, State.DEAD, reason=result.code)
    return _again(tried, result.code, now, dice, result.retry_after)


def take_look_up(
    command: Command,
    claim: Claim,
    found: LookUpOutcome,
    profile: Profile,
    *,
    asked_at: datetime,
    now: datetime,
    dice: Callable[[], float],
) -> Command | None:
    """The facts after a look-up that was made at `asked_at`; None: it is not the one under way, drop it."""
    if not is_current(command, claim, State.LOOKING_UP):
        return None
    match found:
        case LookUpOutcome.FOUND:
            return moved(command, State.CONFIRMED, reason="found")
        case LookUpOutcome.DIFFERS:
            return moved(command, State.HELD, reason="found_differs")
        case LookUpOutcome.LAPSED:
            return moved(command, State.REFUSED, reason=command.refusal or found.value)
        case LookUpOutcome.FAILED:
            return _again(command, "look_up_failed", now, dice)
        case LookUpOutcome.ABSENT:
            return _absent(command, profile, asked_at, now)


def recover(command: Command, epoch: int, now: datetime) -> Command:
    """The facts under a new owner. A call of a former one is judged without its answer: what was sent is unknown.

    Its intent is durable, its answer is not. It is spent, so that what kills a process each time comes to an end.
    """
    if command.state not in BUSY or command.epoch >= epoch:
        return command
    if command.state is State.LOOKING_UP:
        return moved(command, State.UNKNOWN, due_at=now)
    return moved(in_doubt(command), State.UNKNOWN, reason="owner_lost", spent=command.spent + 1, due_at=now)


def resolve(command: Command, word: Resolution, profile: Profile, now: datetime) -> Command | ResolutionRefused:
    """The facts after a person's word about a command that stopped, or that may have taken effect.

    Of a held submit the supplier has something, so that it is done or cancelled: sent again it would be there twice.
    Anything else is held by an order that contradicts it, and is refused where it is not done.
    """
    if command.state not in STOPPED | {State.UNKNOWN}:
        return ResolutionRefused(f"is_{command.state}")
    if may_end_unsent(command):
        return ResolutionRefused("never_sent")
    if word is Resolution.DONE:
        return moved(command, State.CONFIRMED, reason="resolved_done")
    if command.state is State.HELD and command.role is Role.MAKES:
        return ResolutionRefused("held")
    return _resolved_not_done(command, profile, now)


def resolve_acknowledged(command: Command, word: Resolution) -> Command:
    """The facts after a person's word about a command that its vendor acknowledged and never answered.

    It was delivered, and its lane went on long ago: what it came to is told, as the vendor's answer would have been.
    """
    return replace(command, reason=f"resolved_{word.value}")


def park(command: Command) -> Command | ResolutionRefused:
    """The facts once an operator stops a command that no call is under way for."""
    if command.state not in UNSENT | {State.UNKNOWN}:
        return ResolutionRefused(f"is_{command.state}")
    return moved(command, State.PARKED, reason=PARKED_BY_OPERATOR)


def release(command: Command) -> Command | ResolutionRefused:
    """The facts once an operator takes that back, or the former address is called again: it stands where it stood.

    Any other stop needs a resolution.
    """
    if not is_parked_by_operator(command) and not is_parked_elsewhere(command):
        return ResolutionRefused("needs_resolution" if command.state in STOPPED else f"is_{command.state}")
    if command.doubt_since is not None:
        return moved(command, State.UNKNOWN)
    return moved(command, State.RETRY if command.attempt else State.WAITING)


def is_current(command: Command, claim: Claim, state: State) -> bool:
    """Whether the call that a claim is of is the one under way."""
    return command.state is state and (command.epoch, command.attempt) == (claim.epoch, claim.attempt)


def in_doubt(command: Command) -> Command:
    """From its last attempt on, if no earlier one, it may have taken effect."""
    return replace(command, doubt_since=command.doubt_since or command.sent_at)


def answers_for_all(refusal: Classified, profile: Profile) -> bool:
    """Whether a refusal is of all attempts, not of the last alone: a supplier that keeps keys repeats its first answer.

    One that knows orders by number may look at its stock before it looks for the order; a status that its interface
    does not promise may come of a proxy before it.
    """
    return profile.idempotency is Idempotency.KEY and refusal.promised


def is_finally_absent(absent_at: datetime | None, asked_at: datetime, profile: Profile) -> bool:
    """Whether what was not found will never appear: not found twice, and what was begun has ended between the two."""
    return absent_at is not None and asked_at >= absent_at + profile.settle


def moved(command: Command, state: State, **facts: Any) -> Command:
    """The command in another state. Raises ValueError for one that may not follow: a bug, never a fault outside."""
    if state not in NEXT_STATES[command.state]:
        raise ValueError(f"{command.state} is not followed by {state}")
    return replace(command, **{"reason": "", **facts, "state": state})


def _refused(command: Command, result: Classified, profile: Profile, now: datetime) -> Command:
    if command.doubt_since is None or answers_for_all(result, profile):
        return moved(command, State.REFUSED, reason=result.code)
    refusal = result.code or "rejected"
    return moved(command, State.UNKNOWN, reason="refused_after_unknown", refusal=refusal, due_at=now)


def _resolved_not_done(command: Command, profile: Profile, now: datetime) -> Command | ResolutionRefused:
    settled_at = now if command.sent_at is None else command.sent_at + profile.settle
    if now < settled_at:
        return ResolutionRefused("may_still_happen", settled_at)
    if command.state is State.HELD:
        return moved(command, State.REFUSED, reason="resolved_not_done")
    return replace(_not_done(command, now), spent=0, failures=0)


def _absent(command: Command, profile: Profile, asked_at: datetime, now: datetime) -> Command:
    if is_finally_absent(command.absent_at, asked_at, profile):
        return _not_done(command, now)
    absent_at = command.absent_at or asked_at
    return moved(command, State.UNKNOWN, reason="absent_once", absent_at=absent_at, due_at=absent_at + profile.settle)


def _not_done(command: Command, now: datetime) -> Command:
    """None of its attempts took effect: where the supplier refused one, that stands."""
    certain = replace(command, doubt_since=None, absent_at=None)
    if command.refusal:
        return moved(certain, State.REFUSED, reason=command.refusal)
    return moved(certain, State.RETRY, due_at=now)


def _again(
    command: Command, reason: str, now: datetime, dice: Callable[[], float], asked: float | None = None
) -> Command:
    failures = command.failures + 1
    state = State.RETRY if command.doubt_since is None else State.UNKNOWN
    return moved(command, state, reason=reason, failures=failures, due_at=now + backoff(failures, dice, asked))
