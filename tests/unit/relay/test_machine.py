"""Commands, faults, crashes and people in any order, against a supplier's ledger; each rule taken out must be noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.relay import commands, lanes, outcomes, policy, transitions
from gateway.relay.commands import Command, Receipt, Role
from gateway.relay.outcomes import Classified, LookedUp, Outcome
from gateway.relay.policy import Idempotency, Profile, Reach
from gateway.relay.states import STOPPED, State
from tests.unit.relay.commands import LEASE_TERM, TIMEOUT, made, seconds
from tests.unit.relay.world import ARRIVED, NOT_ARRIVED, Flight, World

HARD = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

# The first counter-example is enough: nobody reads that of a mutant.
MUTANTS = settings(HARD, max_examples=4_000, phases=[Phase.generate])

OPERATIONS = [("submit", Role.MAKES), ("confirm", Role.CHANGES), ("cancel", Role.CANCELS), ("polish", Role.CHANGES)]
LIVES = [timedelta(minutes=2), timedelta(hours=6), timedelta(days=7)]
LEAPS = [1, 20, 61, 300, 1800, 7200]


class Machine(RuleBasedStateMachine):
    """One supplier, and all that may happen on the way to it."""

    @initialize(
        mode=st.sampled_from(Idempotency),
        finds=st.booleans(),
        key_life=st.sampled_from([None, timedelta(minutes=10), timedelta(hours=4)]),
        places=st.integers(1, 3),
        seed=st.integers(0, 2**16),
    )
    def open(self, mode: Idempotency, finds: bool, key_life: timedelta | None, places: int, seed: int) -> None:
        finds = finds or mode is Idempotency.QUERY
        self.world = World(Profile(mode, finds, LEASE_TERM, TIMEOUT, key_life), places, seed)

    @rule(
        order_no=st.sampled_from("AAB"),
        operation=st.sampled_from(OPERATIONS[:1] * 4 + OPERATIONS),
        life=st.sampled_from(LIVES),
    )
    def command(self, order_no: str, operation: tuple[str, Role], life: timedelta) -> None:
        """The mall core writes a command."""
        place = len(self.world.inbox) + 1
        name, role = operation
        now = self.world.now
        facts = {"operation": name, "role": role, "place": place, "revision": place, "deadline": now + life}
        received = self.world.receive(made(command_id=f"c{place}", order_no=order_no, due_at=now, **facts))
        assert received is Receipt.NEW

    @precondition(lambda self: bool(self.world.inbox))
    @rule(data=st.data(), other=st.booleans())
    def come_again(self, data: st.DataObject, other: bool) -> None:
        """A command is written twice, or its id is used for something else."""
        known = data.draw(st.sampled_from(list(self.world.inbox.values())))
        content = "other" if other else known.content
        facts = {"operation": known.operation, "role": known.role, "revision": known.revision, "content": content}
        place, now = 1000 + known.place, self.world.now
        again = made(command_id=known.command_id, order_no=known.order_no, deadline=known.deadline, **facts)
        receipt = self.world.receive(replace(again, place=place, due_at=now))
        assert self.world.inbox[known.command_id] == known
        assert receipt is (Receipt.CONFLICT if other else Receipt.REPEATED)

    @rule()
    def work(self) -> None:
        """Whatever is due is done."""
        self.world.work()

    def writes(self) -> list[Flight]:
        return [flight for flight in self.world.flights if not flight.looks_up]

    def look_ups(self) -> list[Flight]:
        return [flight for flight in self.world.flights if flight.looks_up]

    @precondition(lambda self: bool(self.writes()))
    @rule(data=st.data(), how=st.sampled_from([*ARRIVED, *NOT_ARRIVED, "lost_after", "late", "refused"]))
    def answer(self, data: st.DataObject, how: str) -> None:
        """A write is answered, or its answer is lost, before or after its effect; a zombie's comes late."""
        self.world.answer(data.draw(st.sampled_from(self.writes())), how)

    @precondition(lambda self: bool(self.look_ups()))
    @rule(data=st.data(), how=st.sampled_from(["honest", "honest", "honest", "fails", "differs"]))
    def answer_look_up(self, data: st.DataObject, how: str) -> None:
        """A look-up finds what was there when it was made, finds something else, or fails."""
        flight = data.draw(st.sampled_from(self.look_ups()))
        honest = LookedUp.FOUND if flight.found else LookedUp.ABSENT
        differs = LookedUp.DIFFERS if flight.found else LookedUp.ABSENT
        self.world.answer_look_up(flight, {"honest": honest, "fails": LookedUp.FAILED, "differs": differs}[how])

    @rule()
    def crash(self) -> None:
        """The process is killed and starts again."""
        self.world.crash()

    @rule()
    def lose_lease(self) -> None:
        """The process is frozen past its lease; another one goes on."""
        self.world.lose_lease()

    @rule()
    def trip(self) -> None:
        """The breaker of orders opens."""
        self.world.breakers["submit"].trip(self.world.clock)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        """The supplier is paused, or goes on."""
        self.world.paused = paused

    def doubtful(self) -> list[str]:
        states = STOPPED | {State.UNKNOWN}
        return [command.command_id for command in self.world.inbox.values() if command.state in states]

    @precondition(lambda self: bool(self.doubtful()))
    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        """A person finds out what became of a command."""
        self.world.resolve(data.draw(st.sampled_from(self.doubtful())))

    @rule(leap=st.sampled_from(LEAPS))
    def pass_time(self, leap: int) -> None:
        """Time passes, deadlines with it."""
        self.world.advance(seconds(leap))

    @precondition(lambda self: not self.world.flights)
    @rule(how=st.sampled_from(["unreachable", "away", "limited", "locked_out"]))
    def outage(self, how: str) -> None:
        """The supplier is away for a day."""
        self.world.outage(how, timedelta(days=1))

    @invariant()
    def the_ledger_agrees(self) -> None:
        if hasattr(self, "world"):
            self.world.check()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.quiet()


def test_whatever_happens_nothing_takes_effect_twice_and_everything_ends() -> None:
    run_state_machine_as_test(Machine, settings=HARD)
