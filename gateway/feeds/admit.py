"""Taking a feed: its row, its chunks on Kafka, and only then the word that it is durable.

admitted ──► produced ──────┬──────────────────► done | cancelled
    └──────► incomplete ────┤                     ▲
                            └► held ─► withdrawing┘      (full feeds only)

An incomplete feed may be resumed: the same idempotency key carries on under the same feed_no.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

import asyncpg

from gateway.feeds.chunk import EXPRESS_RECORDS, ChunkHead, ChunkSpan, Lane, Mode, head_to_headers
from gateway.feeds.numbers import FeedNumbers
from gateway.kafka import BULK, EXPRESS, Message, Producer
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Pool, transaction
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached
from schemas.catalog import Facet

LANE_TOPIC = {Lane.EXPRESS: EXPRESS, Lane.BULK: BULK}

KEY_LIFE = timedelta(days=7)
"""How long an idempotency key is remembered."""

BUSY = timedelta(seconds=15)
"""An admitting request without a sign of life for this long is taken for dead; another may resume its feed."""

SEND_BYTES = 4 * 1024 * 1024
"""Of chunks sent and acked together; what a request holds in memory stays small however large its records are."""

FIND_KEY = """
    SELECT k.facet, k.mode, k.body_sha256, k.expires_at <= now() AS expired,
           f.feed_no, f.state, f.revision, f.received_at, f.touched_at > now() - $3::interval AS busy
      FROM idempotency_keys k JOIN feeds f USING (feed_no)
     WHERE k.supplier = $1 AND k.key = $2
       FOR UPDATE OF k, f
"""

FORGET_KEY = "DELETE FROM idempotency_keys WHERE supplier = $1 AND key = $2"

INSERT_FEED = """
    INSERT INTO feeds (feed_no, supplier, facet, mode, state, revision, lane, chunks, records, bytes, body_sha256,
                       received_at)
    VALUES ($1, $2, $3, $4, 'admitted', $5, $6, $7, $8, $9, $10, $11)
