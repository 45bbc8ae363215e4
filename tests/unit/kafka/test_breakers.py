"""What is known of topics that take no records."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from gateway.kafka import TopicRefusedError, TopicUnavailableError
from gateway.kafka.breakers import RETRY_SECONDS, TRIAL_SECONDS, TopicBreakers

GONE = TopicUnavailableError("prices", "it does not exist")


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> TopicBreakers:
    return TopicBreakers(clock, chance=lambda: 1.0)


def test_sends_to_a_topic_that_is_away_fail_at_once_and_others_do_not(breakers: TopicBreakers) -> None:
    breakers.fail(GONE)
    with pytest.raises(TopicUnavailableError, match="topic prices is away: it does not exist") as caught:
        breakers.enter(["prices"])
    assert caught.value is not GONE  # tracebacks of many sends must not grow on one error
    assert breakers.enter(["stocks"]) == frozenset()
    assert (breakers.blocked("prices"), breakers.blocked("stocks")) == (True, False)


def test_one_send_tries_it_once_it_is_due(breakers: TopicBreakers, clock: Clock) -> None:
    breakers.fail(GONE)
    clock.now += RETRY_SECONDS
    assert breakers.enter(["stocks", "prices"]) == {"prices"}
    with pytest.raises(TopicUnavailableError):
        breakers.enter(["prices"])


def test_a_try_of_which_nothing_is_heard_lets_another_one_through(breakers: TopicBreakers, clock: Clock) -> None:
    breakers.fail(GONE)
    clock.now += RETRY_SECONDS
    breakers.enter(["prices"])
    clock.now += TRIAL_SECONDS
    assert breakers.enter(["prices"]) == {"prices"}


def test_a_send_that_one_of_its_topics_stops_tries_no_other(breakers: TopicBreakers, clock: Clock) -> None:
    breakers.fail(GONE)
    clock.now += RETRY_SECONDS
    breakers.fail(TopicUnavailableError("stocks", "partition 1 has no leader"))
    with pytest.raises(TopicUnavailableError, match="stocks"):
        breakers.enter(["prices", "stocks"])
    assert breakers.enter(["prices"]) == {"prices"}


def test_it_is_said_once_that_a_topic_is_away_and_once_that_it_is_back(breakers: TopicBreakers, clock: Clock) -> None:
    with capture_logs() as logs:
        breakers.fail(GONE)
        clock.now += 60.0
        breakers.fail(TopicUnavailableError("prices", "partition 0 has no leader"))
        breakers.succeed("prices")
        breakers.succeed("prices")
    assert [(log["event"], log["topic"]) for log in logs] == [("topic.away", "prices"), ("topic.back", "prices")]
    assert logs[1]["seconds"] == 60.0
    assert breakers.away() == {}


def test_what_is_said_last_of_a_topic_is_told(breakers: TopicBreakers) -> None:
    breakers.fail(GONE)
    breakers.fail(TopicRefusedError("stocks", "Kafka refused: no right to write"))
    breakers.fail(TopicUnavailableError("prices", "partition 0 has no leader"))
    assert {topic: error.why for topic, error in breakers.away().items()} == {
        "prices": "partition 0 has no leader",
        "stocks": "Kafka refused: no right to write",
    }
    assert breakers.unseen() == ["prices"]
    assert isinstance(breakers.away()["stocks"], TopicRefusedError)
