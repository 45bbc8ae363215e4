"""What a turn of the relay decides: lane by lane what ends or stops without a call, and which call comes next. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.calls.breakers import BreakerStatus
from gateway.relay.answers import profile_of
from gateway.relay.attempts import order_write
from gateway.relay.commands import Command, Role
from gateway.relay.lanes import Lane, Step, ends_with_first, expired, leaves_order, startable
from gateway.relay.policy import LOOK_UP, Availability, Die, Finish, LookUp, Park, Profile, Send, is_expired, next_step
from gateway.relay.transitions import carry_out
from gateway.sdk.manifest import OPERATION_OF, Idempotency, Manifest

_UNABLE = Profile(Idempotency.NONE, finds=False, lease_term=timedelta(0), timeout=timedelta(0))
"""Of an operation that the adapter has no more: nothing is sent, what ends by its deadline ends."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what a supplier is called at this moment.

    shut: its operations that let nothing through, and until when; address: adapter and address that are called.
    """

    manifest: Manifest
    lease_term: timedelta
    timeout: timedelta
    paused: bool = False
    shut: Mapping[str, datetime] = field(default_factory=dict)
    address: str = ""

    def profile(self, command: Command) -> Profile:
        """What is declared of a command's operation."""
        write = order_write(self.manifest, command.operation)
        return _UNABLE if write is None else profile_of(write, lease_term=self.lease_term, timeout=self.timeout)

    def availability(self, command: Command) -> Availability:
        """Whether the supplier may be called for a command."""
        write = order_write(self.manifest, command.operation)
        if write is None or (command.attempt and not command.epoch):  # a vendor fetched it: he may have it
            return Availability(paused=True)
        calls = {command.operation: write.call, LOOK_UP: write.look_up or ""}
        shut = {name: self.shut[call] for name, call in calls.items() if call in self.shut}
        return Availability(self.paused, shut, self.address)

    def shut_operations(self) -> Sequence[str]:
        """Operations on orders for which nothing can be called."""
        return [
            OPERATION_OF[task] for task, write in self.manifest.orders.items() if write.call in self.shut or self.paused
        ]


@dataclass(frozen=True, slots=True)
class Move:
    """A command that ends or stops without a call, as it was and as it is then.

    alone: where its order stands is decided by it; else the supplier has, or may have, the order from another command.
    """

    was: Command
    now: Command
    alone: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """What a lane comes to: what ends or stops in it, and the call that comes next."""

    without_call: Sequence[Move]
    call: Step | None = None

    @property
    def commands(self) -> Sequence[Command]:
        """All that it is about: it is carried out as a whole, or not at all."""
        return [*(each.was for each in self.without_call), *([self.call.command] if self.call else [])]


def planned(lane: Lane, terms: Terms, epoch: int, now: datetime) -> Planned:
    """Everything that a lane comes to now, up to its next call; of one that is cut, what ends in it first."""
    plan = _LanePlan(lane, epoch, now)
    for step in expired(lane, now):
        plan.end(step)
    while plan.goes_on:
        first = plan.waiting[0]
        profile = terms.profile(first)
        steps = ends_with_first(plan.lane, profile) or [
            Step(first, next_step(first, profile, terms.availability(first), now))
        ]
        if isinstance(steps[0].decision, Send | LookUp):
            return Planned(plan.moves, steps[0])
        for step in steps:
            plan.end(step)
        if not all(isinstance(step.decision, Finish) for step in steps):
            break
    return Planned(plan.moves)


def beginning(plans: Sequence[Planned], places: int, spend_retry: Callable[[], bool]) -> Sequence[Planned]:
    """Plans, each with its call only where that begins now. The others, for which there is no place or no retry left,
    are seen again.
    """
    steps = startable([plan.call for plan in plans if plan.call is not None], places, spend_retry)
    begun = {step.command.command_id for step in steps}
    return [
        plan if plan.call is None or plan.call.command.command_id in begun else replace(plan, call=None)
        for plan in plans
    ]


class _LanePlan:
    """A lane while it is planned: what has not ended of it, and what has, each command gone through a few times."""

    def __init__(self, lane: Lane, epoch: int, now: datetime) -> None:
        self.waiting = deque(command for command in lane.commands if not is_expired(command, now))
        self.moves: list[Move] = []
        self._cut = lane.cut
        self._ordered = lane.ordered
        self._submitted = lane.submitted
        self._unserved = lane.unserved
        self._doubted = False
        self._epoch = epoch
        self._now = now
        beginning = lane.commands if lane.cut is None else lane.commands[: lane.cut]
        self._before = {command.command_id: number for number, command in enumerate(beginning)}

    @property
    def lane(self) -> Lane:
        """What is left."""
        return Lane(self.waiting, self._ordered, self._cut, self._submitted, self._unserved)

    @property
    def goes_on(self) -> bool:
        """Whether there is more to decide. Of a lane that is cut no more is, once something has ended."""
        return bool(self.waiting) and (self._cut is None or (self._cut > 1 and not self.moves))

    def end(self, step: Step) -> None:
        """Note what ends, or stops, without a call."""
        if not isinstance(step.decision, Finish | Park | Die):
            return
        was, after = step.command, carry_out(step.command, step.decision, epoch=self._epoch, now=self._now)
        nothing_before = self._before.get(was.command_id) == len(self.moves)
        self.moves.append(Move(was, after, alone=nothing_before and not self._ordered and not self._doubted))
        self._doubted = self._doubted or was.doubt_since is not None
        self._ordered = self._ordered or leaves_order(after)
        if was.role is Role.MAKES:
            self._submitted = was.place if self._submitted is None else min(was.place, self._submitted)
        if self.waiting and self.waiting[0] is was:
            self.waiting.popleft()


def shut_until(breakers: Mapping[str, BreakerStatus], now: datetime) -> Mapping[str, datetime]:
    """Until when each breaker lets nothing through."""
    return {name: now + timedelta(seconds=each.seconds) for name, each in breakers.items() if each.seconds > 0}


def waiting(count: int, longest: float, shortest: float) -> float:
    """Seconds to rest after so many turns in a row in which there was nothing to do."""
    return min(longest, shortest * 2.0 ** min(count, 16))
