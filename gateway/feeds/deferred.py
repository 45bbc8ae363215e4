"""Chunks whose catalog topic was away when they were read: taken in their order once the topic takes records.

Those that needed a row which somebody held are taken here as well, and pass those that still do.
Their partitions went on without them. Versions make it safe to take them late and beside newer ones; full feeds wait
for those of older feeds and their own, and the keeper for what they may have published. Of a cancelled feed they are
taken at once, for that needs no topic. All processes share the work, chunk by chunk.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

import structlog

from gateway.feeds import queries
from gateway.feeds.chunk import head_from_headers
from gateway.feeds.contents import stretches
from gateway.feeds.missing_chunks import claim_unread
from gateway.feeds.process import ChunkProcessor
from gateway.feeds.queries import Source
from gateway.jobs import repeat
from gateway.kafka import Bus, Partition, Record, TopicUnavailableError
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.store import Pool, Row, RowLockedError, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

POLL_SECONDS = 1.0

BATCH = 50
"""Chunks of one partition that are read together."""

NEAR = 50
"""Chunks apart up to which reading on is cheaper than beginning again."""

CONCURRENCY = 3
"""Queues that one process works on at a time: chunks that come now have the connections."""

WAITING = """
    SELECT d.catalog_topic, d.topic, d.partition, count(*) AS chunks,
           count(f.cancel_requested_at) AS cancelled
      FROM deferred_chunks d LEFT JOIN feeds f USING (feed_no)
     GROUP BY d.catalog_topic, d.topic, d.partition
     ORDER BY min(d.since)
"""

OLDEST = """
    SELECT d.topic, d.partition, d."offset", d.feed_no, d.chunk_no, d.page_no, d.first_record, d.catalog_topic
      FROM deferred_chunks d LEFT JOIN feeds f USING (feed_no)
     WHERE d.catalog_topic = $1 AND d.topic = $2 AND d.partition = $3
       AND ($4 OR f.cancel_requested_at IS NOT NULL)
     ORDER BY d."offset"
     LIMIT $5
