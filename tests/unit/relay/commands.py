"""Commands, profiles and dice for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.relay.commands import Command, Role
from gateway.relay.policy import Profile
from gateway.relay.states import State
from gateway.sdk.manifest import Idempotency

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LEASE_TERM = timedelta(seconds=30)
TIMEOUT = timedelta(seconds=30)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def made(**facts: Any) -> Command:
    """A submitted order that was received at noon and has a day; `facts` instead of those."""
    usual = {
        "command_id": "c1",
        "supplier": "jd",
        "order_no": "A",
        "operation": "submit",
        "role": Role.MAKES,
        "place": 1,
        "content": "h",
        "deadline": NOON + DAY,
        "due_at": NOON,
    }
    return Command(**{**usual, **facts})


def cancel(**facts: Any) -> Command:
    return made(**{"command_id": "c2", "operation": "cancel", "role": Role.CANCELS, "place": 2, **facts})


def unknown(**facts: Any) -> Command:
    """An order whose only attempt, at noon, may have taken effect."""
    sent = {"state": State.UNKNOWN, "attempt": 1, "spent": 1, "epoch": 1, "sent_at": NOON, "doubt_since": NOON}
    return made(**{**sent, **facts})


def profile(idempotency: Idempotency = Idempotency.KEY, **facts: Any) -> Profile:
    usual = {"finds": idempotency is Idempotency.QUERY, "lease_term": LEASE_TERM, "timeout": TIMEOUT}
    return Profile(idempotency, **{**usual, **facts})
