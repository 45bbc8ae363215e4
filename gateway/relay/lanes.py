"""Lanes: the commands of one order at one supplier, in the order of their places. Only the first one runs.

A lane waits behind a command that stopped for a person; its followers keep their states meanwhile, so that they go on
in order by themselves once the person has spoken. Lanes of a supplier run beside each other up to its concurrency,
which is its own: a supplier that hangs holds its own places and nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

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
from gateway.relay.states import UNSENT, State
from gateway.sdk.manifest import Idempotency

NOT_MADE, OVER = "not_confirmed", "order_over"
"""Why a command is refused that serves an order which was never made, or which is over."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What has not ended of a lane, by place.

    ordered: the supplier has the order, from a command that has ended. cut: of a lane that is too long to be read at
    once, how many of `commands` are its beginning; those after them stand further behind, and end by their deadline or
    may take the place of the first one. None: nothing is left out. submitted: place of its first submit that has ended,
    None where there is none. unserved: why nothing that serves the order can be asked, "" where it can.
    """

    commands: Sequence[Command]
    ordered: bool = False
    cut: int | None = None
    submitted: int | None = None
    unserved: str = ""

    def is_refused(self, command: Command) -> bool:
        """Whether the order was submitted before this command, and the supplier has none of that."""
        return not self.ordered and self.submitted is not None and self.submitted < command.place


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
    first = lane.commands[0]
    ends = expired(lane, now) or ends_with_first(lane, profile)
    return ends or [Step(first, next_step(first, profile, reach, now))]


def expired(lane: Lane, now: datetime) -> Sequence[Step]:
    """What ends because its time is over, wherever it stands."""
    return [Step(command, Finish(State.EXPIRED, "deadline")) for command in lane.commands if is_expired(command, now)]


def ends_with_first(lane: Lane, profile: Profile) -> Sequence[Step]:
    """What ends because the order that the first command is about is not there, or was refused, or because a command
    behind it cancels it or takes its place; nothing of it is past its time.

    Where the lane is cut before that command, the first one stays until all between the two have ended.
    """
    return _unserved(lane) or _without_order(lane) or _cancelled_unsent(lane) or _superseded(lane, profile)


def leaves_order(command: Command) -> bool:
    """Whether a command that has ended left an order at the supplier, or may have."""
    effected = command.state is State.CONFIRMED or (
        command.state is State.SUPERSEDED and command.doubt_since is not None
    )
    return command.role is Role.MAKES and effected


def room(under_way: int, concurrency: int) -> int:
    """Calls that may be begun at a supplier beside those that are under way there."""
    return max(0, concurrency - under_way)


def startable(steps: Iterable[Step], places: int, spend_retry: Callable[[], bool]) -> Sequence[Step]:
    """The calls to begin, longest due first. spend_retry: whether the budget has one more retry; it is spent then."""
    calls = [step for step in steps if isinstance(step.decision, Send | LookUp)]
    begun: list[Step] = []
    for step in sorted(calls, key=lambda step: (step.command.due_at, step.command.place)):
        if len(begun) >= places:
            break
        if not (isinstance(step.decision, Send) and step.decision.retry) or spend_retry():
            begun.append(step)
    return begun


def _without_order(lane: Lane) -> Sequence[Step]:
    """What asks for something about an order that was refused: what the supplier has under its number is another's."""
    first = lane.commands[0]
    if first.role is Role.MAKES or first.state not in UNSENT or not lane.is_refused(first):
        return []
    return [Step(first, Finish(State.REFUSED, "not_ordered"))]


def _unserved(lane: Lane) -> Sequence[Step]:
    """What serves an order that was never made, or is over."""
    first = lane.commands[0]
    if first.role is not Role.SERVES or not lane.unserved or not may_end_unsent(first):
        return []
    return [Step(first, Finish(State.REFUSED, lane.unserved))]


def _cancelled_unsent(lane: Lane) -> Sequence[Step]:
    """An order that was never sent, and everything up to what cancels it. An order from before it must be cancelled."""
    first = lane.commands[0]
    if first.role is not Role.MAKES or not may_end_unsent(first):
        return []
    cancel = _following(lane, lambda command: command.role is Role.CANCELS)
    if cancel is None:
        return []
    if _is_behind_cut(lane, cancel):
        ending = islice(lane.commands, 1, lane.cut)
    else:
        ending = islice(lane.commands, cancel if lane.ordered else cancel + 1)
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
    cut = _is_behind_cut(lane, after)
    ending = islice(lane.commands, 1, lane.cut if cut else after)
    between = [Step(command, Finish(State.CANCELLED_UNSENT, reason)) for command in ending]
    return between if cut else [Step(first, Finish(State.SUPERSEDED, reason)), *between]


def _is_behind_cut(lane: Lane, index: int) -> bool:
    return lane.cut is not None and index >= lane.cut


def _following(lane: Lane, fits: Callable[[Command], bool]) -> int | None:
    return next((index for index, command in enumerate(lane.commands) if index and fits(command)), None)
