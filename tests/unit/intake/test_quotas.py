"""A supplier's quota of feeds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.quotas import Bucket, QuotaExceededError, Quotas, draw


def test_a_minute_of_quota_may_come_at_once_and_the_next_one_waits() -> None:
    quotas = Quotas(lambda: 0.0)
    for _ in range(60):
        quotas.take("acme", 60)
    with pytest.raises(QuotaExceededError) as raised:
        quotas.take("acme", 60)
    assert raised.value.retry_after == pytest.approx(1.0)


def test_one_suppliers_burst_costs_another_nothing() -> None:
    quotas = Quotas(lambda: 0.0)
    quotas.take("acme", 1)
    with pytest.raises(QuotaExceededError):
        quotas.take("acme", 1)
    quotas.take("globex", 1)


@given(st.integers(1, 600), st.lists(st.floats(0, 10), max_size=200))
def test_no_more_is_drawn_than_a_burst_and_the_rate_allow(per_minute: int, gaps: list[float]) -> None:
    bucket: Bucket | None = None
    now, drawn = 0.0, 0
    for gap in gaps:
        now += gap
        bucket, wait = draw(bucket, per_minute, now)
        drawn += wait == 0
    assert drawn <= per_minute + now * per_minute / 60 + 1e-6


@given(st.integers(1, 600), st.floats(0, 0.999))
def test_after_the_told_wait_there_is_a_token(per_minute: int, tokens: float) -> None:
    bucket, wait = draw(Bucket(tokens, 0.0), per_minute, 0.0)
    assert wait > 0
    _, again = draw(bucket, per_minute, wait + 1e-6)
    assert again == 0


def test_a_lowered_quota_holds_at_once() -> None:
    bucket, _ = draw(None, 600, 0.0)
    bucket, wait = draw(bucket, 1, 0.0)
    assert (bucket.tokens, wait) == (0.0, 0.0)


def test_a_clock_that_steps_back_gives_nothing_and_takes_nothing() -> None:
    bucket, wait = draw(Bucket(1.0, 100.0), 60, 50.0)
    assert (bucket.tokens, wait) == (0.0, 0.0)
