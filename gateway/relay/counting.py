"""How much of orders waits at each supplier, where it stands, and for how long the oldest has: for the metrics."""

from __future__ import annotations

from prometheus_client import Gauge

from gateway.jobs import repeat
from gateway.relay import count_queries as queries
from gateway.relay.states import ENDED, STOPPED, State
from gateway.store import Pool, Row, acquired
from gateway.telemetry import metrics

COUNT_SECONDS = 10.0

OPEN = [state.value for state in State if state not in ENDED]
"""Where a command that has not ended may stand."""


class OrderCounts:
    """Counts for ever, in every process: that nobody works for a supplier must be seen too."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self) -> None:
        """PostgreSQL being away only delays it."""
        await repeat("order counts", self.count, COUNT_SECONDS)

    async def count(self) -> None:
        """Look once. Raises StoreUnavailableError."""
        async with acquired(self._pool) as connection:
            lanes = await connection.fetch(queries.COUNTS, [state.value for state in STOPPED])
            states = await connection.fetch(queries.COUNT_STATES, OPEN)
            rereads = await connection.fetch(queries.COUNT_REREADS)
            fetched = await connection.fetch(queries.COUNT_FETCHED)
            webhooks = await connection.fetch(queries.COUNT_WEBHOOKS)
        for row in webhooks:
            _set(metrics.webhook_oldest_seconds, row, "seconds")
            _set(metrics.webhook_disabled, row, "disabled")
        for row in lanes:
            _set(metrics.order_lanes_waiting, row, "waiting")
            _set(metrics.order_lanes_stopped, row, "stopped")
            _set(metrics.order_oldest_seconds, row, "seconds")
        for row in states:
            metrics.order_commands.labels(supplier=row["supplier"], state=row["state"]).set(row["commands"])
        for row in rereads:
            _set(metrics.order_rereads_waiting, row, "waiting")
            _set(metrics.order_rereads_oldest_seconds, row, "seconds")
        for row in fetched:
            _set(metrics.mailbox_unacknowledged, row, "unacknowledged")
            _set(metrics.mailbox_unanswered, row, "unanswered")
            _set(metrics.mailbox_oldest_seconds, row, "seconds")


def _set(gauge: Gauge, row: Row, column: str) -> None:
    gauge.labels(supplier=row["supplier"]).set(row[column])
