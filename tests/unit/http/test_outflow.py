"""Who takes something of what waits is not stalled, however slow; who takes nothing is, however much is added."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.http.outflow import Outflow


def test_who_takes_nothing_is_stalled_from_the_first_look_on() -> None:
    outflow = Outflow()
    assert [outflow.stalled(100, now) for now in (5.0, 6.0, 65.0)] == [0.0, 1.0, 60.0]


def test_a_byte_at_a_time_is_enough() -> None:
    outflow = Outflow()
    assert [outflow.stalled(100 - now, 10.0 * now) for now in range(5)] == [0.0] * 5


def test_what_is_added_meanwhile_is_no_sign_of_life() -> None:
    outflow = Outflow()
    assert [outflow.stalled(100 + now, float(now)) for now in range(4)] == [0.0, 1.0, 2.0, 3.0]


def test_time_without_anything_to_take_does_not_count() -> None:
    outflow = Outflow()
    assert [outflow.stalled(waits, float(now)) for now, waits in enumerate((9, 9, 0, 9, 9))] == [0, 1, 0, 0, 1]


@given(st.lists(st.integers(0, 3), min_size=1))
def test_the_stall_is_the_time_since_something_was_taken(waits: list[int]) -> None:
    outflow, stalls = Outflow(), []
    for now, untaken in enumerate(waits):
        stalls.append(outflow.stalled(untaken, float(now)))
    taken = [0, *(now for now, (before, after) in enumerate(pairwise(waits), 1) if after < before or not before)]
    assert stalls[-1] == (len(waits) - 1 - max(taken) if waits[-1] else 0)
