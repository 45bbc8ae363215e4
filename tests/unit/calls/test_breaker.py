"""A breaker opens on what it should, stays shut for what it should not, and finds back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.breaker import FIRST_SECONDS, LAST_SECONDS, LEAST_SECONDS, Breaker, CallVerdict, State


def always_most() -> float:
    return 1.0


@pytest.fixture
def breaker() -> Breaker:
    """One whose waits are as long as they can be."""
    return Breaker(always_most)


def call(breaker: Breaker, verdict: CallVerdict, now: float) -> bool:
    """Whether a call was let through; it is settled at once."""
    permit = breaker.admit(now)
    if permit is not None:
        breaker.settle(permit, verdict, now)
    return permit is not None


def state_of(breaker: Breaker) -> State:
    return breaker.state


def opened(breaker: Breaker, now: float = 0.0) -> Breaker:
    for _ in range(5):
        assert call(breaker, CallVerdict.AWAY, now)
    assert state_of(breaker) is State.OPEN
    return breaker


def test_five_failures_in_a_row_open_it(breaker: Breaker) -> None:
    for now in range(4):
        call(breaker, CallVerdict.AWAY, now)
    call(breaker, CallVerdict.ANSWERED, 4)
    for now in range(5, 9):
        call(breaker, CallVerdict.AWAY, now)
    assert state_of(breaker) is State.CLOSED
    call(breaker, CallVerdict.AWAY, 9)
    assert state_of(breaker) is State.OPEN
    assert not call(breaker, CallVerdict.ANSWERED, 10)
    assert breaker.remaining(10) == 4.0


def test_half_of_twenty_calls_within_thirty_seconds_open_it(breaker: Breaker) -> None:
    for now in range(19):
        call(breaker, CallVerdict.AWAY if now % 2 else CallVerdict.ANSWERED, now)
    assert state_of(breaker) is State.CLOSED
    call(breaker, CallVerdict.AWAY, 19)
    assert state_of(breaker) is State.OPEN


def test_failures_that_are_long_ago_do_not_count(breaker: Breaker) -> None:
    for step in range(200):
        call(breaker, CallVerdict.AWAY if step % 2 else CallVerdict.ANSWERED, step * 2.0)
    assert state_of(breaker) is State.CLOSED


def test_one_probe_decides(breaker: Breaker) -> None:
    opened(breaker)
    assert breaker.admit(4.9) is None
    probe = breaker.admit(5.0)
    assert probe is not None
    assert probe.probe
    assert breaker.admit(5.0) is None
    breaker.settle(probe, CallVerdict.ANSWERED, 5.5)
    assert state_of(breaker) is State.CLOSED
    assert breaker.admit(5.5) is not None


def test_a_probe_that_fails_doubles_the_wait_up_to_five_minutes(breaker: Breaker) -> None:
    opened(breaker)
    now, waits = 0.0, []
    for _ in range(8):
        waits.append(breaker.remaining(now))
        now += waits[-1]
        call(breaker, CallVerdict.AWAY, now)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    now += 300
    call(breaker, CallVerdict.ANSWERED, now)
    assert opened(breaker, now).remaining(now) == 5


def test_a_probe_that_was_cancelled_leaves_the_place_to_the_next(breaker: Breaker) -> None:
    opened(breaker)
    assert call(breaker, CallVerdict.UNKNOWN, 5.0)
    assert state_of(breaker) is State.HALF_OPEN
    assert call(breaker, CallVerdict.ANSWERED, 5.0)
    assert state_of(breaker) is State.CLOSED


def test_answers_to_questions_from_before_it_opened_change_nothing(breaker: Breaker) -> None:
    late = [breaker.admit(0.0) for _ in range(3)]
    opened(breaker)
    for permit, verdict in zip(late, (CallVerdict.ANSWERED, CallVerdict.AWAY, CallVerdict.UNKNOWN), strict=True):
        assert permit is not None
        breaker.settle(permit, verdict, 1.0)
    assert state_of(breaker) is State.OPEN
    assert breaker.remaining(1.0) == 4.0


def test_a_refused_credential_opens_it_at_once(breaker: Breaker) -> None:
    call(breaker, CallVerdict.ANSWERED, 0.0)
    breaker.trip(1.0)
    assert state_of(breaker) is State.OPEN
    breaker.trip(2.0)
    assert breaker.remaining(2.0) == 4.0


steps = st.lists(st.tuples(st.sampled_from(CallVerdict), st.floats(0, 400), st.integers(0, 3)), max_size=200)


def test_one_that_a_refused_credential_opened_probes_at_once_when_there_is_another(breaker: Breaker) -> None:
    breaker.trip(0.0)
    breaker.probe_soon(0.5)
    assert breaker.remaining(0.5) == 0
    assert call(breaker, CallVerdict.AWAY, 0.5)
    assert breaker.remaining(0.5) > 0
    breaker.probe_soon(0.6)  # by now it is the supplier that is away
    assert not call(breaker, CallVerdict.ANSWERED, 0.6)


def test_an_outage_is_not_over_because_credentials_are_others(breaker: Breaker) -> None:
    opened(breaker).probe_soon(0.1)
    assert not call(breaker, CallVerdict.ANSWERED, 0.1)


@given(steps, st.floats(0, 1, exclude_max=True))
def test_however_calls_go_it_never_stays_open_for_good_and_probes_one_at_a_time(
    steps: list[tuple[CallVerdict, float, int]], roll: float
) -> None:
    breaker, now, under_way = Breaker(lambda: roll), 0.0, []
    for verdict, pause, place in steps:
        now += pause
        if permit := breaker.admit(now):
            under_way.append(permit)
        assert breaker.remaining(now) <= LAST_SECONDS
        assert state_of(breaker) is not State.OPEN or breaker.remaining(now) > 0
        if state_of(breaker) is State.HALF_OPEN:
            assert breaker.admit(now) is None
        if place < len(under_way):
            breaker.settle(under_way.pop(place), verdict, now)
    for permit in under_way:
        breaker.settle(permit, CallVerdict.UNKNOWN, now)
    assert breaker.admit(now + LAST_SECONDS) is not None


@given(st.floats(0, 1, exclude_max=True))
def test_waits_are_jittered_in_full(roll: float) -> None:
    breaker = Breaker(lambda: roll)
    assert opened(breaker).remaining(0.0) == max(LEAST_SECONDS, FIRST_SECONDS * roll)


def test_one_that_a_person_holds_open_stays_so_whatever_is_heard_meanwhile(breaker: Breaker) -> None:
    under_way = breaker.admit(0)
    assert under_way is not None
    breaker.hold(3600)
    breaker.settle(under_way, CallVerdict.ANSWERED, 1)
    breaker.trip(2)
    breaker.probe_soon(3)
    assert breaker.admit(3599) is None
    assert breaker.remaining(600) == 3000
    assert call(breaker, CallVerdict.ANSWERED, 3600)
    assert state_of(breaker) is State.CLOSED


def test_one_that_a_person_lets_go_probes_with_its_next_call(breaker: Breaker) -> None:
    breaker.release(0)
    assert state_of(breaker) is State.CLOSED
    for now in (0, 10_000):
        breaker.hold(now + 3600)
        breaker.release(now + 1)
        assert call(breaker, CallVerdict.AWAY, now + 2)
        assert not call(breaker, CallVerdict.ANSWERED, now + 2)
    opened_by_itself = opened(Breaker(always_most))
    opened_by_itself.release(1)
    assert call(opened_by_itself, CallVerdict.ANSWERED, 1)
    assert state_of(opened_by_itself) is State.CLOSED


def test_after_a_hold_new_credentials_are_tried_at_once_again(breaker: Breaker) -> None:
    breaker.hold(10)
    assert call(breaker, CallVerdict.ANSWERED, 10)
    breaker.trip(11)
    breaker.probe_soon(12)
    assert call(breaker, CallVerdict.ANSWERED, 12)
