"""Which topics take no records although Kafka answers. One send finds that out; the others need not wait for it again.

While a topic is away sends to it fail at once, and one tries it every few seconds. Each process finds out by itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from gateway.kafka.errors import TopicRefusedError, TopicUnavailableError
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)

RETRY_SECONDS = 5.0
"""Longest time between two tries of a topic; with full jitter half of it on average."""

TRIAL_SECONDS = 15.0
"""How long a try may be under way before another one may begin."""


@dataclass(frozen=True, slots=True)
class TopicOutage:
    """A topic that takes nothing. since, due: when that was found out, and when it is tried again, by the clock."""

    error: TopicUnavailableError
    since: float
    due: float


class TopicBreakers:
    """The topics of one cluster, by their logical names. chance: 0 to 1, where in the time between two tries."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._away: dict[str, TopicOutage] = {}

    def away(self) -> Mapping[str, TopicUnavailableError]:
        """The topics that are known to be away, each with what was said of it last."""
        return {topic: away.error for topic, away in sorted(self._away.items())}

    def blocked(self, topic: str) -> bool:
        """Whether a send to the topic would fail at once."""
        away = self._away.get(topic)
        return away is not None and self._clock() < away.due

    def enter(self, topics: Iterable[str]) -> frozenset[str]:
        """Which of the topics a send is the one to try; it has to say what came of that.

        Raises TopicUnavailableError for one that is away and not due, as an error of the caller's own.
        """
        due = [topic for topic in topics if topic in self._away]
        for topic in due:
            if self.blocked(topic):
                error = self._away[topic].error
                raise type(error)(topic, error.why)
        for topic in due:
            away = self._away[topic]
            self._away[topic] = TopicOutage(away.error, away.since, self._clock() + TRIAL_SECONDS)
        return frozenset(due)

    def fail(self, error: TopicUnavailableError) -> None:
        """The topic takes nothing: nobody tries it before it is due."""
        before, now = self._away.get(error.topic), self._clock()
        since = now if before is None else before.since
        self._away[error.topic] = TopicOutage(error, since, now + RETRY_SECONDS * self._chance())
        if before is None:
            metrics.topic_away.labels(topic=error.topic).set(1)
            log.error("topic.away", topic=error.topic, reason=error.why)

    def succeed(self, topic: str) -> None:
        """The topic takes records."""
        away = self._away.pop(topic, None)
        if away is not None:
            metrics.topic_away.labels(topic=topic).set(0)
            log.info("topic.back", topic=topic, seconds=round(self._clock() - away.since, 1))

    def unseen(self) -> list[str]:
        """The topics of which the cluster itself can tell whether they are back: those that refuse us may look well."""
        return [topic for topic, away in self._away.items() if not isinstance(away.error, TopicRefusedError)]