"""


class ChunkQueue(NamedTuple):
    """Chunks of one partition of a feeds topic that wait for one catalog topic."""

    catalog_topic: str
    partition: Partition

    def __str__(self) -> str:
        return f"{self.partition} for {self.catalog_topic}"


class DeferredChunk(NamedTuple):
    """One chunk that waits, as it was noted."""

    source: Source
    catalog_topic: str
    feed_no: int
    chunk_no: int
    first_record: int
    page_no: int | None


class DeferredChunks:
    """Takes deferred chunks. touched: told of feeds that lost one."""

    def __init__(
        self, pool: Pool, bus: Bus, processor: ChunkProcessor, touched: Callable[[int], Awaitable[None]]
    ) -> None:
        self._pool = pool
        self._bus = bus
        self._processor = processor
        self._touched = touched
        self._waiting: Mapping[str, int] = {}
        self._slots = asyncio.Semaphore(CONCURRENCY)
        self._under_way: set[ChunkQueue] = set()
        self.supervisor = Supervisor[ChunkQueue]("deferred_chunks", "queue")

    async def check(self) -> str:
        """Which topics are away, why, and how many chunks wait for each: all that needs no such topic goes on."""
        away = self._bus.away()
        return (
            "; ".join(_describe_waiting(topic, away, self._waiting) for topic in sorted({*away, *self._waiting}))
            or "none away"
        )

    async def run(self) -> None:
        """For ever; Kafka or PostgreSQL being away only delays it. A queue at fault keeps no other from its turn."""
        async with asyncio.TaskGroup() as group:
            await repeat("deferred chunks", partial(self._start_due, group), POLL_SECONDS)

    async def _start_due(self, group: asyncio.TaskGroup) -> None:
        """Drain every queue that is due and is not drained already. Raises StoreUnavailableError."""
        for queue, every in (await self._due()).items():
            if queue not in self._under_way:
                self._under_way.add(queue)
                group.create_task(self._drain(queue, every=every), name=f"deferred chunks {queue}")

    async def _due(self) -> Mapping[ChunkQueue, bool]:
        """What may be taken now; False: of that only what belongs to cancelled feeds."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(WAITING)
        self._count(rows)
        return {
            ChunkQueue(row["catalog_topic"], Partition(row["topic"], row["partition"])): every
            for row in rows
            if (every := not self._bus.blocked(row["catalog_topic"])) or row["cancelled"]
        }

    def _count(self, rows: Iterable[Row]) -> None:
        waiting: Counter[str] = Counter()
        for row in rows:
            waiting[row["catalog_topic"]] += row["chunks"]
        for topic in {*self._waiting, *waiting}:
            metrics.chunks_deferred.labels(topic=topic).set(waiting[topic])
        self._waiting = dict(waiting)

    async def _drain(self, queue: ChunkQueue, *, every: bool) -> None:
        """Take chunks of a queue until it has no more than come with the next look. every: not only of cancelled feeds.

        Between two batches the other queues have their turn.
        """
        going: bool | None = True
        try:
            while going:
                async with self._slots:
                    going = await self.supervisor.run(queue, partial(self._take_oldest, queue, every=every))
        finally:
            self._under_way.discard(queue)

    async def _take_oldest(self, queue: ChunkQueue, *, every: bool) -> bool:
        """Take a batch; False when there are no more now."""
        if every and self._bus.blocked(queue.catalog_topic):
            return False  # another queue has tried it meanwhile
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(OLDEST, queue.catalog_topic, *queue.partition, every, BATCH)
        waiting = {row["offset"]: _deferred(row) for row in rows}
        held: dict[int, RowLockedError] = {}
        try:
            for start, end in stretches(waiting, near=NEAR):
                await self._take_between(queue.partition, start, end, waiting, held)
        except TopicUnavailableError as error:
            if error.topic != queue.catalog_topic:
                raise
            return False  # which was said when it was found out
        for locked in held.values():
            raise locked
        return len(rows) == BATCH

    async def _take_between(
        self,
        partition: Partition,
        start: int,
        end: int,
        waiting: Mapping[int, DeferredChunk],
        held: dict[int, RowLockedError],
    ) -> None:
        """Take the chunks that lie there; those that do not any more are lost.

        held: feeds of which a chunk needs a row that somebody holds; the others go on.
        """
        left = {offset: chunk for offset, chunk in waiting.items() if start <= offset < end}
        async with aclosing(self._bus.scan(*partition, start, end)) as lists:
            async for record in (record async for records in lists for record in records):
                chunk = left.get(record.offset)
                if chunk is None or not is_deferred(record, chunk):
                    continue
                del left[record.offset]
                if chunk.feed_no not in held:
                    try:
                        await self._processor.process(record, deferred=True)
                    except RowLockedError as error:
                        held[chunk.feed_no] = error
        for chunk in left.values():
            await self._lose(chunk)

    async def _lose(self, chunk: DeferredChunk) -> None:
        """Count a chunk that Kafka deleted meanwhile as taken."""
        async with transaction(self._pool) as connection:
            if not await queries.take_deferred(connection, chunk.source):
                return
            await claim_unread(connection, chunk, chunk.source, (lost_by(chunk),))
        log.error("chunk.lost", feed=chunk.feed_no, chunk=chunk.chunk_no, catalog_topic=chunk.catalog_topic)
        await self._touched(chunk.feed_no)


def is_deferred(record: Record, chunk: DeferredChunk) -> bool:
    """Whether a record is the chunk that was noted, and not one of a topic that was recreated."""
    try:
        head = head_from_headers(record.headers)
    except InvalidMessageError:
        return False
    return (head.feed_no, head.chunk_no) == (chunk.feed_no, chunk.chunk_no)


def lost_by(chunk: DeferredChunk) -> Issue:
    """What the report of the chunk's feed says."""
    return Issue("poison_pill", actual=f"the chunk was deleted while it waited for the topic {chunk.catalog_topic}")


def _deferred(row: Row) -> DeferredChunk:
    source = Source(row["topic"], row["partition"], row["offset"])
    own = (row["feed_no"], row["chunk_no"], row["first_record"], row["page_no"])
    return DeferredChunk(source, row["catalog_topic"], *own)


def _describe_waiting(topic: str, away: Mapping[str, TopicUnavailableError], waiting: Mapping[str, int]) -> str:
    why = str(away[topic]) if topic in away else f"topic {topic} was away, or a row was held"
    return f"{why}; chunks waiting: {waiting[topic]}" if topic in waiting else why
