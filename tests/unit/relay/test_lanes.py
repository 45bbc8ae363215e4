"""Who runs: the first of each lane, up to the supplier's places; what ends without a call; what waits for a person."""

from __future__ import annotations

import pytest

from gateway.relay.commands import Receipt, Role, first_facts, receive
from gateway.relay.lanes import NOT_MADE, OVER, Lane, Step, leaves_order, plan, startable
from gateway.relay.policy import Availability, Finish, LookUp, Send, Wait
from gateway.relay.states import STOPPED, State
from gateway.sdk.manifest import Idempotency
from tests.unit.relay.commands import DAY, NOON, cancel, made, profile, seconds, unknown

UNSENT = Finish(State.CANCELLED_UNSENT, "never_sent")
CONFIRM = {"command_id": "c9", "operation": "confirm", "role": Role.CHANGES, "place": 2}


def planned(*commands, ordered: bool = False, mode: Idempotency = Idempotency.KEY, submitted: int | None = None):
    steps = plan(Lane(commands, ordered, submitted=submitted), profile(mode), Availability(), NOON)
    return [(step.command.command_id, step.decision) for step in steps]


def test_only_the_first_of_a_lane_runs():
    assert planned(made(), made(**CONFIRM)) == [("c1", Send())]
    assert planned() == []


@pytest.mark.parametrize("state", sorted(STOPPED | {State.SENDING, State.LOOKING_UP}))
def test_followers_wait_behind_a_call_under_way_and_behind_what_stopped(state: State):
    first = unknown(state=state)
    [(who, decision)] = planned(first, made(**CONFIRM))
    assert (who, type(decision)) == ("c1", Wait)


def test_a_follower_that_was_never_sent_expires_where_it_stands():
    steps = planned(unknown(state=State.PARKED), made(**CONFIRM, deadline=NOON), made(command_id="c3", place=3))
    assert steps == [("c9", Finish(State.EXPIRED, "deadline"))]


@pytest.mark.parametrize("state", [State.WAITING, State.RETRY])
def test_a_cancel_behind_an_order_that_was_never_sent_ends_both_and_what_is_between_without_a_call(state: State):
    steps = planned(made(state=state), made(**CONFIRM), cancel(place=3), made(command_id="c4", place=4))
    assert steps == [("c1", UNSENT), ("c9", UNSENT), ("c2", UNSENT)]


@pytest.mark.parametrize("first", [unknown(), unknown(state=State.SENDING), unknown(state=State.PARKED)])
def test_a_cancel_waits_for_an_order_that_may_have_been_sent(first):
    assert all(not isinstance(decision, Finish) for _, decision in planned(first, cancel()))


def test_a_cancel_of_an_order_that_the_supplier_has_is_sent_though_the_newest_revision_never_was():
    assert planned(made(revision=2), cancel(), ordered=True) == [("c1", UNSENT)]
    assert planned(cancel(), ordered=True) == [("c2", Send())]


REFUSED = Finish(State.REFUSED, "not_ordered")


@pytest.mark.parametrize("follower", [made(**CONFIRM), cancel(), cancel(role=Role.CANCELS_CHILDREN)])
def test_what_is_asked_of_an_order_that_was_refused_is_refused_unheard(follower):
    assert planned(follower, submitted=1) == [(follower.command_id, REFUSED)]
    assert planned(follower, submitted=1, ordered=True) == [(follower.command_id, Send())]
    assert planned(follower) == [(follower.command_id, Send())]  # perhaps it was ordered before there was a gateway
    assert planned(follower, submitted=3) == [(follower.command_id, Send())]  # the core asks for the order only later
    assert planned(made(place=2), submitted=1) == [("c1", Send())]


@pytest.mark.parametrize("why", [NOT_MADE, OVER])
def test_what_serves_an_order_that_is_not_there_is_refused_unsent(why: str):
    serves = made(command_id="c5", role=Role.SERVES, place=2)
    [step] = plan(Lane([serves], unserved=why), profile(), Availability(), NOON)
    assert step.decision == Finish(State.REFUSED, why)
    [step] = plan(Lane([serves]), profile(), Availability(), NOON)
    assert step.decision == Send()
    [step] = plan(Lane([made()], unserved=why), profile(), Availability(), NOON)
    assert step.decision == Send()


