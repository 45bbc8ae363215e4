"""One chunk, from the feeds topic to the catalog topic, in one transaction of PostgreSQL.

Normalising comes first, outside it. Inside: the partition's place, the chunk's claim, the keys' locks, the judgement,
the records' acks, the keys' new states, the place behind the chunk. A crash anywhere repeats the chunk with the same
decisions and so the same `ce_id`s. No outbox is needed for that, because nothing here is decided that a repeat could
decide otherwise while the locks are held.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import Enum, auto

import structlog

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.feeds import queries
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import MAX_FEED_RECORDS, ChunkHead, Lane, Mode, RawRecord, decode, head_from_headers
from gateway.feeds.decide import Decisions, Entry, Refused, cancel
from gateway.feeds.normalise import Rejection, Rules, normalise_all, skus_of
from gateway.feeds.profile import Profile, Profiles
from gateway.feeds.queries import Source
from gateway.kafka import Record
from gateway.sdk.errors import InvalidMessageError, Issue, ServiceUnavailableError
from gateway.sdk.wire import shown
from gateway.store import Connection, Pool, transaction
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached
from gateway.turnstile import Stretch, Turnstile

log = structlog.get_logger(__name__)


BATCH_RECORDS, BATCH_BYTES = 32, 32 * 1024
"""Records that are normalised together."""


class Step(Enum):
    """What a record came to. TAKEN: it is done, now or earlier; MISPLACED: its partition goes on elsewhere."""

    TAKEN = auto()
    MISPLACED = auto()


@dataclass(frozen=True, slots=True)
class ReadChunk:
    """A chunk as read, before anything was asked of PostgreSQL."""

    source: Source
    head: ChunkHead
    profile: Profile
    entries: Sequence[Entry]


class ChunkProcessor:
    """Takes records of the feeds topics one by one; safe against repeats, zombies and crashes.

    finished: told the feed of every chunk that took effect.
    """

    def __init__(
        self, pool: Pool, applier: Applier, profiles: Profiles, finished: Callable[[int], Awaitable[None]]
    ) -> None:
        self._pool = pool
        self._applier = applier
        self._profiles = profiles
        self._finished = finished
        self._turnstile = Turnstile()

    async def process(self, record: Record) -> Step:
        """Take one record to its end.

        Raises ServiceUnavailableError when Kafka or PostgreSQL is away: nothing took effect, or all of it did, and
        the same record has to be given again.
        """
        started = time.perf_counter()
        source = Source(record.topic, record.partition, record.offset)
        try:
            chunk = await self._read(record, source)
        except InvalidMessageError as error:
            return await self._bury(record, source, error.issues)
        except ServiceUnavailableError:
            raise
        except Exception as error:
            log.exception("chunk.unread", topic=source.topic, partition=source.partition, offset=source.offset)
            return await self._bury(record, source, (_fault(error),))
        step, decisions = await self._committed(chunk)
        if decisions is not None:
            self._count(chunk.head, decisions, time.perf_counter() - started)
            await self._finished(chunk.head.feed_no)
        return step

    async def _committed(self, chunk: ReadChunk) -> tuple[Step, Decisions | None]:
        """The chunk's transaction; where a fault of ours ends it, all of the chunk is rejected in another one.

        A chunk that fails again each time it comes would stop its partition for ever.
        """
        try:
            return await self._transacted(chunk)
        except ServiceUnavailableError:
            raise
        except Exception as error:
            log.exception("chunk.failed", feed=chunk.head.feed_no, chunk=chunk.head.chunk_no)
            return await self._transacted(_rejected(chunk, error))

    async def _transacted(self, chunk: ReadChunk) -> tuple[Step, Decisions | None]:
        async with transaction(self._pool) as connection:
            applied = await self._apply(connection, chunk)
            reached("state.before_commit")
        reached("state.after_commit")
        return applied

    async def _read(self, record: Record, source: Source) -> ReadChunk:
        head = head_from_headers(record.headers)
        if record.key is not None:
            raise InvalidMessageError(Issue("poison_pill", "/key", shown(record.key), "no key"))
        raws = list(decode(record.value or b""))
        fewest = 1 if head.page_no is None else 0
        if not fewest <= len(raws) <= MAX_FEED_RECORDS - head.first_record:
            raise InvalidMessageError(Issue("poison_pill", actual=f"chunk of {len(raws)} records"))
        profile = await self._profiles.get(head.supplier, head.revision)
        rules = profile.rules(head.facet, head.received_at)
        async with self._turnstile if head.lane is Lane.BULK else nullcontext():
            entries = await _normalise_in_stretches(profile, raws, head.first_record, rules)
        return ReadChunk(source, head, profile, entries)

    async def _apply(self, connection: Connection, chunk: ReadChunk) -> tuple[Step, Decisions | None]:
        """Everything the transaction does; no decisions when the chunk had taken effect before."""
        head, source = chunk.head, chunk.source
        if not await queries.move_next(connection, source):
            return await _elsewhere(connection, source), None
        if not await queries.claim_chunk(connection, head, source, len(chunk.entries)):
            return Step.TAKEN, None
        if await queries.share_feed(connection, head):
            decisions = cancel(chunk.entries)
        else:
            decisions = await self._judge(connection, chunk)
        await queries.record_chunk(connection, head, decisions)
        return Step.TAKEN, decisions

    async def _judge(self, connection: Connection, chunk: ReadChunk) -> Decisions:
        decisions = await self._applier.apply(connection, chunk.head, chunk.profile, chunk.entries)
        if chunk.head.mode is not Mode.VALIDATE:
            await record_letters(connection, [_letter(chunk, refused) for refused in decisions.refused])
        return decisions

    async def _bury(self, record: Record, source: Source, issues: tuple[Issue, ...]) -> Step:
        """Dead-letter a record that cannot be read as a chunk at all; the partition goes on."""
        async with transaction(self._pool) as connection:
            if not await queries.move_next(connection, source):
                return await _elsewhere(connection, source)
            await record_letters(connection, [_unreadable(record, issues)])
        log.warning("chunk.unreadable", topic=source.topic, partition=source.partition, offset=source.offset)
        return Step.TAKEN

    def _count(self, head: ChunkHead, decisions: Decisions, seconds: float) -> None:
        metrics.feed_chunk_seconds.labels(lane=head.lane).observe(seconds)
        if head.mode is Mode.VALIDATE:
            return
        for outcome, count in decisions.counts().items():
            metrics.feed_items_total.labels(supplier=head.supplier, facet=head.facet, outcome=outcome).inc(count)


async def _elsewhere(connection: Connection, source: Source) -> Step:
    """What a record came to where its partition does not stand."""
    place = await queries.next_of(connection, source)
    return Step.TAKEN if place is not None and place > source.offset else Step.MISPLACED


async def _normalise_in_stretches(
    profile: Profile, raws: Sequence[RawRecord], first_record: int, rules: Rules
) -> list[Entry]:
    entries: list[Entry] = []
    stretch = Stretch()
    for batch in batches(raws):
        for raw, result in zip(batch, normalise_all(profile.adapter, batch, rules), strict=True):
            entries.append(Entry(first_record + len(entries), raw.line, raw.raw, result))
        await stretch.rest()
    return entries


def batches(raws: Sequence[RawRecord]) -> Iterator[Sequence[RawRecord]]:
    """Records to normalise together: few and small enough to make no stretch too long, a large one alone."""
    start = size = 0
    for place, raw in enumerate(raws):
        if place > start and (place - start == BATCH_RECORDS or size + len(raw.raw) > BATCH_BYTES):
            yield raws[start:place]
            start, size = place, 0
        size += len(raw.raw)
    yield raws[start:]


def _rejected(chunk: ReadChunk, error: Exception) -> ReadChunk:
    """The chunk with every record of it rejected as a fault of ours."""
    entries = [replace(each, result=Rejection((_fault(error),), skus_of(each.raw))) for each in chunk.entries]
    return replace(chunk, entries=entries)


def _fault(error: Exception) -> Issue:
    return Issue("processing_failed", actual=type(error).__name__)


def _letter(chunk: ReadChunk, refused: Refused) -> DeadLetter:
    head, source = chunk.head, chunk.source
    return DeadLetter(
        stage=refused.stage,
        issues=refused.issues,
        original=refused.entry.raw,
        supplier=head.supplier,
        facet=head.facet,
        sku=refused.sku,
        feed_no=head.feed_no,
        page_no=head.page_no,
        record_index=refused.entry.index,
        line=refused.entry.line,
        revision=head.revision,
        received_at=head.received_at,
        topic=source.topic,
        partition=source.partition,
        offset=source.offset,
    )


def _unreadable(record: Record, issues: tuple[Issue, ...]) -> DeadLetter:
    return DeadLetter(
        stage="feeds.read",
        issues=issues,
        original=record.value or b"",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        headers=tuple((name, value or b"") for name, value in record.headers),  # Kafka lets a value be null
    )
