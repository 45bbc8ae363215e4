"""What becomes of a message to a vendor's webhook, and of the webhook, after one request. Pure.

A 2xx acknowledges the message, whatever stands in the body. Everything else is a failure, redirects too: they are not
followed. The schedule is that of Standard Webhooks' specification; each message runs through it by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 2 * 3_600, 5 * 3_600, 10 * 3_600, 14 * 3_600, 20 * 3_600, 24 * 3_600)
)
"""How long after each failure a message is sent again; after the last of them it is not."""

SPAN = sum(SCHEDULE, timedelta(0))
"""How long a webhook may fail, and nothing get through, before it is set aside."""

JITTER = 0.1
"""Share of a delay that is added by chance at most, so that what failed together does not come back together."""

TIMEOUT_SECONDS = 15.0
"""For one request, from looking up the name to the status."""

REST = timedelta(seconds=5)
"""Of a webhook that says it is overloaded and does not say for how long."""

LONGEST_REST = timedelta(hours=1)
"""Of a webhook, whatever its Retry-After says."""

OVERLOADED = frozenset({429, 502, 503, 504})
"""Statuses that ask for a rest."""


class DeliveryOutcome(StrEnum):
    """What one request came to.

    gone: 410, nothing is wanted there any more; redirected: 3xx; refused: another 4xx, or what is no status of an
    answer; failed: 5xx; overloaded: it asks for a rest; unreachable: there was no whole answer; blocked: its address is
    none that the gateway may call.
    """

    DELIVERED = "delivered"
    GONE = "gone"
    REDIRECTED = "redirected"
    REFUSED = "refused"
    FAILED = "failed"
    OVERLOADED = "overloaded"
    UNREACHABLE = "unreachable"
    BLOCKED = "blocked"


class DisabledReason(StrEnum):
    """Why nothing is sent to a webhook any more. failing: nothing got through for SPAN."""

    GONE = "gone"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What came of one request. words: for operators; sent: something of it may have arrived."""

    outcome: DeliveryOutcome
    words: str
    sent: bool = True
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How a webhook fares. failing_since: the first failure since anything got through."""

    url: str
    failing_since: datetime | None = None
    resting_until: datetime | None = None
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""
    disabled_at: datetime | None = None
    disabled_for: str = ""

    def takes(self, now: datetime) -> bool:
        """Whether anything may be sent there."""
        return self.disabled_at is None and (self.resting_until is None or self.resting_until <= now)


def outcome_of(status: int) -> DeliveryOutcome:
    """What a status says. Total."""
    if 200 <= status <= 299:
        return DeliveryOutcome.DELIVERED
    if status == 410:
        return DeliveryOutcome.GONE
    if status in OVERLOADED:
        return DeliveryOutcome.OVERLOADED
    if 300 <= status <= 399:
        return DeliveryOutcome.REDIRECTED
    return DeliveryOutcome.FAILED if 500 <= status <= 599 else DeliveryOutcome.REFUSED


def pause_after(answer: DeliveryResult) -> timedelta:
    """For how long a webhook wants to be left alone, within bounds."""
    if answer.outcome is not DeliveryOutcome.OVERLOADED:
        return timedelta(0)
    if answer.retry_after is None:
        return REST
    return timedelta(seconds=min(answer.retry_after, LONGEST_REST.total_seconds()))


def due_again(failures: int, answer: DeliveryResult, now: datetime, dice: Callable[[], float]) -> datetime | None:
    """When a message is sent again after so many failures; None: not any more. dice: 0 to 1."""
    if failures > len(SCHEDULE):
        return None
    return now + max(SCHEDULE[failures - 1] * (1 + JITTER * dice()), pause_after(answer))


def after_success(endpoint: Endpoint, now: datetime) -> Endpoint:
    """The webhook once something got through. One that is disabled stays so: a person enables it."""
    return replace(endpoint, failing_since=None, resting_until=None, succeeded_at=now)


def after_failure(endpoint: Endpoint, answer: DeliveryResult, now: datetime) -> Endpoint:
    """The webhook after a failure; one that is gone, or has failed for SPAN, is disabled."""
    since = endpoint.failing_since or now
    rest = pause_after(answer)
    until = max(now + rest, endpoint.resting_until or now) if rest else endpoint.resting_until
    failed = replace(endpoint, failing_since=since, resting_until=until, failed_at=now, failure=answer.words)
    if endpoint.disabled_at is not None:
        return failed
    if answer.outcome is DeliveryOutcome.GONE:
        return replace(failed, disabled_at=now, disabled_for=DisabledReason.GONE.value)
    if now - since >= SPAN:
        return replace(failed, disabled_at=now, disabled_for=DisabledReason.FAILING.value)
    return failed