def test_what_may_have_taken_effect_is_looked_up_though_its_order_was_refused():
    asked = unknown(**CONFIRM)
    [(_, decision)] = planned(asked, submitted=1, mode=Idempotency.QUERY)
    assert decision == LookUp()


def test_a_cancel_past_its_deadline_cancels_nothing():
    assert planned(made(), cancel(deadline=NOON)) == [("c2", Finish(State.EXPIRED, "deadline"))]


def test_a_cancel_behind_an_order_s_confirmation_alone_is_sent_in_its_turn():
    assert planned(made(**CONFIRM), cancel(place=3)) == [("c9", Send())]


def test_a_held_order_makes_way_for_what_cancels_it():
    steps = planned(unknown(state=State.HELD), made(**CONFIRM), cancel(place=3))
    assert steps == [
        ("c1", Finish(State.SUPERSEDED, "superseded_by c2")),
        ("c9", Finish(State.CANCELLED_UNSENT, "superseded_by c2")),
    ]


@pytest.mark.parametrize("mode", list(Idempotency))
def test_a_newer_revision_takes_the_place_of_a_held_order_only_where_it_would_not_be_a_second_one(mode: Idempotency):
    steps = planned(unknown(state=State.HELD), made(command_id="c2", place=2, revision=2), mode=mode)
    superseded = Finish(State.SUPERSEDED, "superseded_by c2")
    assert steps == [("c1", superseded if mode is Idempotency.NATURAL else Wait())]


def test_the_same_revision_does_not_take_the_place_of_a_held_order():
    assert planned(unknown(state=State.HELD), made(command_id="c2", place=2), mode=Idempotency.NATURAL) == [
        ("c1", Wait())
    ]


def test_a_superseded_order_is_still_at_the_supplier():
    assert leaves_order(unknown(state=State.SUPERSEDED))
    assert leaves_order(made(state=State.CONFIRMED))
    assert not leaves_order(made(state=State.SUPERSEDED))
    assert not leaves_order(made(state=State.REFUSED))
    assert not leaves_order(made(**CONFIRM, state=State.CONFIRMED))


def test_calls_are_begun_longest_due_first_up_to_the_supplier_s_places():
    steps = [Step(made(command_id=f"c{late}", due_at=NOON - seconds(late)), Send()) for late in (1, 3, 2)]
    assert [step.command.command_id for step in startable(steps, 2, lambda: True)] == ["c3", "c2"]
    assert startable(steps, 0, lambda: True) == []


def test_a_retry_without_budget_takes_no_place_from_others():
    retry = Step(made(due_at=NOON - DAY), Send(retry=True))
    first, look_up, wait = Step(made(), Send()), Step(unknown(), LookUp()), Step(made(), Wait())
    assert startable([retry, first, look_up, wait], 2, lambda: False) == [first, look_up]
    assert startable([retry, first], 1, lambda: True) == [retry]


def test_budget_is_not_spent_by_retries_that_have_no_place():
    budget = iter([True] * 5)
    retries = [Step(made(place=place), Send(retry=True)) for place in range(5)]
    assert len(startable(retries, 2, lambda: next(budget))) == 2
    assert len(list(budget)) == 3


def test_the_same_command_twice_is_one_and_another_under_its_id_a_conflict():
    known = made(state=State.CONFIRMED, attempt=3)
    assert receive(None, made()) is Receipt.NEW
    assert receive(known, made(place=7, due_at=NOON + DAY)) is Receipt.REPEATED
    changes = (
        {"content": "x"},
        {"supplier": "x"},
        {"order_no": "x"},
        {"operation": "x"},
        {"revision": 2},
        {"deadline": NOON},
    )
    assert {receive(known, made(**change)) for change in changes} == {Receipt.CONFLICT}


def test_what_a_supplier_is_not_offered_ends_as_unsupported():
    assert first_facts(made(), {"submit"}).state is State.WAITING
    assert (first_facts(made(), {"cancel"}).state, first_facts(made(), {"cancel"}).reason) == (
        State.UNSUPPORTED,
        "unsupported_operation",
    )
    assert first_facts(made(), set()).reason == "no_supplier"
