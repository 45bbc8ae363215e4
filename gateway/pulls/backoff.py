"""Waiting for a supplier that is away: an outage is not poison, it spends no attempts and ends no work."""

from __future__ import annotations

import random

from gateway.pulls.context import SupplierContext
from gateway.sdk.errors import RateLimitError, SupplierError

FIRST = 1.0
LONGEST = 60.0
"""Seconds between two tries; the wait doubles from the one to the other, with full jitter."""


class Backoff:
    """The waits of one piece of work. task: under which operators are told what it waits for."""

    def __init__(self, context: SupplierContext, task: str) -> None:
        self._context = context
        self._task = task
        self._ceiling = FIRST

    async def wait(self, error: SupplierError) -> None:
        """After a try that came to this. Raises DrainingError once there is to be no other."""
        self._context.report_health(self._task, f"{type(error).__name__}: {error}")
        asked = error.retry_after or 0.0 if isinstance(error, RateLimitError) else 0.0
        await self._context.drain.rest(max(min(asked, LONGEST), self._ceiling * random.uniform(0.5, 1)))  # noqa: S311 -- no secret
        self._ceiling = min(2 * self._ceiling, LONGEST)

    def well(self) -> None:
        """A try came through."""
        self._ceiling = FIRST
        self._context.report_health(self._task, None)