"""

INSERT_KEY = """
    INSERT INTO idempotency_keys (supplier, key, facet, mode, body_sha256, feed_no, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
"""

RESUME = "UPDATE feeds SET state = 'admitted', touched_at = now() WHERE feed_no = $1"

TOUCH = "UPDATE feeds SET touched_at = now() WHERE feed_no = $1"

PRODUCED = """
    UPDATE feeds SET state = 'produced', produced_at = now(), touched_at = now()
     WHERE feed_no = $1 AND state IN ('admitted', 'incomplete')
"""

INCOMPLETE = "UPDATE feeds SET state = 'incomplete' WHERE feed_no = $1 AND state = 'admitted'"


class FeedState(StrEnum):
    """Where a feed stands; see the drawing above."""

    ADMITTED = "admitted"
    PRODUCED = "produced"
    INCOMPLETE = "incomplete"
    WITHDRAWING = "withdrawing"
    HELD = "held"
    DONE = "done"
    CANCELLED = "cancelled"


class IdempotencyReusedError(GatewayError):
    """The idempotency key was used with another body, facet or mode."""


class IdempotencyInProgressError(GatewayError):
    """The first request with this idempotency key still runs."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A whole feed, read, decoded and framed into chunk values that wait in a spool.

    feed_no: taken before its body was read; size: decoded bytes; body_sha256: of the decoded body; payload: value of a
    span; received_at: with offset.
    """

    feed_no: int
    supplier: str
    revision: int
    facet: Facet
    mode: Mode
    idempotency_key: str | None
    body_sha256: bytes
    size: int
    records: int
    chunks: Sequence[ChunkSpan]
    payload: Callable[[ChunkSpan], bytes]
    received_at: datetime
    traceparent: str | None = None

    @property
    def lane(self) -> Lane:
        """Small feeds overtake large ones."""
        return Lane.EXPRESS if self.records <= EXPRESS_RECORDS else Lane.BULK


@dataclass(frozen=True, slots=True)
class Receipt:
    """The word that a feed is durable. duplicate: it was so before this request, which changed nothing."""

    feed_no: int
    duplicate: bool = False


class Admission:
    """Admits feeds. admitted: told of every feed that became durable, so that an empty or fast one is finished."""

    def __init__(
        self,
        pool: Pool,
        producer: Producer,
        numbers: FeedNumbers,
        admitted: Callable[[int], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._producer = producer
        self._numbers = numbers
        self._admitted = admitted

    async def next_feed_no(self) -> int:
        """A number for the feed whose request has just come; it orders what suppliers say, so take it first."""
        return await self._numbers.next()

    async def admit(self, submission: Submission) -> Receipt:
        """Make the feed durable.

        Raises ServiceUnavailableError when Kafka or PostgreSQL is away: the feed is incomplete, nothing was promised,
        and the same key resumes it; IdempotencyReusedError and IdempotencyInProgressError as they say.
        """
        opened = await self._open(submission)
        if isinstance(opened, Receipt):
            return opened
        try:
            await self._produce(opened)
            async with transaction(self._pool) as connection:
                await connection.execute(PRODUCED, opened.feed_no)
        except BaseException:
            await self._give_up(opened)
            raise
        metrics.feeds_total.labels(facet=opened.facet, state="produced").inc()
        await self._admitted(opened.feed_no)
        return Receipt(opened.feed_no)

    async def _open(self, submission: Submission) -> Submission | Receipt:
        """The submission under the number it goes by, or the receipt it had before."""
        try:
            async with transaction(self._pool) as connection:
                opened = await _known(connection, submission) or await _insert(connection, submission)
                reached("admit.before_commit")
        except asyncpg.UniqueViolationError as error:
            raise IdempotencyInProgressError from error
        reached("admit.after_commit")
        return opened

    async def _produce(self, submission: Submission) -> None:
        touched = time.monotonic()
        for spans in _together(submission.chunks):
            reached("produce.before")
            await self._producer.send([_message(submission, span) for span in spans])
            reached("produce.after")
            if time.monotonic() - touched > BUSY.total_seconds() / 3:
                touched = time.monotonic()
                async with transaction(self._pool) as connection:
                    await connection.execute(TOUCH, submission.feed_no)

    async def _give_up(self, submission: Submission) -> None:
        """Say at once that the feed is not whole; where even that fails, the sweeper says it later."""
        try:
            async with transaction(self._pool) as connection:
                await connection.execute(INCOMPLETE, submission.feed_no)
            metrics.feeds_total.labels(facet=submission.facet, state="incomplete").inc()
        except (GatewayError, OSError):
            return


def _together(chunks: Sequence[ChunkSpan]) -> Iterator[list[ChunkSpan]]:
    """Runs of chunks of at most SEND_BYTES, a larger one alone."""
    run: list[ChunkSpan] = []
    for span in chunks:
        if run and sum(each.size for each in run) + span.size > SEND_BYTES:
            yield run
            run = []
        run.append(span)
    if run:
        yield run


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
    if row["state"] not in ("admitted", "incomplete"):
        return Receipt(row["feed_no"], duplicate=True)
    if row["state"] == "admitted" and row["busy"]:
        raise IdempotencyInProgressError
    await connection.execute(RESUME, row["feed_no"])
    return replace(submission, feed_no=row["feed_no"], revision=row["revision"], received_at=row["received_at"])


async def _insert(connection: Connection, submission: Submission) -> Submission:
    await connection.execute(
        INSERT_FEED,
        submission.feed_no,
        submission.supplier,
        submission.facet,
        submission.mode,
        submission.revision,
        submission.lane,
        len(submission.chunks),
        submission.records,
        submission.size,
        submission.body_sha256,
        submission.received_at,
    )
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


def _message(submission: Submission, span: ChunkSpan) -> Message:
    head = ChunkHead(
        supplier=submission.supplier,
        feed_no=submission.feed_no,
        chunk_no=span.chunk_no,
        first_record=span.first_record,
        facet=submission.facet,
        mode=submission.mode,
        lane=submission.lane,
        revision=submission.revision,
        received_at=submission.received_at,
        traceparent=submission.traceparent,
    )
    return Message(LANE_TOPIC[submission.lane], None, submission.payload(span), head_to_headers(head))
