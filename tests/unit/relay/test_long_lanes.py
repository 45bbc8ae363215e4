"""Long lanes come to the same whether they are read whole or in parts, and cost no more than in proportion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.registry import Registry
from gateway.relay.commands import Command, Role
from gateway.relay.lanes import Lane, plan
from gateway.relay.policy import PARKED_BY_OPERATOR, Die, Finish, Park, Wait
from gateway.relay.states import ENDED, State
from gateway.relay.transitions import carry_out
from gateway.relay.turn import Terms, planned
from tests.unit.relay.commands import DAY, NOON, made

TERMS = Terms(Registry().load("jd_vop").manifest, lease_term=timedelta(seconds=15), timeout=timedelta(seconds=15))

ROLES = {"order.submit": Role.MAKES, "order.confirm": Role.CHANGES, "order.cancel": Role.CANCELS}

FIRST: Sequence[dict[str, Any]] = [
    {"state": State.WAITING},
    {"state": State.RETRY, "attempt": 1},
    {"state": State.PARKED, "reason": PARKED_BY_OPERATOR},
    {"state": State.HELD, "attempt": 1, "epoch": 1},
    {"state": State.HELD, "attempt": 1, "epoch": 1, "doubt_since": NOON},
    {"state": State.UNKNOWN, "attempt": 1, "epoch": 1, "doubt_since": NOON, "sent_at": NOON},
    {"state": State.PARKED, "attempt": 1, "epoch": 1, "reason": "key_expired", "doubt_since": NOON},
    {"state": State.SENDING, "attempt": 1, "epoch": 7},
    {"state": State.DEAD, "attempt": 1, "epoch": 1, "doubt_since": NOON},
]
"""What the first command of a lane may be."""

ASKED = st.tuples(st.sampled_from(sorted(ROLES)), st.sampled_from([NOON, NOON + DAY, NOON + DAY]), st.integers(1, 3))


def numbered(asked: Iterable[tuple[str, datetime, int]]) -> list[Command]:
    return [
        made(
            command_id=f"c{place}",
            operation=operation,
            role=ROLES[operation],
            place=place,
            deadline=deadline,
            revision=revision,
        )
        for place, (operation, deadline, revision) in enumerate(asked)
    ]


def cut(commands: Sequence[Command], ordered: bool, most: int, submitted: int | None = None) -> Lane:
    """The lane as it is read where no more than `most` of it are read at once."""
    if len(commands) <= most:
        return Lane(commands, ordered, submitted=submitted)
    first, beginning, rest = commands[0], commands[:most], commands[most:]
    late = [each for each in rest if each.state in (State.WAITING, State.RETRY) and each.deadline <= NOON][:most]
    cancels = [each for each in rest if each.role is Role.CANCELS][:1]
    newer = [each for each in rest if each.role is Role.MAKES and each.revision > first.revision][:1]
    behind = {each.place: each for each in (*late, *cancels, *newer)}
    return Lane([*beginning, *(behind[place] for place in sorted(behind))], ordered, most, submitted)


def first_submitted(commands: Iterable[Command]) -> int | None:
    return min((each.place for each in commands if each.role is Role.MAKES and each.state in ENDED), default=None)


def carried_out(commands: Sequence[Command], ordered: bool, most: int) -> tuple[dict[str, State], object]:
    """Turns on end until nothing ends any more: where every command stands then, and the call that comes next."""
    stand = {each.command_id: each for each in commands}
    while True:
        left = [each for each in stand.values() if each.state not in ENDED]
        found = planned(cut(left, ordered, most, first_submitted(stand.values())), TERMS, 7, NOON)
        if not found.without_call:
            call = found.call and (found.call.command.command_id, found.call.decision)
            return {name: each.state for name, each in stand.items()}, call
        stand.update({each.now.command_id: each.now for each in found.without_call})
        superseded = (each.now for each in found.without_call if each.now.state is State.SUPERSEDED)
        ordered = ordered or any(each.doubt_since is not None for each in superseded)


def step_by_step(commands: Sequence[Command], ordered: bool) -> tuple[dict[str, State], object]:
    """The same, each group that ends planned anew from the whole lane."""
    stand = {each.command_id: each for each in commands}
    while left := [each for each in stand.values() if each.state not in ENDED]:
        lane = Lane(left, ordered, submitted=first_submitted(stand.values()))
        steps = plan(lane, TERMS.profile(left[0]), TERMS.availability(left[0]), NOON)
        moved = [carry_out(s.command, s.decision, epoch=7, now=NOON) for s in steps if ends(s.decision)]
        if not moved:
            call = None if isinstance(steps[0].decision, Wait) else (left[0].command_id, steps[0].decision)
            return {name: each.state for name, each in stand.items()}, call
        stand.update({each.command_id: each for each in moved})
        ordered = ordered or any(each.state is State.SUPERSEDED and each.doubt_since is not None for each in moved)
    return {name: each.state for name, each in stand.items()}, None


def ends(decision: object) -> bool:
    return isinstance(decision, Finish | Park | Die)


@settings(max_examples=1_500, deadline=None, derandomize=True, database=None)
@given(st.lists(ASKED, min_size=1, max_size=24), st.sampled_from(FIRST), st.booleans(), st.sampled_from([2, 3, 5]))
def test_a_lane_that_is_read_in_parts_comes_to_the_same_as_one_that_is_read_whole(
    asked: list[tuple[str, datetime, int]], first: dict[str, Any], ordered: bool, most: int
) -> None:
    commands = numbered(asked)
    commands[0] = replace(commands[0], **first)
    whole = step_by_step(commands, ordered)
    assert carried_out(commands, ordered, 1_000) == whole
    assert carried_out(commands, ordered, most) == whole


def test_nothing_is_sent_while_a_cancel_stands_behind_what_was_not_read() -> None:
    waiting = numbered([("order.submit", NOON + DAY, 1), *[("order.confirm", NOON + DAY, 1)] * 9])
    [taken_back] = numbered([("order.cancel", NOON + DAY, 1)])
    lane = cut([*waiting, replace(taken_back, command_id="c10", place=10)], False, 4)
    found = planned(lane, TERMS, 7, NOON)
    assert found.call is None
    assert [each.now.command_id for each in found.without_call] == ["c1", "c2", "c3"]
    assert {(each.now.state, each.alone) for each in found.without_call} == {(State.CANCELLED_UNSENT, False)}


class Counted(Command):
    """A command that counts how often it is looked at."""

    __slots__ = ()
    looks: ClassVar[Counter[str]] = Counter()

    def __getattribute__(self, name: str) -> Any:
        Counted.looks["all"] += 1
        return super().__getattribute__(name)


def counted(command: Command) -> Command:
    return Counted(**{each.name: getattr(command, each.name) for each in fields(Command)})


SUBMITTED, CONFIRMED, TAKEN_BACK = ((name, NOON + DAY, 1) for name in ("order.submit", "order.confirm", "order.cancel"))

LONG: dict[str, Sequence[tuple[str, datetime, int]]] = {
    "one order after the other, each taken back": [SUBMITTED, TAKEN_BACK],
    "orders that nobody takes back": [SUBMITTED, CONFIRMED],
    "everything too late": [("order.confirm", NOON, 1)],
    "every other one too late": [SUBMITTED, ("order.submit", NOON, 1), TAKEN_BACK],
}


@pytest.mark.parametrize("kind", LONG)
def test_a_lane_is_planned_with_as_many_looks_at_its_commands_as_it_is_long(kind: str) -> None:
    looks = []
    for length in (96, 192, 384, 768):
        pattern = LONG[kind]
        commands = numbered(pattern[place % len(pattern)] for place in range(length))
        lane = Lane([counted(each) for each in commands])
        Counted.looks.clear()
        planned(lane, TERMS, 7, NOON)
        looks.append(Counted.looks["all"] / length)
    assert max(looks) <= 1.05 * min(looks), looks
