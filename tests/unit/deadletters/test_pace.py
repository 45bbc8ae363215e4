"""The pace of a bulk replay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deadletters.runner import following

INSTANTS = st.floats(0, 1e6)
RATES = st.floats(0.001, 1000)


def test_on_time_a_job_keeps_its_rate() -> None:
    assert following(10.0, 10.0, 4) == 10.25


@given(INSTANTS, INSTANTS, RATES)
def test_two_letters_are_never_closer_than_the_rate_allows(due: float, now: float, rate: float) -> None:
    left_at = max(due, now)
    assert following(due, now, rate) - left_at == pytest.approx(1 / rate, abs=1e-6)
