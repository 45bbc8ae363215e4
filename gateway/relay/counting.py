"""How many orders wait and stopped at each supplier, and for how long the oldest has: for the metrics."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway.relay import operator_queries as queries
from gateway.relay.states import STOPPED
from gateway.store import Pool, StoreUnavailableError, acquired
from gateway.telemetry import metrics

COUNT_SECONDS = 10.0


class OrderCounts:
    """Counts for ever, in every process: that nobody works for a supplier must be seen too."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self) -> None:
        """PostgreSQL being away only delays it."""
        while True:
            with suppress(StoreUnavailableError):
                await self.count()
            await asyncio.sleep(COUNT_SECONDS)

    async def count(self) -> None:
        """Look once. Raises StoreUnavailableError."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.COUNTS, [state.value for state in STOPPED])
        for row in rows:
            supplier = row["supplier"]
            metrics.order_lanes_waiting.labels(supplier=supplier).set(row["waiting"])
            metrics.order_lanes_stopped.labels(supplier=supplier).set(row["stopped"])
            metrics.order_oldest_seconds.labels(supplier=supplier).set(row["seconds"])
