"""What ends or stops in a lane without a call, and what of it is not as it was. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.relay.commands import Command
from gateway.relay.lanes import Lane, Step, plan
from gateway.relay.policy import Availability, Die, Finish, Park, Profile
from gateway.relay.states import ENDED
from gateway.relay.transitions import carry_out


@dataclass(frozen=True, slots=True)
class Change:
    """A command as it was and as it is now.

    alone: where its order stands is decided by it; else the supplier has, or may have, the order from another command.
    """

    was: Command
    now: Command
    alone: bool = True


def end_without_call(
    lane: Lane, stands: MutableMapping[str, Command], profile: Profile, reach: Availability, now: datetime
) -> Sequence[Step]:
    """Have everything end or stop in `stands`, the lane by id, that does without a call; what comes next then."""
    while True:
        open_ = [command for command in stands.values() if command.state not in ENDED]
        steps = plan(Lane(open_, lane.ordered, unserved=lane.unserved), profile, reach, now)
        settled = [step for step in steps if isinstance(step.decision, Finish | Die | Park)]
        if not settled:
            return steps
        for step in settled:
            stands[step.command.command_id] = carry_out(step.command, step.decision, epoch=0, now=now)


def changes_of(lane: Lane, stands: Mapping[str, Command]) -> Iterator[Change]:
    """What is not as it was. Behind a command that goes on, or may have taken effect, nothing decides alone."""
    alone = not lane.ordered
    for was in lane.commands:
        now = stands[was.command_id]
        if now != was:
            yield Change(was, now, alone)
        alone = alone and now.state in ENDED and was.doubt_since is None
