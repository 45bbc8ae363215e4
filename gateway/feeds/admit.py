"""Taking a feed: its row, its chunks on Kafka, and only then the word that it is durable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import asyncpg

from gateway.feeds.chunk import EXPRESS_RECORDS, ChunkHead, ChunkSpan, Lane, Mode, Origin
from gateway.feeds.feed import (
    FeedState,
    NewFeed,
    admit_feed,
    feed_incomplete,
    feed_produced,
    resume_feed,
    states_before,
)
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.produce import SignOfLife, produce
from gateway.feeds.seal import ChunkSeal
from gateway.kafka import Producer
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Pool, SharedPool, acquired
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from schemas.catalog import Facet

KEY_LIFE = timedelta(days=7)
"""How long an idempotency key is remembered."""

BUSY = timedelta(seconds=15)
"""An admitting request without a sign of life for this long is taken for dead; another may resume its feed."""

OPENED_TOGETHER = 4
"""Feeds with idempotency keys that one supplier may open at a time: each may wait for the row of its key."""

FIND_KEY = """
    SELECT k.facet, k.mode, k.body_sha256, k.expires_at <= now() AS expired,
           f.feed_no, f.state, f.revision, f.received_at, f.touched_at > now() - $3::interval AS busy
      FROM idempotency_keys k JOIN feeds f USING (feed_no)
     WHERE k.supplier = $1 AND k.key = $2
       FOR UPDATE OF k, f
