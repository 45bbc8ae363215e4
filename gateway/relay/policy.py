"""What comes next for a command: a call, a wait, a person, or its end. Pure and total; `now` is an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.relay.commands import Command
from gateway.relay.states import UNSENT, State
from gateway.sdk.manifest import Idempotency

MOST_SPENT = 12
"""Attempts that a command may spend; then no more is made by itself."""

SHORTEST_WAIT = 1.0
LONGEST_WAIT = 900.0
"""Seconds between two tries: full jitter below a ceiling that doubles from the one to the other."""

LONGEST_ASKED_WAIT = 3600.0
"""A supplier that asks for more seconds than this is tried again all the same."""

PARKED_BY_OPERATOR = "by_operator"
"""Why a command is parked that nothing else would stop."""

SENT_ELSEWHERE = "sent_elsewhere"
"""Why a command is parked that may have taken effect behind an adapter or address that is not called any more."""

LOOK_UP = "look_up"
"""The operation of look-ups, whatever the adapter calls it."""


RESENDING = frozenset({Idempotency.KEY, Idempotency.NATURAL})
"""Where the same request again does no harm."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is declared of one operation of one supplier.

    finds: whether its effect can be looked up; lease_term: of the supplier's owner; timeout: of one request; key_life:
    how long the supplier remembers a key or number, None: for ever.
    """

    idempotency: Idempotency
    finds: bool
    lease_term: timedelta
    timeout: timedelta
    key_life: timedelta | None = None

    def __post_init__(self) -> None:
        if self.idempotency is Idempotency.QUERY and not self.finds:
            raise ValueError("idempotency by query needs a look-up")

    @property
    def settle(self) -> timedelta:
        """After so long what was begun has happened or never will: its owner has lost the lease, its request ended."""
        return self.lease_term + self.timeout


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a supplier may be called, and where.

    shut: operation → until when its breaker lets nothing through; address: adapter and address that are called.
    """

    paused: bool = False
    shut: Mapping[str, datetime] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Note an attempt, then send it. retry: it is not the first; to: adapter and address that are called."""

    retry: bool = False
    to: str = ""


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the supplier whether it took effect."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing now. until: when to ask again, None: when something happens to the command."""

    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Park:
    """A person must find out whether it took effect."""

    reason: str


@dataclass(frozen=True, slots=True)
class Die:
    """A dead letter: no automatic step is left. The lane waits behind it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finish:
    """It ends; the mall core is told. state: one of `ENDED`."""

    state: State
    reason: str = ""


Decision: TypeAlias = Send | LookUp | Wait | Park | Die | Finish
"""What comes next for a command."""


def next_step(command: Command, profile: Profile, reach: Availability, now: datetime) -> Decision:
    """What comes next for the first command of a lane. A call is decided only where it may begin now."""
    match command.state:
        case State.WAITING | State.RETRY:
            return _next_of_unsent(command, reach, now)
        case State.UNKNOWN:
            return _next_of_unknown(command, profile, reach, now)
        case State.PARKED:
            return _next_of_parked(command, now)
        case _:
            return Wait(None, command.reason)


def is_expired(command: Command, now: datetime) -> bool:
    """Whether its time is over and nothing of it can have happened: wherever it stands in its lane, it ends."""
    return may_end_unsent(command) and now >= command.deadline


def may_end_unsent(command: Command) -> bool:
    """Whether it may end without a word of the supplier: nothing of it can have happened there."""
    return command.state in UNSENT or (is_parked_by_operator(command) and command.doubt_since is None)


def is_parked_by_operator(command: Command) -> bool:
    """Whether nothing but an operator's word keeps it from going on."""
    return command.state is State.PARKED and command.reason == PARKED_BY_OPERATOR


def is_elsewhere(command: Command, address: str) -> bool:
    """Whether it may have taken effect where nobody can be asked any more: another supplier may know the number."""
    return command.doubt_since is not None and command.sent_to not in ("", address)


def is_parked_elsewhere(command: Command) -> bool:
    """Whether it is parked because another adapter or address is called now."""
    return command.state is State.PARKED and command.reason == SENT_ELSEWHERE


def may_resend(command: Command, profile: Profile, now: datetime) -> bool:
    """Whether the same request again does no harm though an earlier one may have taken effect.

    What leaves now arrives within the settle time; the supplier must remember the first one until then.
    """
    if command.doubt_since is None:
        return True
    if profile.idempotency not in RESENDING or command.refusal:
        return False
    return profile.key_life is None or now < command.doubt_since + profile.key_life - profile.settle


def backoff(failures: int, dice: Callable[[], float], asked: float | None = None) -> timedelta:
    """How long to wait after so many failures in a row. asked: seconds that the supplier asks for."""
    ceiling = min(LONGEST_WAIT, SHORTEST_WAIT * 2.0 ** min(failures, 30))
    wait = max(SHORTEST_WAIT, ceiling * dice())
    if asked is not None and asked > wait:
        wait = min(asked, max(wait, LONGEST_ASKED_WAIT))
    return timedelta(seconds=wait)


def _next_of_unsent(command: Command, reach: Availability, now: datetime) -> Decision:
    if is_expired(command, now):
        return Finish(State.EXPIRED, "deadline")
    if command.spent >= MOST_SPENT:
        return Die("attempts_spent")
    return _once_reachable(_send(command, reach), command, command.operation, reach, now)


def _next_of_unknown(command: Command, profile: Profile, reach: Availability, now: datetime) -> Decision:
    if now >= command.deadline:
        return Die("undecided_at_deadline")
    if command.spent >= MOST_SPENT:
        return Die("attempts_spent")
    if is_elsewhere(command, reach.address):
        return Park(SENT_ELSEWHERE)
    if may_resend(command, profile, now):
        return _once_reachable(_send(command, reach), command, command.operation, reach, now)
    if profile.finds:
        return _once_reachable(LookUp(), command, LOOK_UP, reach, now)
    return Park(_why_parked(command, profile))


def _next_of_parked(command: Command, now: datetime) -> Decision:
    if is_expired(command, now):
        return Finish(State.EXPIRED, "deadline")
    late = now >= command.deadline
    return Die("undecided_at_deadline") if late else Wait(command.deadline, command.reason)


def _why_parked(command: Command, profile: Profile) -> str:
    if command.refusal:
        return "refused_after_unknown"
    return "key_expired" if profile.idempotency in RESENDING else "ambiguous_no_idempotency"


def _send(command: Command, reach: Availability) -> Send:
    return Send(retry=command.attempt > 0, to=reach.address)


def _once_reachable(step: Decision, command: Command, operation: str, reach: Availability, now: datetime) -> Decision:
    if reach.paused:
        return Wait(command.deadline, "paused")
    if command.due_at > now:
        return Wait(min(command.due_at, command.deadline), command.reason)
    shut = reach.shut.get(operation, now)
    return Wait(min(shut, command.deadline), "breaker_open") if shut > now else step
