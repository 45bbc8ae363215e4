"""Commands, faults, crashes and people in any order, against a ledger; each rule taken out must be noticed."""

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
from gateway.relay.outcomes import AttemptOutcome, Classified, LookUpOutcome
from gateway.relay.policy import Availability, Profile
from gateway.relay.states import ENDED, STOPPED, State
from gateway.relay.transitions import Resolution
from gateway.sdk.manifest import Idempotency
from tests.unit.relay.commands import LEASE_TERM, TIMEOUT, made, profile, seconds
from tests.unit.relay.faults import ARRIVED, NOT_ARRIVED
from tests.unit.relay.world import Flight, World

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
HOW = [*ARRIVED, *NOT_ARRIVED, "done", "lost_after", "late", "late", "refused"]
ANSWERS = st.tuples(st.integers(0, 2), st.sampled_from(HOW), st.sampled_from([0, 1, 1, 20, 61]))


class Machine(RuleBasedStateMachine):
    """One supplier, and all that may happen on the way to it."""

    away = False

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
        order_no=st.sampled_from("AABC"),
        operation=st.sampled_from(OPERATIONS[:1] * 3 + OPERATIONS),
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
        self.world.work()

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

    @rule(leap=st.sampled_from([1, 61, 600, 7200]))
    def pass_time(self, leap: int) -> None:
        """Time passes, and whatever is due by then is done."""
        self.world.advance(seconds(leap))
        self.world.work()
        self.world.check()

    @precondition(lambda self: bool(self.world.flights))
    @rule(answers=st.lists(ANSWERS, min_size=1, max_size=6))
    def answer(self, answers: list[tuple[int, str, int]]) -> None:
        """Calls are answered, or answers are lost, before or after the effect; those of a zombie come late."""
        for which, how, leap in answers:
            if flights := self.world.flights:
                self.answer_one(flights[which % len(flights)], how)
            self.pass_time(leap)

    def answer_one(self, flight: Flight, how: str) -> None:
        """A look-up sees what was there when it was made."""
        if not flight.looks_up:
            self.world.answer(flight, how)
        elif how in NOT_ARRIVED:
            self.world.answer_look_up(flight, LookUpOutcome.FAILED)
        elif flight.found:
            self.world.answer_look_up(flight, LookUpOutcome.DIFFERS if how == "differs" else LookUpOutcome.FOUND)
        else:
            self.world.answer_look_up(flight, LookUpOutcome.ABSENT)

    @precondition(lambda self: bool(self.world.flights))
    @rule(killed=st.booleans())
    def lose_owner(self, killed: bool) -> None:
        """The process is killed and starts again, or it is frozen past its lease and another one goes on."""
        if killed:
            self.world.crash()
        else:
            self.world.lose_lease()

    @rule(how=st.sampled_from(["pause", "trip", "resume", "resume", "move"]))
    def disturb(self, how: str) -> None:
        """The supplier is paused or goes on, the breaker of orders opens, or another address is declared, or the former
        one again.
        """
        if how == "trip":
            self.world.breakers["submit"].trip(self.world.clock)
        elif how == "move":
            self.world.address = "there" if self.world.address == "here" else "here"
        else:
            self.world.paused = how == "pause"

    def doubtful(self) -> list[str]:
        states = STOPPED | {State.UNKNOWN}
        return [command.command_id for command in self.world.inbox.values() if command.state in states]

    @precondition(lambda self: bool(self.doubtful()))
    @rule(data=st.data())
    def resolve(self, data: st.DataObject) -> None:
        """A person finds out what became of a command."""
        self.world.resolve(data.draw(st.sampled_from(self.doubtful())))

    def held(self) -> list[str]:
        held = [command for command in self.world.inbox.values() if command.state is State.HELD]
        return [command.command_id for command in held if command.role is Role.MAKES]

    @precondition(lambda self: bool(self.held()))
    @rule(data=st.data())
    def deny(self, data: st.DataObject) -> None:
        """A person takes an order that is another than was asked for as none at all."""
        self.world.take_word(data.draw(st.sampled_from(self.held())), Resolution.NOT_DONE)
        self.world.work()

    @precondition(lambda self: bool(self.world.inbox))
    @rule(data=st.data(), back=st.booleans())
    def operate(self, data: st.DataObject, back: bool) -> None:
        """An operator stops a command, or lets one go on."""
        command_id = data.draw(st.sampled_from(list(self.world.inbox)))
        self.world.release(command_id) if back else self.world.park(command_id)
        self.world.work()

    @precondition(lambda self: not self.world.flights and not self.away)
    @rule(how=st.sampled_from(["unreachable", "away", "limited", "locked_out"]))
    def outage(self, how: str) -> None:
        """The supplier is away for a day; once is enough, few commands outlive it."""
        self.away = True
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