"""

FORGET_KEY = "DELETE FROM idempotency_keys WHERE supplier = $1 AND key = $2"

INSERT_KEY = """
    INSERT INTO idempotency_keys (supplier, key, facet, mode, body_sha256, feed_no, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
"""

Permission = Callable[[Connection], Awaitable[None]]
"""Asks whether a feed may be taken still: its body was under way for as long as it took."""


class IdempotencyReusedError(GatewayError):
    """The idempotency key was used with another body, facet or mode."""


class IdempotencyInProgressError(GatewayError):
    """The first request with this idempotency key still runs."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A whole feed, framed into chunk values that wait somewhere: a body that was read and decoded, or a re-read.

    feed_no: taken before its body was read, or its question left; size: decoded bytes; body_sha256: of the decoded
    body, None where no key can bring it again; payload: value of a span; received_at: with offset.
    """

    feed_no: int
    supplier: str
    revision: int
    facet: Facet
    mode: Mode
    idempotency_key: str | None
    body_sha256: bytes | None
    size: int
    records: int
    chunks: Sequence[ChunkSpan]
    payload: Callable[[ChunkSpan], bytes]
    received_at: datetime
    traceparent: str | None = None
    origin: Origin = Origin.PUSH

    @property
    def lane(self) -> Lane:
        """Small feeds overtake large ones, and so does what a message made us reread."""
        small = self.records <= EXPRESS_RECORDS or self.origin is Origin.REREAD
        return Lane.EXPRESS if small else Lane.BULK


@dataclass(frozen=True, slots=True)
class Receipt:
    """The word that a feed is durable. duplicate: it was so before this request, which changed nothing."""

    feed_no: int
    duplicate: bool = False


class Admission:
    """Admits feeds. admitted: told of feeds that became durable and that no chunk may finish any more."""

    def __init__(
        self,
        pool: Pool,
        producers: Mapping[Lane, Producer],
        numbers: FeedNumbers,
        seal: ChunkSeal,
        admitted: Callable[[int], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._keyed = SharedPool(pool, share=OPENED_TOGETHER)
        self._producers = producers
        self._numbers = numbers
        self._seal = seal
        self._admitted = admitted

    async def next_feed_no(self) -> int:
        """A number for the feed whose request has just come; it orders what suppliers say, so take it first."""
        return await self._numbers.next()

    async def admit(self, submission: Submission) -> Receipt:
        """Make the feed durable: `open`, then `produce`. Raises what they do."""
        opened = await self.open(submission)
        return opened if isinstance(opened, Receipt) else await self.produce(opened)

    async def produce(self, opened: Submission) -> Receipt:
        """Bring an opened feed's chunks to Kafka.

        Raises ServiceUnavailableError when Kafka or PostgreSQL is away: the feed is incomplete, though all of it may
        be there and take effect; the same key resumes it.
        """
        try:
            life = SignOfLife(self._pool, opened.feed_no)
            await produce(self._producers[opened.lane], _head(opened), opened.chunks, opened.payload, life, self._seal)
            async with acquired(self._pool) as connection:
                await feed_produced(connection, opened.feed_no)
        except BaseException:
            await self._give_up(opened)
            raise
        metrics.feeds_total.labels(facet=opened.facet, state="produced").inc()
        if opened.mode is Mode.FULL or not opened.chunks:
            await self._admitted(opened.feed_no)  # the last chunk of any other feed says so itself
        return Receipt(opened.feed_no)

    async def open(self, submission: Submission, permitted: Permission | None = None) -> Submission | Receipt:
        """Record the feed; the submission under the number it goes by from here on, or the receipt it had before.

        permitted: asked first on the same connection, within the transaction; what it raises refuses the feed. Raises
        IdempotencyReusedError and IdempotencyInProgressError as they say, ShareBusyError: the supplier opens too many
        at once, and ServiceUnavailableError: the feed may or may not be recorded.
        """
        # A transaction only where there is more than one statement: each of its ends is a question of its own.
        keyed = submission.idempotency_key is not None
        opening = self._in_turn(submission.supplier) if keyed else acquired(self._pool)
        try:
            async with opening as connection:
                if permitted is not None:
                    await permitted(connection)
                opened = await _known(connection, submission) or await _insert(connection, submission)
                failpoint("admit.before_commit")
        except asyncpg.UniqueViolationError as error:
            raise IdempotencyInProgressError from error
        failpoint("admit.after_commit")
        return opened

    @asynccontextmanager
    async def _in_turn(self, supplier: str) -> AsyncIterator[Connection]:
        """A transaction, of which the supplier has some at a time: one that waits long keeps no other supplier out."""
        async with self._keyed.acquired(supplier) as connection, connection.transaction():
            yield connection

    async def _give_up(self, submission: Submission) -> None:
        """Say at once that the feed is not whole; where even that fails, the sweeper says it later."""
        try:
            async with acquired(self._pool) as connection:
                await feed_incomplete(connection, submission.feed_no)
            metrics.feeds_total.labels(facet=submission.facet, state="incomplete").inc()
        except (GatewayError, OSError):
            return


async def _known(connection: Connection, submission: Submission) -> Submission | Receipt | None:
    """What the idempotency key already stands for, locked; None: nothing."""
    key = submission.idempotency_key
    if key is None:
        return None
    row = await connection.fetchrow(FIND_KEY, submission.supplier, key, BUSY)
    if row is None:
        return None
    if row["expired"]:
        await connection.execute(FORGET_KEY, submission.supplier, key)
        return None
    if (row["facet"], row["mode"], row["body_sha256"]) != (submission.facet, submission.mode, submission.body_sha256):
        raise IdempotencyReusedError
    if row["state"] not in states_before(FeedState.PRODUCED):
        return Receipt(row["feed_no"], duplicate=True)
    if row["state"] == FeedState.ADMITTED and row["busy"]:
        raise IdempotencyInProgressError
    await resume_feed(connection, row["feed_no"])
    return replace(submission, feed_no=row["feed_no"], revision=row["revision"], received_at=row["received_at"])


async def _insert(connection: Connection, submission: Submission) -> Submission:
    new = NewFeed(
        feed_no=submission.feed_no,
        supplier=submission.supplier,
        facet=submission.facet,
        mode=submission.mode,
        revision=submission.revision,
        lane=submission.lane,
        origin=submission.origin,
        received_at=submission.received_at,
        chunks=len(submission.chunks),
        records=submission.records,
        size=submission.size,
        body_sha256=submission.body_sha256,
    )
    await admit_feed(connection, new)
    if submission.idempotency_key is not None:
        await connection.execute(
            INSERT_KEY,
            submission.supplier,
            submission.idempotency_key,
            submission.facet,
            submission.mode,
            submission.body_sha256,
            submission.feed_no,
            KEY_LIFE,
        )
    return submission


def _head(submission: Submission) -> ChunkHead:
    """What the chunks share."""
    return ChunkHead(
        supplier=submission.supplier,
        feed_no=submission.feed_no,
        chunk_no=0,
        first_record=0,
        facet=submission.facet,
        mode=submission.mode,
        lane=submission.lane,
        revision=submission.revision,
        received_at=submission.received_at,
        traceparent=submission.traceparent,
        origin=submission.origin,
    )
