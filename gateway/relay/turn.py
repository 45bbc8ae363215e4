"""What a turn of the relay decides: lane by lane what ends or stops without a call, and which call comes next. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.calls.breakers import BreakerStatus
from gateway.relay.answers import profile_of
from gateway.relay.attempts import order_write
from gateway.relay.commands import Command
from gateway.relay.lanes import Lane, Step, leaves_order, plan
from gateway.relay.policy import LOOK_UP, Availability, Die, Finish, LookUp, Park, Profile, Send
from gateway.relay.transitions import carry_out
from gateway.sdk.manifest import Idempotency, Manifest

_UNABLE = Profile(Idempotency.NONE, finds=False, lease_term=timedelta(0), timeout=timedelta(0))
"""Of an operation that the adapter has no more: nothing is sent, what ends by its deadline ends."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Under what a supplier is called at this moment. shut: its operations that let nothing through, and until when."""

    manifest: Manifest
    lease_term: timedelta
    timeout: timedelta
    paused: bool = False
    shut: Mapping[str, datetime] = field(default_factory=dict)

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
        return Availability(self.paused, {name: self.shut[call] for name, call in calls.items() if call in self.shut})

    def shut_operations(self) -> Sequence[str]:
        """Operations on orders for which nothing can be called."""
        return [
            f"order.{task}" for task, write in self.manifest.orders.items() if write.call in self.shut or self.paused
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
    """Everything that a lane comes to now, up to its next call."""
    moves: list[Move] = []
    before = {command.command_id: number for number, command in enumerate(lane.commands)}
    while lane.commands:
        first = lane.commands[0]
        steps = plan(lane, terms.profile(first), terms.availability(first), now)
        calls = [step for step in steps if isinstance(step.decision, Send | LookUp)]
        if calls:
            return Planned(moves, calls[0])
        ended = [step for step in steps if isinstance(step.decision, Finish | Park | Die)]
        for step in ended:
            after = carry_out(step.command, step.decision, epoch=epoch, now=now)
            alone = not lane.ordered and before[after.command_id] == len(moves) and not any(map(_in_doubt, moves))
            moves.append(Move(step.command, after, alone))
        if not all(isinstance(step.decision, Finish) for step in steps):
            break
        lane = _left(lane, [each.now for each in moves])
    return Planned(moves)


def shut_until(breakers: Mapping[str, BreakerStatus], now: datetime) -> Mapping[str, datetime]:
    """Until when each breaker lets nothing through."""
    return {name: now + timedelta(seconds=each.seconds) for name, each in breakers.items() if each.seconds > 0}


def waiting(count: int, longest: float, shortest: float) -> float:
    """Seconds to rest after so many turns in a row in which there was nothing to do."""
    return min(longest, shortest * 2.0 ** min(count, 16))


def _in_doubt(move: Move) -> bool:
    return move.was.doubt_since is not None


def _left(lane: Lane, ended: Sequence[Command]) -> Lane:
    gone = {command.command_id for command in ended}
    left = [command for command in lane.commands if command.command_id not in gone]
    return Lane(left, ordered=lane.ordered or any(map(leaves_order, ended)))
