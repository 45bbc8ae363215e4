"""Orders that are cancelled, submitted again and touched by people while their vendor fetches and answers in his order.

The model is the vendor: he does what he fetched one by one, and what he has in the end is where the order stands. A
person who denies what the vendor does later is wrong; then only that every command ends once is still claimed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.relay import vendor_answers
from gateway.relay.commands import Command, Origin, Role
from gateway.relay.ends import ending_news, undecided_news
from gateway.relay.lane_ends import Change
from gateway.relay.lanes import Lane, leaves_order
from gateway.relay.mailbox_lanes import MAILBOX, acknowledged, decide_lane, delivered
from gateway.relay.states import ENDED
from gateway.relay.states import State as CommandState
from gateway.relay.transitions import Resolution, ResolutionRefused, park, release, resolve
from gateway.relay.vendor_answers import after_answer
from gateway.relay.vendor_events import VENDOR_EVENTS, VendorEvent
from schemas.orders import Kind, Operation, OrderFact, OrderStatus, State, judge, states
from tests.unit.relay.commands import DAY, NOON, made

HARD = settings(
    max_examples=200,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
MUTANTS = settings(HARD, max_examples=3_000, phases=[Phase.generate])

ASKED = [
    (Operation.SUBMIT, Role.MAKES),
    (Operation.SUBMIT, Role.MAKES),
    (Operation.CONFIRM, Role.CHANGES),
    (Operation.CANCEL, Role.CANCELS),
    (Operation.CANCEL, Role.CANCELS_CHILDREN),
]
SENT = {Operation.SUBMIT: OrderFact.SUBMIT, Operation.CONFIRM: OrderFact.CONFIRM, Operation.CANCEL: OrderFact.CANCEL}
STANDS = {"reserved": {State.RESERVED}, "placed": {State.CONFIRMED}}
NOTHING_THERE = {State.DRAFT, State.REFUSED, State.EXPIRED, State.CANCELLED}


HAS_ORDER = {"reserved", "placed"}
HAS = {Role.MAKES: {"nothing"}, Role.CHANGES: {"reserved"}}
"""What the vendor must have of the order to do what he is asked."""


def said(kind: Kind, **payload: Any) -> VendorEvent:
    return VENDOR_EVENTS[kind].model_validate_json(orjson.dumps({"event": kind, "payload": payload}))


class Vendor:
    """What he fetched and has not done yet, and what he has of the order."""

    def __init__(self) -> None:
        self.fetched: list[Command] = []
        self.has = "nothing"

    def fetch(self, command: Command) -> None:
        if command.command_id not in [each.command_id for each in self.fetched]:
            self.fetched.append(command)

    def do(self, command: Command, *, willing: bool) -> VendorEvent:
        """Do it, as far as it can be done; his word about it."""
        refused = {"by": "supplier", "code_class": "other"}
        done = willing and self.has in HAS.get(command.role, HAS_ORDER)
        match command.role:
            case Role.MAKES if done:
                self.has, word = "reserved", said(Kind.ACCEPTED)
            case Role.CHANGES if done:
                self.has, word = "placed", said(Kind.CONFIRMED)
            case Role.CANCELS if done:
                self.has, word = "nothing", said(Kind.CANCELLED, scope="order", by="mall")
            case Role.CANCELS_CHILDREN if done:
                word = said(Kind.CANCELLED, scope="children", children=["C-1"], by="mall")
            case Role.CANCELS:
                word = said(Kind.CANCEL_REFUSED, scope="order", **refused)
            case Role.CANCELS_CHILDREN:
                word = said(Kind.CANCEL_REFUSED, scope="children", children=["C-1"], **refused)
            case _:
                word = said(Kind.REFUSED, operation=command.operation, code_class="other")
        return word


class Machine(RuleBasedStateMachine):
    """One order at one vendor, by the rules of the product without its database."""

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = NOON
        self.commands: dict[str, Command] = {}
        self.ends: Counter[str] = Counter()
        self.status = OrderStatus(State.DRAFT)
        self.vendor = Vendor()
        self.misled = False

    @property
    def open(self) -> list[Command]:
        return [each for each in self.commands.values() if each.state not in ENDED]

    @property
    def unanswered(self) -> list[Command]:
        return [each for each in self.commands.values() if each.attempt and not self.ends[each.command_id]]

    def hear(self, *facts: OrderFact | None) -> None:
        for fact in facts:
            if fact is not None:
                self.status = judge(self.status, fact).status

    def keep(self, command: Command) -> None:
        self.commands[command.command_id] = command

    def look(self) -> Command | None:
        """End what ends without a call, and tell of it; what may be fetched."""
        ordered = any(leaves_order(each) for each in self.commands.values())
        found = decide_lane(Lane(self.open, ordered), self.now)
        for change in found.changes:
            self.keep(change.now)
            if change.now.state in ENDED:
                self.end_unsent(change)
            if change.now.state is CommandState.DEAD:
                self.hear(undecided_news(change.now, Origin(None, None), self.now).fact)
        return None if found.ready is None else delivered(found.ready, self.now).now

    def end_unsent(self, change: Change) -> None:
        self.ends[change.now.command_id] += 1
        news = ending_news(change.now, Origin(None, None), self.now, alone=change.alone)
        self.hear(*(each.fact for each in news))
        if change.now.attempt:
            self.go_on_by_others([change.now])

    def go_on_by_others(self, answers: Sequence[Command]) -> None:
        if vendor_answers.is_still_submitted(answers, self.unanswered):
            self.hear(OrderFact.SUBMIT)

    @rule(asked=st.lists(st.sampled_from(ASKED), min_size=1, max_size=3), days=st.sampled_from([1, 3]))
    def command(self, asked: list[tuple[Operation, Role]], days: int) -> None:
        """The mall core writes commands."""
        for place, (operation, role) in enumerate(asked, start=len(self.commands) + 1):
            facts = {"operation": operation, "role": role, "place": place, "revision": place, "due_at": self.now}
            self.keep(made(command_id=f"00000000-0000-4000-8000-{place:012}", deadline=self.now + days * DAY, **facts))

    @rule(times=st.integers(1, 3))
    def collect(self, times: int) -> None:
        """The vendor fetches commands and acknowledges each."""
        for _ in range(times):
            self.fetch()
            if self.vendor.fetched:
                self.acknowledge()

    @rule()
    def fetch(self) -> None:
        """The vendor fetches the next command, or the last one again."""
        ready = self.look()
        if ready is None:
            return
        self.keep(ready)
        self.vendor.fetch(ready)
        if ready.attempt == 1:
            self.hear(SENT[Operation(ready.operation)])

    @precondition(lambda self: bool(self.vendor.fetched))
    @rule()
    def acknowledge(self) -> None:
        """He says that he has what he fetched last."""
        command = self.commands[self.vendor.fetched[-1].command_id]
        self.keep(acknowledged(command) or command)

    @precondition(lambda self: bool(self.vendor.fetched))
    @rule(willing=st.sampled_from([True, True, False]))
    def answer(self, willing: bool) -> None:
        """He does what he fetched first, and says so."""
        command = self.vendor.fetched.pop(0)
        word = self.vendor.do(command, willing=willing)
        found = vendor_answers.fit(word, self.status, self.unanswered, None)
        if not self.misled:
            assert not found.refused
            assert not found.late
            assert command.command_id in [each.command_id for each in found.answers]
            assert not [each for each in found.answers if each.role is Role.MAKES and each.place > command.place]
        if found.refused or found.late:
            return
        self.hear(found.fact)
        for each in found.answers:
            self.keep(after_answer(each, word))
            self.ends[each.command_id] += 1
        if found.answers:
            self.go_on_by_others(found.answers)
        answered = {each.command_id for each in found.answers}
        self.vendor.fetched = [each for each in self.vendor.fetched if each.command_id not in answered]

    @rule(hours=st.sampled_from([1, 1, 30]))
    def pass_time(self, hours: int) -> None:
        """Time passes, and what is due is looked at."""
        self.now += timedelta(hours=hours)
        ready = self.look()
        assert ready is None or ready.attempt > 0

    @precondition(lambda self: any(each.state is CommandState.DEAD for each in self.open))
    @rule(right=st.booleans())
    def deny(self, right: bool) -> None:
        """A person says that the vendor did not do it, nor ever will; right: he throws it away, else he does it yet."""
        command = next(each for each in self.open if each.state is CommandState.DEAD)
        decided = resolve(command, Resolution.NOT_DONE, MAILBOX, self.now)
        assert isinstance(decided, Command)
        self.keep(decided)
        if right:
            self.vendor.fetched = [each for each in self.vendor.fetched if each.command_id != command.command_id]

    @precondition(lambda self: bool(self.open))
    @rule(back=st.booleans())
    def operate(self, back: bool) -> None:
        """An operator stops the first command, or lets it go on."""
        decided = (release if back else park)(self.open[0])
        if not isinstance(decided, ResolutionRefused):
            self.keep(decided)

    @invariant()
    def nothing_ends_twice(self) -> None:
        assert not [each for each, ends in self.ends.items() if ends > 1]
        # What was denied and is over by its time while the vendor still has it: he is about to do what nobody expects.
        self.misled |= any(self.ends[each.command_id] for each in self.vendor.fetched)

    def teardown(self) -> None:
        """Everybody does what there is to do: everything ends once, and the order stands where its vendor has it."""
        for _ in range(4 * len(self.commands) + 4):
            while self.vendor.fetched:
                self.answer(willing=True)
                self.nothing_ends_twice()
            if self.open:
                self.operate(back=True)
            self.fetch()
            self.nothing_ends_twice()
        assert self.open == []
        assert [each for each in self.commands if self.ends[each] != 1] == []
        if not self.misled:
            assert self.status.state in STANDS.get(self.vendor.has, NOTHING_THERE), self.vendor.has


def test_whatever_is_submitted_again_every_command_ends_once_and_the_order_stands_where_its_vendor_has_it() -> None:
    run_state_machine_as_test(Machine, settings=HARD)


def a_cancel_ends_what_is_behind_it(unanswered: Sequence[Command]) -> Sequence[Command]:
    return unanswered


def no_other_submit_counts(*_: Any) -> bool:
    return False


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("_of_one_order", a_cancel_ends_what_is_behind_it),
        ("is_still_submitted", no_other_submit_counts),
    ],
)
def test_a_rule_taken_out_is_noticed(name: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor_answers, name, mutant)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=MUTANTS)


def test_an_order_that_stays_over_when_it_is_submitted_again_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    over: dict[State, dict[OrderFact, State]] = {state: {} for state in (State.REFUSED, State.EXPIRED, State.CANCELLED)}
    monkeypatch.setattr(states, "MOVES", {**states.MOVES, **over})
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=MUTANTS)


def test_children_that_are_cancelled_for_ever_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    back = {**states.BACK, State.CANCEL_PENDING: frozenset({OrderFact.CANCEL_FAILED})}
    monkeypatch.setattr(states, "BACK", back)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=MUTANTS)