def a_page_is_missing_after_a_lost_answer() -> None:
    """The order is there; then its address is gone, and comes back."""
    world = World(profile(Idempotency.KEY, finds=True), 1, seed=1)
    world.receive(made())
    for how in ("lost_after", "no_such_page"):
        world.work()
        world.answer(world.flights[0], how)
        world.check()
        world.advance(seconds(20))
    world.quiet()
    assert world.inbox["c1"].state is State.CONFIRMED


def test_an_order_that_was_made_is_not_refused_because_a_page_is_missing_afterwards() -> None:
    a_page_is_missing_after_a_lost_answer()


def test_a_missing_page_taken_for_the_supplier_s_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transitions, "answers_for_all", a_page_that_is_missing_answers_for_all)
    with pytest.raises(AssertionError):
        a_page_is_missing_after_a_lost_answer()


RELEASE, RESOLVE = transitions.release, transitions.resolve
CLASSIFY, RECOVER, PLAN, NEXT, BACKOFF = (
    outcomes.classify,
    transitions.recover,
    lanes.plan,
    policy.next_step,
    policy.backoff,
)


def unknown_is_retried(*args: Any) -> Classified:
    came_to = CLASSIFY(*args)
    return replace(came_to, outcome=AttemptOutcome.RETRY_SAFE) if came_to.outcome is AttemptOutcome.UNKNOWN else came_to


def whatever_fails_may_have_happened(*args: Any) -> Classified:
    came_to = CLASSIFY(*args)
    return replace(came_to, outcome=AttemptOutcome.UNKNOWN) if came_to.outcome is AttemptOutcome.RETRY_SAFE else came_to


def another_call_is_taken_for_the_write(*_: Any) -> bool:
    return True


def a_key_is_remembered_for_ever(command: Command, profile: Profile, _: Any) -> bool:
    resends = profile.idempotency in policy.RESENDING and not command.refusal
    return command.doubt_since is None or resends


def everybody_honours_keys(command: Command, *_: Any) -> bool:
    return not command.refusal


def absent_once_is_enough(*_: Any) -> bool:
    return True


def a_refusal_answers_for_all(*_: Any) -> bool:
    return True


def a_page_that_is_missing_answers_for_all(_: Any, profile: Profile) -> bool:
    return profile.idempotency is Idempotency.KEY


def a_zombie_is_believed(command: Command, _: Any, state: State) -> bool:
    return command.state is state


def doubt_is_forgotten(command: Command) -> Command:
    return command


def what_was_sent_is_waiting(command: Command, epoch: int, now: Any) -> Command:
    recovered = RECOVER(command, epoch, now)
    if recovered is command or command.state is not State.SENDING:
        return recovered
    return replace(recovered, state=State.RETRY, doubt_since=command.doubt_since)


def what_was_sent_stays(command: Command, *_: Any) -> Command:
    return command


def whatever_is_late_is_expired(command: Command, now: Any) -> bool:
    return bool(now >= command.deadline) and command.state not in {State.CONFIRMED, State.SENDING, State.LOOKING_UP}


def deadlines_are_for_others(*_: Any) -> bool:
    return False


def what_may_have_been_sent_was_not(command: Command) -> bool:
    return command.state in {State.WAITING, State.RETRY, State.SENDING}


def what_stopped_is_overtaken(lane: lanes.Lane, *rest: Any) -> Any:
    return PLAN(replace(lane, commands=[each for each in lane.commands if each.state not in STOPPED]), *rest)


def the_order_before_is_forgotten(_: Command) -> bool:
    return False


def every_address_is_the_same(*_: Any) -> bool:
    return False


