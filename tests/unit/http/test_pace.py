"""How slowly a body may come."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.http.pace import Pace, PaceRule

RULE = PaceRule(grace=5.0, min_rate=1024.0, absolute=3600.0)


def test_a_silent_sender_has_the_grace_and_no_more() -> None:
    assert Pace(RULE, 100.0).deadline(100.0) == 105.0


@given(st.lists(st.integers(1024, 100_000), min_size=1, max_size=100))
def test_a_sender_at_the_rate_is_never_too_slow(sizes: list[int]) -> None:
    pace, now = Pace(RULE, 0.0), 0.0
    for size in sizes:
        now += 1.0
        assert pace.deadline(now) > now
        pace.received(size, now)


def test_a_fast_start_buys_no_slow_rest() -> None:
    pace = Pace(RULE, 0.0)
    pace.received(1_000_000_000, 1.0)
    assert pace.deadline(1.0) == 6.0


def test_a_byte_a_second_is_too_slow_soon_after_the_grace() -> None:
    pace, now = Pace(RULE, 0.0), 0.0
    while pace.deadline(now) > now:
        now += 1.0
        pace.received(1, now)
    assert now == 6.0


def test_time_in_which_we_do_not_read_is_ours() -> None:
    pace = Pace(RULE, 0.0)
    pace.hold(2.0)
    assert pace.deadline(1_000.0) == 1_005.0
    pace.release(1_000.0)
    assert pace.deadline(1_000.0) == 1_003.0


def test_no_body_takes_longer_than_the_absolute_limit() -> None:
    pace, now = Pace(RULE, 0.0), 0.0
    while pace.deadline(now) > now:
        now += 1.0
        pace.received(100_000, now)
    assert now == 3600.0
    pace.hold(now)
    assert pace.deadline(now) == 3600.0
