"""Finishing a feed: when every chunk has taken effect, count, close, and tell the mall core through the outbox."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

import structlog

from gateway.feeds.decide import OUTCOME_BYTES
from gateway.feeds.guard import Outcome
from gateway.kafka import REPORTS
from gateway.outbox import OutboxMessage, enqueue
from gateway.sdk.errors import ServiceUnavailableError
from gateway.sdk.problems import PROBLEMS
from gateway.store import Connection, Pool, Row, acquired, transaction
from gateway.telemetry import metrics
from schemas.catalog import Facet
from schemas.reports import FeedReport, TopProblem, report_headers

log = structlog.get_logger(__name__)

GRACE = timedelta(minutes=15)
"""A feed whose admitting request gave no sign of life for so long is incomplete."""

SWEEP_SECONDS = 15.0
COALESCE_SECONDS = 0.1
SAMPLE_SKUS = 5
TOP_PROBLEMS = 20

FINISHING = 4
"""Feeds closed at a time: the connections are shared with requests."""

TROUBLED = frozenset({Outcome.STALE, Outcome.REJECTED, Outcome.HELD})
"""Outcomes that problems tell of."""

LOCK_FEED = """
    SELECT feed_no, supplier, facet, mode, state, chunks, received_at, now() AS finished_at FROM feeds
     WHERE feed_no = $1 AND state IN ('admitted', 'produced', 'incomplete')
       FOR UPDATE
"""

WHOLE_OF = """
    SELECT f.feed_no FROM feeds f
     WHERE f.feed_no = ANY($1::bigint[]) AND f.state IN ('admitted', 'produced', 'incomplete')
       AND f.chunks = (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no)
     ORDER BY f.feed_no
"""

OUTCOMES = "SELECT outcomes FROM feed_chunks WHERE feed_no = $1"

TOP = """
    SELECT issue ->> 'code' AS code, count(*) AS count, (array_agg(DISTINCT row ->> 'sku'))[1:$2] AS skus
      FROM feed_chunks, jsonb_array_elements(problems) AS row, jsonb_array_elements(row -> 'issues') AS issue
     WHERE feed_no = $1
     GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT $3
"""

CLOSE = "UPDATE feeds SET state = $2, counts = $3, finished_at = $4 WHERE feed_no = $1"

WHOLE_FEEDS = """
    SELECT f.feed_no FROM feeds f
     WHERE f.state IN ('admitted', 'produced', 'incomplete')
       AND f.chunks = (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no)
     ORDER BY f.feed_no LIMIT 1000
"""

MARK_INCOMPLETE = """
    UPDATE feeds SET state = 'incomplete' WHERE state = 'admitted' AND touched_at < now() - $1::interval
"""

FORGET_KEYS = "DELETE FROM idempotency_keys WHERE expires_at < now()"


class Finisher:
    """Closes feeds as soon as their last chunk took effect, and sweeps up what a crash left open."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._touched: set[int] = set()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(FINISHING)

    async def touched(self, feed_no: int) -> None:
        """A chunk of the feed took effect, or the feed became durable."""
        self._touched.add(feed_no)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. What fails because PostgreSQL is away is swept up later."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="finisher.follow")
            group.create_task(self._sweep(), name="finisher.sweep")

    async def _follow(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            due, self._touched = self._touched, set()
            try:
                await self._finish_whole(due)
            except ServiceUnavailableError:
                log.info("feeds.finish_postponed", feeds=len(due))
            # Chunks of one feed finish in bursts: look once per burst, not once per chunk.
            await asyncio.sleep(COALESCE_SECONDS)

    async def _finish_whole(self, touched: Collection[int]) -> None:
        """Most feeds that were touched are not whole yet, and one question says so of all of them."""
        async with acquired(self._pool) as connection:
            whole = [row["feed_no"] for row in await connection.fetch(WHOLE_OF, list(touched))]
        await asyncio.gather(*map(self._tried, whole))

    async def _tried(self, feed_no: int) -> None:
        try:
            async with self._slots:
                await self.finish(feed_no)
        except ServiceUnavailableError:
            log.info("feed.finish_postponed", feed=feed_no)

    async def _sweep(self) -> None:
        while True:
            try:
                await self.sweep()
            except ServiceUnavailableError:
                log.info("feeds.sweep_postponed")
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Finish every feed that is whole, and call incomplete what was never completed."""
        async with transaction(self._pool) as connection:
            await connection.execute(MARK_INCOMPLETE, GRACE)
            await connection.execute(FORGET_KEYS)
            whole = [row["feed_no"] for row in await connection.fetch(WHOLE_FEEDS)]
        for feed_no in whole:
            await self.finish(feed_no)

    async def finish(self, feed_no: int) -> bool:
        """Close the feed if it is whole; whether this call did it."""
        async with transaction(self._pool) as connection:
            if not await connection.fetch(WHOLE_OF, [feed_no]):
                return False
            feed = await connection.fetchrow(LOCK_FEED, feed_no)
            if feed is None:
                return False
            counts = await _close(connection, feed)
        log.info("feed.finished", feed=feed_no, supplier=feed["supplier"], facet=feed["facet"], **counts)
        return True


async def _close(connection: Connection, feed: Row) -> dict[str, int]:
    counts = await count_outcomes(connection, feed["feed_no"])
    finished_at: datetime = feed["finished_at"]
    state = "cancelled" if Outcome.CANCELLED in counts else "done"
    await connection.execute(CLOSE, feed["feed_no"], state, counts, finished_at)
    report = FeedReport.model_validate(
        {
            "feed": str(feed["feed_no"]),
            "supplier": feed["supplier"],
            "facet": Facet(feed["facet"]),
            "mode": feed["mode"],
            "state": state,
            "received_at": feed["received_at"],
            "finished_at": finished_at,
            "counts": counts,
            "problems": await _top(connection, feed["feed_no"]) if counts.keys() & TROUBLED else (),
        }
    )
    await enqueue(connection, [_report_message(report)])
    metrics.feeds_total.labels(facet=feed["facet"], state=state).inc()
    return counts


async def count_outcomes(connection: Connection, feed_no: int) -> dict[str, int]:
    """Items per outcome of the chunks that took effect so far."""
    total: Counter[int] = Counter()
    async for row in connection.cursor(OUTCOMES, feed_no):
        total.update(row["outcomes"])
    return {outcome.value: total[byte] for outcome, byte in OUTCOME_BYTES.items() if total[byte]}


async def _top(connection: Connection, feed_no: int) -> tuple[TopProblem, ...]:
    rows = await connection.fetch(TOP, feed_no, SAMPLE_SKUS, TOP_PROBLEMS)
    return tuple(_top_problem(row) for row in rows)


def _top_problem(row: Row) -> TopProblem:
    problem = PROBLEMS[row["code"]]
    return TopProblem(
        code=row["code"],
        message_en=problem.en,
        message_zh=problem.zh,
        count=row["count"],
        skus=tuple(sku for sku in row["skus"] if sku is not None),
    )


def _report_message(report: FeedReport) -> OutboxMessage:
    return OutboxMessage(REPORTS, report.supplier.encode(), report.model_dump_json().encode(), report_headers(report))
