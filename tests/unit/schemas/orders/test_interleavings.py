"""Commands, answers and news of one order in any order, against a model of ten lines."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.orders import MOVES, TERMINAL, OrderFact, OrderJudgement, OrderStatus, State, StateVerdict, judge, states
from schemas.orders.states import ASKED, CORE_FACTS, PROGRESS

HEARD = sorted(set(OrderFact) - ASKED - CORE_FACTS)
FURTHEST = [OrderFact.ACCEPTED, OrderFact.CONFIRMED, OrderFact.SHIPPED, OrderFact.PARTLY_DELIVERED, OrderFact.DELIVERED]

MAY_BEGIN_ANEW = {State.REFUSED, State.EXPIRED, State.CANCELLED}

BEGINNINGS = [
    (),
    (OrderFact.SUBMIT,),
    (OrderFact.SUBMIT, OrderFact.ACCEPTED),
    (OrderFact.SUBMIT, OrderFact.ACCEPTED, OrderFact.CANCEL),
    (OrderFact.SUBMIT, OrderFact.CONFIRMED, OrderFact.SHIPPED),
    (OrderFact.SUBMIT, OrderFact.SUBMIT_REFUSED, OrderFact.SUBMIT, OrderFact.ACCEPTED),
    (OrderFact.SUBMIT, OrderFact.CONFIRMED, OrderFact.CANCEL, OrderFact.CANCELLED, OrderFact.SUBMIT),
]


class Model:
    """What is known of an order without any table: how far the goods have come, and whether it is over."""

    def __init__(self) -> None:
        self.goods = -1
        self.over = False

    def begin_anew(self) -> None:
        """The order that was over is submitted again: nothing is known of it."""
        self.goods, self.over = -1, False

    def hear(self, fact: OrderFact, state: State) -> None:
        if not self.over and state is not State.DRAFT and fact in FURTHEST[2:]:
            self.goods = max(self.goods, FURTHEST.index(fact))
        self.over = self.over or state in TERMINAL


class Order(RuleBasedStateMachine):
    """One order; every rule is something that somebody says or does."""

    def __init__(self) -> None:
        super().__init__()
        self.status = OrderStatus(State.DRAFT)
        self.model = Model()

    @initialize(facts=st.sampled_from(BEGINNINGS))
    def begin(self, facts: tuple[OrderFact, ...]) -> None:
        """What most orders begin with; from scratch few would come far."""
        for fact in facts:
            self._take(fact)

    def _take(self, fact: OrderFact) -> StateVerdict:
        before, judgement = self.status, judge(self.status, fact)
        begins_anew = fact is OrderFact.SUBMIT and before.state in MAY_BEGIN_ANEW
        if begins_anew:
            assert judgement.status == OrderStatus(State.SUBMITTING)
        elif before.state in TERMINAL:
            assert judgement.status == before
            assert (judgement.verdict is StateVerdict.LATE) == (fact in PROGRESS)
        self.model.hear(fact, before.state)
        if begins_anew:
            self.model.begin_anew()
        self.status = judgement.status
        self.model.hear(fact, self.status.state)
        return judgement.verdict

    @rule(fact=st.sampled_from(HEARD))
    def hear(self, fact: OrderFact) -> None:
        """The supplier says something, however late."""
        assert self._take(fact) is not StateVerdict.NOT_ALLOWED

    @rule(fact=st.sampled_from(sorted(ASKED | CORE_FACTS)))
    def act(self, fact: OrderFact) -> None:
        """The mall does something."""
        assert self._take(fact) in (StateVerdict.MOVES, StateVerdict.NOT_ALLOWED)

    @precondition(lambda self: self.status.state is State.CANCEL_PENDING)
    @rule()
    def cancel_is_refused(self) -> None:
        """Then the order stands where it would stand without the cancel."""
        before = self.status.before
        self._take(OrderFact.CANCEL_FAILED)
        assert self.status.state is before

    @invariant()
    def goods_that_came_are_not_forgotten(self) -> None:
        """Whatever else is said: what was shipped or delivered shows, unless the order is over."""
        state = self.status.before if self.status.state is State.CANCEL_PENDING else self.status.state
        assert self.model.over == (self.status.state in TERMINAL)
        if self.model.goods >= 0 and not self.model.over:
            assert state in _SHOWS[FURTHEST[self.model.goods]]


_AFTER = {State.ACCEPTED, State.DISPUTED, State.INVOICED, State.PAID, State.REJECTED}
_SHOWS = {
    OrderFact.SHIPPED: {State.IN_FULFILMENT, State.PARTIALLY_DELIVERED, State.DELIVERED} | _AFTER,
    OrderFact.PARTLY_DELIVERED: {State.PARTIALLY_DELIVERED, State.DELIVERED} | _AFTER,
    OrderFact.DELIVERED: {State.DELIVERED} | _AFTER,
}

TestOrder = Order.TestCase
TestOrder.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)


def reopens_a_cancelled_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "TERMINAL", TERMINAL - {State.CANCELLED})
    monkeypatch.setattr(states, "_STEP", {**states._STEP, State.CANCELLED: 0})


def leaves_what_is_submitted_again_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "MOVES", {**MOVES, State.REFUSED: {}})


def takes_old_news_for_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_STEP", {**states._STEP, State.DELIVERED: 0, State.CONFIRMED: 3})


def hears_nothing_during_a_cancel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "_judge_while_cancelling", lambda status, _: OrderJudgement(StateVerdict.KNOWN, status))


def takes_a_delivered_order_back(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**MOVES[State.DELIVERED], OrderFact.CONFIRM_FAILED: State.RESERVED}
    monkeypatch.setattr(states, "MOVES", {**MOVES, State.DELIVERED: row})


@pytest.mark.parametrize(
    "fault",
    [
        reopens_a_cancelled_order,
        leaves_what_is_submitted_again_refused,
        takes_old_news_for_new,
        hears_nothing_during_a_cancel,
        takes_a_delivered_order_back,
    ],
)
def test_a_planted_fault_is_caught(fault, monkeypatch):
    fault(monkeypatch)
    few = settings(max_examples=3000, stateful_step_count=30, deadline=None, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Order, settings=few)