def breakers_are_ignored(command: Command, profile: Profile, reach: Availability, now: Any) -> Any:
    return NEXT(command, profile, replace(reach, shut={}), now)


def pauses_are_ignored(command: Command, profile: Profile, reach: Availability, now: Any) -> Any:
    return NEXT(command, profile, replace(reach, paused=False), now)


def nobody_is_asked_how_long(failures: int, dice: Callable[[], float], _: Any = None) -> timedelta:
    return BACKOFF(failures, dice)


def there_is_always_room(*_: Any) -> int:
    return 9


def every_id_is_new(*_: Any) -> Receipt:
    return Receipt.NEW


def every_id_that_is_known_is_repeated(known: Command | None, _: Any) -> Receipt:
    return Receipt.REPEATED if known else Receipt.NEW


def what_is_over_begins_anew(command: Command, epoch: int, now: Any) -> Command:
    return replace(command, state=State.RETRY) if command.state in ENDED else RECOVER(command, epoch, now)


def each_attempt_has_its_key(command: Command) -> str:
    return f"{command.command_id}-{command.attempt}"


def the_lease_of_a_zombie_is_forgotten(profile: Profile) -> timedelta:
    return profile.timeout


def a_lookup_never_ends(*args: Any, **_: Any) -> None:
    return None


def what_is_released_was_never_sent(command: Command) -> Any:
    released = RELEASE(command)
    return replace(released, state=State.RETRY, doubt_since=None) if isinstance(released, Command) else released


def what_is_held_is_not_there(command: Command, word: Resolution, *rest: Any) -> Any:
    if command.state is not State.HELD or word is Resolution.DONE:
        return RESOLVE(command, word, *rest)
    return RESOLVE(replace(command, state=State.DEAD), word, *rest)


@pytest.mark.parametrize(
    ("home", "rule_", "mutant"),
    [
        (transitions, "resolve", what_is_held_is_not_there),
        (transitions, "release", what_is_released_was_never_sent),
        (outcomes, "classify", unknown_is_retried),
        (outcomes, "classify", whatever_fails_may_have_happened),
        (outcomes, "_is_about", another_call_is_taken_for_the_write),
        (policy, "may_resend", a_key_is_remembered_for_ever),
        (policy, "may_resend", everybody_honours_keys),
        (policy, "backoff", nobody_is_asked_how_long),
        (policy, "is_expired", deadlines_are_for_others),
        (policy, "is_elsewhere", every_address_is_the_same),
        (transitions, "is_finally_absent", absent_once_is_enough),
        (transitions, "answers_for_all", a_refusal_answers_for_all),
        (transitions, "is_current", a_zombie_is_believed),
        (transitions, "in_doubt", doubt_is_forgotten),
        (transitions, "recover", what_was_sent_is_waiting),
        (transitions, "recover", what_was_sent_stays),
        (transitions, "recover", what_is_over_begins_anew),
        (transitions, "take_look_up", a_lookup_never_ends),
        (lanes, "is_expired", whatever_is_late_is_expired),
        (lanes, "may_end_unsent", what_may_have_been_sent_was_not),
        (lanes, "plan", what_stopped_is_overtaken),
        (lanes, "leaves_order", the_order_before_is_forgotten),
        (lanes, "next_step", breakers_are_ignored),
        (lanes, "next_step", pauses_are_ignored),
        (lanes, "room", there_is_always_room),
        (commands, "receive", every_id_is_new),
        (Command, "idempotency_key", property(each_attempt_has_its_key)),
        (Profile, "settle", property(the_lease_of_a_zombie_is_forgotten)),
        (commands, "receive", every_id_that_is_known_is_repeated),
    ],
)
@pytest.mark.timeout(600)  # how long a random search takes is chance
def test_a_rule_taken_out_is_noticed(home: Any, rule_: str, mutant: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rule_as_it_is = getattr(home, rule_)
    for user in (home, commands, lanes, outcomes, policy, transitions):
        if getattr(user, rule_, None) is rule_as_it_is:
            monkeypatch.setattr(user, rule_, mutant)
    with pytest.raises((AssertionError, ValueError)):
        run_state_machine_as_test(Machine, settings=MUTANTS)
