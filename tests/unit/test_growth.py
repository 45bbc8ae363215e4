"""Nothing that a supplier sends costs more than linear time, and no single call of it holds the event loop for long."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.growth import DIMENSIONS, Dimension, calibration, measure, slope

STEEPEST = 1.6
"""Between linear and quadratic, nearer the latter: measured under load, a linear cost shows 0.8 to 1.3."""

LONGEST = 6
"""Calibrations (8 ms of an idle machine each) that one stretch may take. Most take one, none of the table three."""

FLOOR = 1 / 4
"""Calibrations below which a time says nothing."""


@pytest.fixture(scope="module")
def unit() -> float:
    return calibration()


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda each: f"{each.stage} {each.name}")
def test_costs_grow_no_faster_than_the_input(dimension: Dimension, unit: float) -> None:
    growth = measure(dimension, floor=FLOOR * unit, times=1)
    if growth.exponent > STEEPEST or growth.longest > LONGEST * unit:  # once more: the machine is never alone
        unit = calibration()
        growth = measure(dimension, floor=FLOOR * unit)
    assert growth.exponent <= STEEPEST, growth.seconds
    assert growth.longest <= LONGEST * unit, growth.seconds


def test_a_quadratic_cost_is_seen() -> None:
    def run(text: str) -> list[Callable[[], object]]:
        return [lambda: [text.count("y") for _ in text]]

    squares = Dimension("none", "squares", lambda n: "x" * n, run, 2_000)
    assert max(measure(squares, floor=0.0).exponent for _ in range(3)) > STEEPEST  # others may be at work meanwhile


def test_the_exponent_is_that_of_a_power() -> None:
    assert slope({size: size**2 * 1e-9 for size in (1, 2, 4, 8)}) == pytest.approx(2)
    assert slope({1: 1.0, 2: 4.0}) == 0
