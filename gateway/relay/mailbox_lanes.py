"""What comes next in a lane whose vendor fetches his commands. Pure.

A delivery is an attempt whose answer is the vendor's acknowledgement. One that does not come in time is no failure: the
command can be fetched again, under the same id, and nothing is spent. Once its deadline has passed nobody but a person,
or the vendor himself, can say whether he has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.relay.commands import Command
from gateway.relay.lane_ends import Change, changes_of, end_without_call
from gateway.relay.lanes import Lane
from gateway.relay.policy import Availability, Profile, Send
from gateway.relay.states import State
from gateway.relay.transitions import carry_out, in_doubt, moved, recover
from gateway.sdk.manifest import Idempotency

VISIBILITY = timedelta(seconds=60)
"""How long a vendor has to acknowledge what he fetched before it can be fetched again."""

MAILBOX = Profile(Idempotency.KEY, finds=False, lease_term=timedelta(0), timeout=timedelta(0))
"""What is promised of a vendor that fetches: a message keeps its id for ever; no owner and no request outlives it."""

NOBODY_TO_ASK = "nobody_to_ask"
"""Why a command is dead that was sent before its vendor began to fetch."""

DELIVERED = frozenset({State.SENDING, State.UNKNOWN, State.DEAD})
"""States of a command that the vendor may have."""


@dataclass(frozen=True, slots=True)
class LaneDecision:
    """What a look at a lane came to. changes: without a delivery; ready: what may be delivered."""

    changes: Sequence[Change]
    ready: Change | None


def decide_lane(lane: Lane, now: datetime, *, owned: bool = False) -> LaneDecision:
    """What ends in a lane by now, what dies, and what its vendor may fetch.

    owned: a process still works for the supplier, as one did before its vendor began to fetch.
    """
    was = {command.command_id: command for command in lane.commands}
    stands = {command.command_id: visible_again(command, now) for command in lane.commands}
    if not owned:
        stands |= {command.command_id: left_behind(command, now) for command in lane.commands if command.epoch}
    steps = end_without_call(lane, stands, MAILBOX, Availability(), now)
    ready = [step.command.command_id for step in steps if isinstance(step.decision, Send)]
    changes = [each for each in changes_of(lane, stands) if each.now.command_id not in ready]
    return LaneDecision(changes, Change(was[ready[0]], stands[ready[0]]) if ready else None)


def visible_again(command: Command, now: datetime) -> Command:
    """The command as it stands: one that was not acknowledged in time may be with the vendor, or not."""
    if command.state is not State.SENDING or command.sent_at is None or now < command.sent_at + VISIBILITY:
        return command
    if command.epoch:  # an owner sent it, and nobody fetched it
        return command
    return moved(in_doubt(command), State.UNKNOWN, reason="not_acknowledged", due_at=now)


def left_behind(command: Command, now: datetime) -> Command:
    """A command that an owner sent before the vendor began to fetch: where it may have taken effect, nobody can be
    asked, and the vendor is not given it once more. It is for a person.
    """
    found = recover(command, command.epoch + 1, now)
    return moved(found, State.DEAD, reason=NOBODY_TO_ASK) if found.state is State.UNKNOWN else found


def delivered(ready: Change, now: datetime) -> Change:
    """What may be delivered, once it is."""
    return Change(ready.was, carry_out(ready.now, Send(retry=ready.now.attempt > 0), epoch=0, now=now))


def acknowledged(command: Command) -> Command | None:
    """A command that its vendor says he has; None: it is not with him, or not any more."""
    return moved(command, State.CONFIRMED, reason="acknowledged") if command.state in DELIVERED else None
