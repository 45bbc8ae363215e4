"""Lanes: the commands of one order at one supplier, in the order of their places. Only the first one runs.

A lane waits behind a command that stopped for a person; its followers keep their states meanwhile, so that they go on
in order by themselves once the person has spoken. Lanes of a supplier run beside each other up to its concurrency,
which is its own: a supplier that hangs holds its own places and nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.relay.commands import Command, Role
from gateway.relay.policy import (
    Availability,
    Decision,
    Finish,
    LookUp,
    Profile,
    Send,
    is_expired,
    may_end_unsent,
    next_step,
)
from gateway.relay.states import BUSY, STOPPED, State
from gateway.sdk.manifest import Idempotency


@dataclass(frozen=True, slots=True)
class Lane:
    """What has not ended of a lane, by place. ordered: the supplier has the order, from a command that has ended."""

    commands: Sequence[Command]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next for one command."""

    command: Command
    decision: Decision


def plan(lane: Lane, profile: Profile, reach: Availability, now: datetime) -> Sequence[Step]:
    """What comes next in a lane. Where commands end without a call, that alone: plan what is left again.

    profile: of the first command's operation.
    """
    if not lane.commands:
        return []
    ends = _expired(lane, now) or _cancelled_unsent(lane) or _superseded(lane, profile)
    first = lane.commands[0]
    return ends or [Step(first, next_step(first, profile, reach, now))]


def stopped_by(lane: Lane) -> Command | None:
    """The command that a lane waits behind until a person has spoken; None: it goes on by itself."""
    first = lane.commands[0] if lane.commands else None
    return first if first is not None and first.state in STOPPED else None


def leaves_order(command: Command) -> bool:
    """Whether a command that has ended left an order at the supplier, or may have."""
    effected = command.state is State.CONFIRMED or (
        command.state is State.SUPERSEDED and command.doubt_since is not None
    )
    return command.role is Role.MAKES and effected


def room(commands: Iterable[Command], concurrency: int) -> int:
    """Calls that may be begun at a supplier beside those under way. commands: of that supplier alone."""
    return max(0, concurrency - sum(command.state in BUSY for command in commands))


def startable(steps: Iterable[Step], places: int, spend_retry: Callable[[], bool]) -> Sequence[Step]:
    """The calls to begin, longest due first. spend_retry: whether the budget has one more retry; it is spent then."""
    calls = [step for step in steps if isinstance(step.decision, Send | LookUp)]
    begun: list[Step] = []
    for step in sorted(calls, key=lambda step: (step.command.due_at, step.command.place)):
        if len(begun) >= places:
            break
        if step.decision != Send(retry=True) or spend_retry():
            begun.append(step)
    return begun


def _expired(lane: Lane, now: datetime) -> Sequence[Step]:
    return [Step(command, Finish(State.EXPIRED, "deadline")) for command in lane.commands if is_expired(command, now)]


def _cancelled_unsent(lane: Lane) -> Sequence[Step]:
    """An order that was never sent, and everything up to what cancels it. An order from before it must be cancelled."""
    first = lane.commands[0]
    if first.role is not Role.MAKES or not may_end_unsent(first):
        return []
    cancel = _following(lane, lambda command: command.role is Role.CANCELS)
    if cancel is None:
        return []
    ending = lane.commands[:cancel] if lane.ordered else lane.commands[: cancel + 1]
    return [Step(command, Finish(State.CANCELLED_UNSENT, "never_sent")) for command in ending]


def _superseded(lane: Lane, profile: Profile) -> Sequence[Step]:
    """An order that is held, and everything up to what takes its place: what cancels it, or a newer revision.

    The core was told of the held one as it was held; of those between the two nothing was ever sent. A newer revision
    only where the supplier knows orders by our number: anywhere else it would be a second order.
    """
    first = lane.commands[0]
    if first.state is not State.HELD or first.role is not Role.MAKES:
        return []

    def replaces(command: Command) -> bool:
        newer = command.role is Role.MAKES and command.revision > first.revision
        return command.role is Role.CANCELS or (newer and profile.idempotency is Idempotency.NATURAL)

    after = _following(lane, replaces)
    if after is None:
        return []
    reason = f"superseded_by {lane.commands[after].command_id}"
    between = [Step(command, Finish(State.CANCELLED_UNSENT, reason)) for command in lane.commands[1:after]]
    return [Step(first, Finish(State.SUPERSEDED, reason)), *between]


def _following(lane: Lane, fits: Callable[[Command], bool]) -> int | None:
    return next((index for index, command in enumerate(lane.commands) if index and fits(command)), None)
