"""What becomes of a message to a webhook, and of the webhook: the schedule, rests, what disables it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay.webhook_policy import (
    LONGEST_REST,
    DeliveryOutcome,
    DeliveryResult,
    Endpoint,
    after_failure,
    after_success,
    due_again,
    outcome_of,
)

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
FAILED = DeliveryResult(DeliveryOutcome.FAILED, "HTTP status 500")
GONE = DeliveryResult(DeliveryOutcome.GONE, "HTTP status 410")
ENDPOINT = Endpoint("https://vendor.example.com/hook")

SINCE_START = [
    "00:00:05",
    "00:05:05",
    "00:35:05",
    "02:35:05",
    "07:35:05",
    "17:35:05",
    "31:35:05",
    "51:35:05",
    "75:35:05",
]
"""Column "Time since start" of the specification's table, but for the first request."""


def _duration(text: str) -> timedelta:
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def test_without_jitter_the_schedule_is_the_one_that_the_specification_recommends() -> None:
    at, times = NOW, []
    for failures in range(1, 10):
        found = due_again(failures, FAILED, at, lambda: 0.0)
        assert found is not None
        at = found
        times.append(at - NOW)
    assert times == [_duration(each) for each in SINCE_START]
    assert due_again(10, FAILED, at, lambda: 0.0) is None


@given(failures=st.integers(1, 9), dice=st.floats(0, 1))
def test_chance_makes_a_delay_longer_by_a_tenth_at_most(failures: int, dice: float) -> None:
    least, found = due_again(failures, FAILED, NOW, lambda: 0.0), due_again(failures, FAILED, NOW, lambda: dice)
    assert least is not None
    assert found is not None
    assert least - NOW <= found - NOW <= (least - NOW) * 1.1 + timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "delivered"),
        (204, "delivered"),
        (299, "delivered"),
        (301, "redirected"),
        (304, "redirected"),
        (400, "refused"),
        (404, "refused"),
        (410, "gone"),
        (429, "overloaded"),
        (500, "failed"),
        (502, "overloaded"),
        (503, "overloaded"),
        (504, "overloaded"),
        (599, "failed"),
        (100, "refused"),
        (999, "refused"),
    ],
)
def test_a_2xx_alone_is_a_success(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(None, 5.0), (0.0, 5.0), (2.0, 5.0), (120.0, 120.0), (86_400.0, 3600.0), (1e12, 3600.0)],
)
def test_a_retry_after_is_heeded_within_an_hour_and_never_shortens_the_schedule(
    asked: float | None, seconds: float
) -> None:
    answer = DeliveryResult(DeliveryOutcome.OVERLOADED, "HTTP status 503", retry_after=asked)
    assert due_again(1, answer, NOW, lambda: 0.0) == NOW + timedelta(seconds=seconds)
    resting = after_failure(ENDPOINT, answer, NOW).resting_until
    assert (resting or NOW) <= NOW + LONGEST_REST
    assert after_failure(ENDPOINT, FAILED, NOW).resting_until is None


def test_a_rest_is_for_the_whole_webhook_and_ends_by_itself() -> None:
    endpoint = after_failure(
        ENDPOINT, DeliveryResult(DeliveryOutcome.OVERLOADED, "HTTP status 429", retry_after=60.0), NOW
    )
    assert not endpoint.takes(NOW + timedelta(seconds=59))
    assert endpoint.takes(NOW + timedelta(seconds=60))
    later = after_failure(endpoint, DeliveryResult(DeliveryOutcome.OVERLOADED, "HTTP status 429", retry_after=1.0), NOW)
    assert later.resting_until == endpoint.resting_until


def test_410_disables_at_once_and_for_good() -> None:
    gone = after_failure(ENDPOINT, GONE, NOW)
    assert (gone.disabled_at, gone.disabled_for, gone.failure) == (NOW, "gone", "HTTP status 410")
    assert not gone.takes(NOW + timedelta(days=365))
    assert after_success(gone, NOW).disabled_at == NOW
    assert after_failure(gone, FAILED, NOW + timedelta(days=9)).disabled_for == "gone"


def test_it_is_set_aside_once_nothing_got_through_for_the_length_of_the_schedule() -> None:
    length = _duration(SINCE_START[-1])
    endpoint = after_failure(ENDPOINT, FAILED, NOW)
    almost = after_failure(endpoint, FAILED, NOW + length - timedelta(seconds=1))
    assert almost.disabled_at is None
    assert almost.failing_since == NOW
    set_aside = after_failure(almost, FAILED, NOW + length)
    assert (set_aside.disabled_at, set_aside.disabled_for) == (NOW + length, "failing")


def test_a_single_success_in_between_begins_the_count_anew() -> None:
    length = _duration(SINCE_START[-1])
    endpoint = after_success(after_failure(ENDPOINT, FAILED, NOW), NOW + length / 2)
    assert endpoint.failing_since is None
    assert after_failure(endpoint, FAILED, NOW + length).disabled_at is None
