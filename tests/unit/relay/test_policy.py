"""What comes next, row by row: by state, declared idempotency, time, breaker and pause."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay.policy import (
    LONGEST_ASKED_WAIT,
    LOOK_UP,
    MOST_SPENT,
    SENT_ELSEWHERE,
    Availability,
    Decision,
    Die,
    Finish,
    LookUp,
    Park,
    Profile,
    Send,
    Wait,
    backoff,
    next_step,
)
from gateway.relay.states import BUSY, ENDED, State
from gateway.sdk.manifest import Idempotency
from tests.unit.relay.commands import DAY, LEASE_TERM, NOON, TIMEOUT, made, profile, seconds, unknown

KEY, NATURAL, QUERY, NONE = Idempotency
HOUR = timedelta(hours=1)
ANYWHERE = Availability()


@pytest.mark.parametrize(
    ("declared", "after", "expected"),
    [
        (profile(KEY), HOUR, Send(retry=True)),
        (profile(KEY, key_life=2 * HOUR), HOUR, Send(retry=True)),
        (profile(KEY, key_life=HOUR), HOUR - seconds(61), Send(retry=True)),
        (profile(KEY, key_life=HOUR), HOUR - seconds(60), Park("key_expired")),
        (profile(KEY, key_life=HOUR, finds=True), HOUR - seconds(60), LookUp()),
        (profile(NATURAL), HOUR, Send(retry=True)),
        (profile(NATURAL, finds=True), HOUR, Send(retry=True)),
        (profile(QUERY), seconds(0), LookUp()),
        (profile(NONE), seconds(0), Park("ambiguous_no_idempotency")),
        (profile(NONE, finds=True), seconds(0), LookUp()),
        *((profile(mode), DAY, Die("undecided_at_deadline")) for mode in Idempotency),
    ],
)
def test_an_unknown_outcome_follows_what_the_supplier_declares(declared: Profile, after: timedelta, expected: Decision):
    assert next_step(unknown(), declared, ANYWHERE, NOON + after) == expected


@pytest.mark.parametrize("declared", [profile(KEY), profile(NATURAL, finds=True), profile(QUERY), profile(NONE)])
def test_what_may_have_taken_effect_elsewhere_waits_for_a_person(declared: Profile):
    command, there = unknown(sent_to="jd_vop https://a"), Availability(address="jd_vop https://b")
    assert next_step(command, declared, there, NOON) == Park(SENT_ELSEWHERE)
    assert next_step(command, declared, there, NOON + DAY) == Die("undecided_at_deadline")
    assert next_step(command, declared, Availability(address=command.sent_to), NOON) != Park(SENT_ELSEWHERE)
    before_it_was_kept = replace(command, sent_to="")
    assert next_step(before_it_was_kept, declared, there, NOON) != Park(SENT_ELSEWHERE)
    surely_undone = replace(command, state=State.RETRY, doubt_since=None)
    assert next_step(surely_undone, declared, there, NOON) == Send(retry=True, to=there.address)


@pytest.mark.parametrize("state", [State.WAITING, State.RETRY])
def test_what_was_never_sent_is_sent_until_its_deadline_and_expires_then(state: State):
    command = made(state=state)
    assert next_step(command, profile(), ANYWHERE, NOON + DAY - seconds(1)) == Send()
    assert next_step(command, profile(), ANYWHERE, NOON + DAY) == Finish(State.EXPIRED, "deadline")


@pytest.mark.parametrize("command", [unknown(spent=MOST_SPENT), made(state=State.RETRY, spent=MOST_SPENT)])
@pytest.mark.parametrize("mode", [KEY, NATURAL, QUERY])
def test_twelve_spent_attempts_are_a_dead_letter(command, mode: Idempotency):
    assert next_step(command, profile(mode), ANYWHERE, NOON) == Die("attempts_spent")


def test_a_refusal_after_an_unknown_attempt_is_looked_up_or_parked_and_never_resent():
    refused = unknown(refusal="3008")
    assert next_step(refused, profile(NATURAL, finds=True), ANYWHERE, NOON) == LookUp()
    assert next_step(refused, profile(NATURAL), ANYWHERE, NOON) == Park("refused_after_unknown")


@pytest.mark.parametrize("command", [made(), made(state=State.RETRY), unknown()])
def test_nothing_is_sent_while_the_supplier_is_paused_or_the_breaker_open_and_the_deadline_still_counts(command):
    until = NOON + seconds(40)
    shut = Availability(shut={"submit": until})
    assert next_step(command, profile(), Availability(paused=True), NOON) == Wait(command.deadline, "paused")
    assert next_step(command, profile(), shut, NOON) == Wait(until, "breaker_open")
    assert isinstance(next_step(command, profile(), shut, until), Send)
    assert isinstance(next_step(command, profile(), Availability(paused=True), NOON + DAY), Finish | Die)


def test_the_breaker_of_orders_does_not_stop_look_ups():
    until = NOON + HOUR
    assert next_step(unknown(), profile(QUERY), Availability(shut={"submit": until}), NOON) == LookUp()
    assert next_step(unknown(), profile(QUERY), Availability(shut={LOOK_UP: until}), NOON) == Wait(
        until, "breaker_open"
    )


def test_a_wait_ends_at_the_deadline():
    assert next_step(made(due_at=NOON + 2 * DAY), profile(), ANYWHERE, NOON) == Wait(NOON + DAY)


@pytest.mark.parametrize("state", [*sorted(BUSY | ENDED), State.HELD, State.DEAD])
def test_nothing_comes_next_by_itself_while_a_call_is_under_way_or_a_person_is_needed_or_all_is_over(state: State):
    late = made(state=state, sent_at=NOON)
    assert next_step(late, profile(), ANYWHERE, NOON + 9 * DAY) == Wait()


def test_what_is_parked_is_a_dead_letter_at_its_deadline():
    parked = unknown(state=State.PARKED, reason="key_expired")
    assert next_step(parked, profile(), ANYWHERE, NOON) == Wait(NOON + DAY, "key_expired")
    assert next_step(parked, profile(), ANYWHERE, NOON + DAY) == Die("undecided_at_deadline")


def test_a_supplier_that_can_only_be_asked_needs_a_look_up():
    with pytest.raises(ValueError, match="look-up"):
        Profile(QUERY, finds=False, lease_term=LEASE_TERM, timeout=TIMEOUT)


@given(
    failures=st.integers(0, 10**6),
    roll=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(),
)
def test_a_wait_is_between_a_second_and_a_quarter_of_an_hour_or_what_was_asked_up_to_an_hour(
    failures: int, roll: float, asked: float | None
):
    wait = backoff(failures, lambda: roll, asked).total_seconds()
    alone = backoff(failures, lambda: roll).total_seconds()
    assert 1 <= alone <= 900
    assert alone <= wait <= max(alone, LONGEST_ASKED_WAIT)
    if asked is not None and alone <= asked <= LONGEST_ASKED_WAIT:
        assert wait == pytest.approx(asked, abs=1e-5)


def test_waits_are_spread_below_a_ceiling_that_doubles():
    assert [backoff(failures, lambda: 0.5).total_seconds() for failures in (1, 2, 5, 9, 20)] == [1, 2, 16, 256, 450]
