"""Nothing that a supplier sends costs more than linear time, and no single call of it holds the event loop for long."""

from __future__ import annotations

import pytest

from tests.growth import DIMENSIONS, Dimension, calibration, measure, slope

STEEPEST = 1.6
"""Between linear and quadratic, nearer the latter: measured under load, a linear cost shows 0.8 to 1.3."""

LONGEST = 12
"""Calibrations (8 ms of an idle machine each) that one call may take: what this is to catch took hundreds."""


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda each: f"{each.stage} {each.name}")
def test_costs_grow_no_faster_than_the_input(dimension: Dimension) -> None:
    unit = calibration()
    growth = measure(dimension, floor=unit / 4)
    if growth.exponent > STEEPEST:  # once more: the machine is never alone
        growth = measure(dimension, floor=unit / 4)
    assert growth.exponent <= STEEPEST, growth.seconds
    whole_body = dimension.stage == "body"  # many stretches, not one
    assert growth.longest <= LONGEST * unit * (10 if whole_body else 1), growth.seconds


def test_a_quadratic_cost_is_seen() -> None:
    squares = Dimension("none", "squares", lambda n: "x" * n, lambda text: [text.count("y") for _ in text], 4_000)
    assert measure(squares, floor=0.0).exponent > STEEPEST


def test_the_exponent_is_that_of_a_power() -> None:
    assert slope({size: size**2 * 1e-9 for size in (1, 2, 4, 8)}) == pytest.approx(2)
    assert slope({1: 1.0, 2: 4.0}) == 0
