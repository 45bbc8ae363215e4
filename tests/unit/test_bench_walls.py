"""What the benchmark of walls makes of what it saw: a lost push counts as a long one, a disturbance by its fewest."""

from __future__ import annotations

from contrib.bench.disturbances import aside_in
from contrib.bench.stalled import half_a_push
from contrib.bench.walls import LATEST_SECONDS, VENDOR, Push, fewest, rows_of, summary


def test_a_push_that_came_to_nothing_counts_as_the_longest() -> None:
    pushes = [Push("A", 100.0, 0.25), Push("B", 100.0, None), Push("C", 100.0, 0.25)]
    seen = summary(pushes, {(VENDOR, "A"): [(100.5, "1.00"), (109.0, "2.00")], ("other", "C"): [(100.5, "1.00")]})
    assert seen["accepted"] == {"p50": 0.25, "p99": LATEST_SECONDS, "lost": 1}
    assert seen["arrived"] == {"p50": LATEST_SECONDS, "p99": LATEST_SECONDS, "lost": 2}


def test_what_was_missing_once_was_not_there() -> None:
    assert fewest({"readers": 12, "finish": 1}, {"readers": 9}) == {"finish": 0, "readers": 9}


def test_only_what_is_set_aside_is_counted() -> None:
    name = "mallgate_units_set_aside"
    metrics = f'# HELP {name} Units.\n{name}{{loop="finish"}} 1.0\n{name}{{loop="replay"}} 0.0\nother{{loop="x"}} 3.0\n'
    assert aside_in(metrics) == {"finish": 1}


def test_half_of_the_stalled_pushes_stop_within_their_head() -> None:
    ended = [b"\r\n\r\n" in half_a_push(place, "/v1/feeds/price", "token") for place in range(4)]
    assert ended == [False, True, False, True]


def test_a_disturbance_is_judged_by_the_ratio_of_its_pair() -> None:
    quiet, slow = {"p99": 0.010}, {"p99": 0.020}
    run = {"without": {"accepted": quiet, "arrived": quiet}, "with": {"accepted": quiet, "arrived": slow}}
    accepted, arrived = rows_of("stalled readers", [run])
    assert (accepted.value, accepted.met) == (1.0, True)
    assert (arrived.value, arrived.met) == (2.0, False)
