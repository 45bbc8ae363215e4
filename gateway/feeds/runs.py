"""Pulled exchanges coming in, by the way of pushed records: a sweep page by page, a re-read as a feed of its own.

A run is a feed whose chunks are not known before its end: its row says `admitted` while pages come in, `produced` once
their number is known. It is open for hours and over several processes; what each page's chunks are numbered is written
down before they are sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.feeds.admit import Admission, IdempotencyInProgressError, Submission
from gateway.feeds.chunk import MAX_CARRIED, Chunker, ChunkHead, ChunkSpan, Lane, Mode, Origin
from gateway.feeds.feed import NewFeed, abandon_run, open_run, run_produced
from gateway.feeds.produce import SignOfLife, produce
from gateway.feeds.seal import ChunkSeal
from gateway.kafka import Producer
from gateway.store import Connection, Pool
from gateway.store.outage import retrying_while_unavailable
from gateway.telemetry import metrics
from schemas.catalog import Facet


@dataclass(frozen=True, slots=True)
class Run:
    """One sweep of a whole facet, as a feed. feed_no: taken before its first question left; received_at: then."""

    feed_no: int
    supplier: str
    revision: int
    facet: Facet
    received_at: datetime
    traceparent: str | None = None


class PackedChunk(NamedTuple):
    """The value of a chunk. first_record: within its page, from 0."""

    value: bytes
    first_record: int
    records: int


@dataclass(frozen=True, slots=True)
class Page:
    """One portion of a run. page_no: a feed number of its own, taken before its question left; received_at: then."""

    page_no: int
    received_at: datetime
    chunks: Sequence[PackedChunk]


def pack(exchanges: Sequence[bytes]) -> list[PackedChunk]:
    """Exchanges as chunks, in order; the line of each is its ordinal from 1.

    One that is too large to be carried is cut; what is left of it still names its skus and is rejected.
    """
    chunker, packed, first = Chunker(), [], 0
    values = [chunker.add(line, exchange[:MAX_CARRIED]) for line, exchange in enumerate(exchanges, start=1)]
    for finished in (*values, chunker.finish()):
        if finished is not None:
            value, records = finished
            packed.append(PackedChunk(value, first, records))
            first += records
    return packed


def spread(chunks: Sequence[PackedChunk], numbers: Sequence[int]) -> dict[int, PackedChunk]:
    """The chunks under the highest of these numbers, in order, and nothing under the others.

    The lower ones were given out to attempts that did not come to their end: whether their chunks exist nobody knows,
    so no other content may stand under them. Raises ValueError for fewer numbers than chunks.
    """
    in_order = sorted(numbers)
    idle = len(in_order) - len(chunks)
    if idle < 0:
        raise ValueError(f"{len(chunks)} chunks need as many numbers, not {len(in_order)}")
    nothing = PackedChunk(b"", 0, 0)
    return dict(zip(in_order, [nothing] * idle + list(chunks), strict=True))


class Runs:
    """Brings sweeps and re-reads in. admitted: told of every run that became durable, so that it is finished."""

    def __init__(
        self,
        pool: Pool,
        producer: Producer,
        admission: Admission,
        seal: ChunkSeal,
        admitted: Callable[[int], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._admission = admission
        self._seal = seal
        self._admitted = admitted
        self._lives: dict[int, SignOfLife] = {}

    async def open(self, connection: Connection, run: Run) -> None:
        """Give the run its row, within the caller's transaction; one that is there already is taken up again."""
        new = NewFeed(
            feed_no=run.feed_no,
            supplier=run.supplier,
            facet=run.facet,
            mode=Mode.FULL,
            revision=run.revision,
            lane=Lane.BULK,
            origin=Origin.SWEEP,
            received_at=run.received_at,
        )
        await open_run(connection, new)

    async def send(self, run: Run, page: Page, numbers: Sequence[int]) -> None:
        """Put the chunks of a page on their topic, and take every number of `numbers`, as `spread` has it.

        numbers: all that were ever given out for this portion of the run, at last as many new ones as the page has
        chunks, committed before. Raises ServiceUnavailableError: send the same again.
        """
        values = spread(page.chunks, numbers)
        head = ChunkHead(
            supplier=run.supplier,
            feed_no=run.feed_no,
            chunk_no=0,
            first_record=0,
            facet=run.facet,
            mode=Mode.FULL,
            lane=Lane.BULK,
            revision=run.revision,
            received_at=page.received_at,
            traceparent=run.traceparent,
            origin=Origin.SWEEP,
            page_no=page.page_no,
        )
        spans = [_span(number, chunk) for number, chunk in values.items()]
        await produce(
            self._producer, head, spans, lambda span: values[span.chunk_no].value, self._life(run), self._seal
        )

    async def touch(self, run: Run) -> None:
        """Say that the run is alive although no page comes in: its supplier hangs. Cheap; call it every few seconds.

        Raises StoreUnavailableError.
        """
        await self._life(run).show()

    async def close(
        self, connection: Connection, run: Run, *, chunks: int, records: int, flaw: str | None = None
    ) -> None:
        """All chunks are out, within the caller's transaction; `closed` has to follow its commit.

        chunks: numbers that were given out; records: exchanges; flaw: why nothing may be withdrawn.
        """
        await run_produced(connection, run.feed_no, chunks=chunks, records=records, flaw=flaw)

    async def abandon(self, connection: Connection, run: Run, flaw: str) -> None:
        """The run never comes to its end: what it said stands, nothing is withdrawn. flaw: why."""
        await abandon_run(connection, run.feed_no, flaw)
        self._lives.pop(run.feed_no, None)
        metrics.feeds_total.labels(facet=run.facet, state="incomplete").inc()

    async def closed(self, run: Run) -> None:
        """The run's close is committed: have it finished."""
        self._lives.pop(run.feed_no, None)
        metrics.feeds_total.labels(facet=run.facet, state="produced").inc()
        await self._admitted(run.feed_no)

    async def reread(self, run: Run, exchanges: Sequence[bytes]) -> None:
        """Bring in what was reread of some skus: an express feed of its own, durable on return.

        run: its feed_no was taken before the question left. While Kafka or PostgreSQL is away it goes on trying, under
        the same number: an answer that is in hand is not asked for again.
        """
        chunks = pack(exchanges)
        await self._admit(
            Submission(
                feed_no=run.feed_no,
                supplier=run.supplier,
                revision=run.revision,
                facet=run.facet,
                mode=Mode.UPSERT,
                idempotency_key=None,
                body_sha256=None,
                size=sum(map(len, exchanges)),
                records=len(exchanges),
                chunks=[_span(number, chunk) for number, chunk in enumerate(chunks)],
                payload=lambda span: chunks[span.chunk_no].value,
                received_at=run.received_at,
                traceparent=run.traceparent,
                origin=Origin.REREAD,
            )
        )

    async def _admit(self, submission: Submission) -> None:
        async for attempt in retrying_while_unavailable():
            with attempt:
                try:
                    await self._admission.admit(submission)
                except IdempotencyInProgressError:
                    if attempt.retry_state.attempt_number == 1:
                        raise
                    await self._admission.produce(submission)  # an earlier try has recorded the feed

    def _life(self, run: Run) -> SignOfLife:
        return self._lives.setdefault(run.feed_no, SignOfLife(self._pool, run.feed_no))


def _span(number: int, chunk: PackedChunk) -> ChunkSpan:
    return ChunkSpan(number, 0, len(chunk.value), chunk.first_record, chunk.records)
