"""Chunks that no one will ever read: one that is damaged, and one that is not there although all that waited was taken.

Each counts as taken with one rejected record of which nobody knows whom it concerns, so that its feed ends, says why,
and, a full one, withdraws nothing. A chunk that comes again and can be read takes that place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import structlog

from gateway.deadletters import issues_json
from gateway.feeds.decide import OUTCOME_BYTES, count_problems
from gateway.feeds.guard import ItemOutcome
from gateway.feeds.queries import Source
from gateway.feeds.source_offsets import LANE_TOPIC, end_offsets, have_processed
from gateway.jobs import repeat
from gateway.kafka import Bus, Partition
from gateway.sdk.errors import Issue
from gateway.store import Connection, Pool, acquired, transaction
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

LOOK_SECONDS = 30.0

REJECTED = bytes([OUTCOME_BYTES[ItemOutcome.REJECTED]])

MISSING = (Issue("poison_pill", actual="the chunk is missing"),)

CLAIM_UNREAD = """
    INSERT INTO feed_chunks (feed_no, chunk_no, topic, partition, "offset", first_record, records, page_no, outcomes,
                             problems, problem_counts, unread)
    VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10, true)
    ON CONFLICT DO NOTHING
"""

WAITING = "SELECT now() WHERE EXISTS (SELECT FROM feeds WHERE state = 'produced')"

# Nobody takes a chunk of these feeds at the same time: all that was ever produced of them has been taken, or deferred.
LACKING = """
    SELECT feed_no FROM feeds f
     WHERE state = 'produced' AND produced_at < $1
       AND chunks > (SELECT count(*) FROM (
                     SELECT chunk_no FROM feed_chunks c WHERE c.feed_no = f.feed_no
                     UNION
                     SELECT chunk_no FROM deferred_chunks d WHERE d.feed_no = f.feed_no) AS known)
     ORDER BY feed_no
"""

CLAIM_MISSING = """
    INSERT INTO feed_chunks (feed_no, chunk_no, first_record, records, outcomes, problems, problem_counts, unread)
    SELECT f.feed_no, n.chunk_no, 0, 0, $2, $3, $4, true
      FROM feeds f
     CROSS JOIN LATERAL (
           SELECT chunk_no FROM generate_series(0, f.chunks - 1) AS g (chunk_no)
            WHERE NOT EXISTS (SELECT FROM feed_chunks c WHERE c.feed_no = f.feed_no AND c.chunk_no = g.chunk_no)
              AND NOT EXISTS (SELECT FROM deferred_chunks d WHERE d.feed_no = f.feed_no AND d.chunk_no = g.chunk_no)
            LIMIT f.chunks - (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no)
           ) n
     WHERE f.state = 'produced' AND f.feed_no = $1
    ON CONFLICT DO NOTHING
    RETURNING feed_no
"""


class ChunkNumbers(Protocol):
    """What tells a chunk from others: its head, or what was noted of it."""

    @property
    def feed_no(self) -> int:
        """Of its feed."""

    @property
    def chunk_no(self) -> int:
        """Within its feed."""

    @property
    def first_record(self) -> int:
        """Within its page, else within its feed."""

    @property
    def page_no(self) -> int | None:
        """Of its page, if it has one."""


async def claim_unread(connection: Connection, chunk: ChunkNumbers, source: Source, issues: tuple[Issue, ...]) -> None:
    """Count a chunk that cannot be read as taken, unless it was before."""
    number, first = chunk.chunk_no, chunk.first_record
    where = (source.topic, source.partition, source.offset)
    rows = _rows(issues, record=first)
    rows_and_counts = (REJECTED, rows, count_problems(rows))
    await connection.execute(CLAIM_UNREAD, chunk.feed_no, number, *where, first, chunk.page_no, *rows_and_counts)


def _rows(issues: tuple[Issue, ...], *, record: int) -> list[dict[str, Any]]:
    """The chunk in its feed's report: the first of its records stands for all."""
    outcome = ItemOutcome.REJECTED.value
    return [{"record": record, "line": record + 1, "sku": None, "outcome": outcome, "issues": issues_json(issues)}]


@dataclass(frozen=True, slots=True)
class Horizon:
    """The ends of the feeds topics, read after a moment of PostgreSQL's clock."""

    at: datetime
    ends: Mapping[Partition, int]


class MissingChunks:
    """Ends the wait for chunks that will never come. touched: told of their feeds."""

    def __init__(self, pool: Pool, bus: Bus, touched: Callable[[int], Awaitable[None]]) -> None:
        self._pool = pool
        self._bus = bus
        self._touched = touched
        self._horizon: Horizon | None = None
        self.supervisor = Supervisor[int]("missing_chunks", "feed")

    async def run(self) -> None:
        """For ever; Kafka or PostgreSQL being away only delays it, and a feed at fault keeps no other from its end."""
        await repeat("missing chunks", self.round, LOOK_SECONDS)

    async def round(self) -> None:
        """Once all that lay on the feeds topics at some moment is taken, see what of older feeds has not come."""
        if self._horizon is None:
            self._horizon = await self._ahead()
        elif await have_processed(self._pool, self._horizon.ends):
            at, self._horizon = self._horizon.at, None
            async with acquired(self._pool) as connection:
                lacking = [row["feed_no"] for row in await connection.fetch(LACKING, at)]
            await self.supervisor.each(lacking, self._claim)

    async def _ahead(self) -> Horizon | None:
        """All that lies on the feeds topics now, None while no feed waits for chunks."""
        async with acquired(self._pool) as connection:
            at = await connection.fetchval(WAITING)
        return None if at is None else Horizon(at, await end_offsets(self._bus, LANE_TOPIC.values()))

    async def _claim(self, feed_no: int) -> None:
        """Count every chunk of the feed that has not come as taken from now on."""
        rows_and_counts = _rows(MISSING, record=0)
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(
                CLAIM_MISSING, feed_no, REJECTED, rows_and_counts, count_problems(rows_and_counts)
            )
        if rows:
            log.error("feed.chunks_missing", feed=feed_no, chunks=len(rows))
            await self._touched(feed_no)
