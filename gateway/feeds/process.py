"""One chunk, from the feeds topic to the catalog topic, in one transaction of PostgreSQL.

Normalising comes first, outside it. Inside: the partition's place and the one behind it, the chunk's claim, the keys'
locks, the judgement, the keys' new states and all that is told of the chunk, and only then the records' acks and their
places: what PostgreSQL refuses was never published. A crash anywhere repeats the chunk with the same decisions and so
the same `ce_id`s. No outbox is needed for that, because nothing here is decided that a repeat could
decide otherwise while the locks are held.

A chunk whose catalog topic is away is deferred: noted in a table, so that its partition goes on, and given again once
the topic takes records. So is one that needs a row which somebody holds.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import NoReturn

import structlog

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.feeds import queries, rejections
from gateway.feeds.apply import Applier, Settled
from gateway.feeds.batches import normalise_in_stretches
from gateway.feeds.chunk import MAX_FEED_RECORDS, ChunkHead, Lane, Mode, RawRecord, decode, head_from_headers
from gateway.feeds.decide import Decisions, Entry, Refused, cancel
from gateway.feeds.missing_chunks import claim_unread
from gateway.feeds.normalise import Rejection, skus_of
from gateway.feeds.profile import Profile, Profiles
from gateway.feeds.queries import Source
from gateway.feeds.seal import ChunkSeal
from gateway.kafka import CATALOG_TOPIC, Headers, KafkaRefusedError, Record, TopicUnavailableError
from gateway.sdk.errors import InvalidMessageError, Issue, ServiceUnavailableError
from gateway.sdk.wire import shown
from gateway.store import Connection, Pool, RowLockedError, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from gateway.turnstile import Turnstile

log = structlog.get_logger(__name__)


MOST_TRIALS = 200
"""Transactions to find the records in that end a chunk's; those that still lie together then are rejected together."""


class _TriedError(Exception):
    """Ends a trial: its transaction is rolled back."""


class Step(Enum):
    """What a record came to.

    TAKEN: it is done, now or earlier, or deferred; MISPLACED: its partition goes on elsewhere.
    """

    TAKEN = auto()
    MISPLACED = auto()


@dataclass(frozen=True, slots=True)
class ReadChunk:
    """A chunk as read, before anything was asked of PostgreSQL. deferred: its partition went on without it."""

    source: Source
    head: ChunkHead
    profile: Profile
    entries: Sequence[Entry]
    deferred: bool


class ChunkProcessor:
    """Takes records of the feeds topics one by one; safe against repeats, zombies and crashes.

    finished: told the feed of every chunk that took effect; rejected_bytes: what a supplier may have rejected in a day
    whose row sets no less.
    """

    def __init__(
        self,
        pool: Pool,
        applier: Applier,
        profiles: Profiles,
        seal: ChunkSeal,
        finished: Callable[[int], Awaitable[None]],
        *,
        rejected_bytes: int,
    ) -> None:
        self._pool = pool
        self._applier = applier
        self._profiles = profiles
        self._seal = seal
        self._finished = finished
        self._rejected_bytes = rejected_bytes
        self._turnstile = Turnstile()

    async def process(self, record: Record, *, deferred: bool = False) -> Step:
        """Take one record to its end.

        deferred: it was deferred, and is given again; its partition is further. Raises ServiceUnavailableError when
        Kafka or PostgreSQL is away, or again what a deferred chunk waits for: nothing took effect, or all of it did,
        and the same record has to be given again.
        """
        started = time.perf_counter()
        source = Source(record.topic, record.partition, record.offset)
        try:
            head, raws = self._opened(record)
            if not deferred and self._applier.blocked(head):
                return await self._defer(head, source, len(raws))
            chunk = await self._read(head, raws, source, deferred=deferred)
        except InvalidMessageError as error:
            return await self._bury(record, source, error.issues, deferred=deferred)
        except ServiceUnavailableError:
            raise
        except Exception as error:
            log.exception("chunk.unread", topic=source.topic, partition=source.partition, offset=source.offset)
            return await self._bury(record, source, (_fault(error),), deferred=deferred)
        try:
            step, decisions = await self._committed(chunk)
        except (TopicUnavailableError, RowLockedError) as error:
            if deferred:
                raise
            log.info("chunk.deferred", feed=head.feed_no, chunk=head.chunk_no, reason=str(error))
            return await self._defer(head, source, len(raws))
        if decisions is not None:
            self._count(chunk.head, decisions, time.perf_counter() - started)
            await self._finished(chunk.head.feed_no)
        return step

    async def _defer(self, head: ChunkHead, source: Source, records: int) -> Step:
        """Have the partition go on without a chunk that waits for its catalog topic, or for a row."""
        async with transaction(self._pool) as connection:
            if not await queries.move_offset(connection, source):
                return await _elsewhere(connection, source)
            await queries.keep_feed(connection, head)
            await queries.defer(connection, head, source, records, catalog_topic=CATALOG_TOPIC[head.facet])
        return Step.TAKEN

    async def _committed(self, chunk: ReadChunk) -> tuple[Step, Decisions | None]:
        """The chunk's transaction; where a fault of ours ends it, the records that cause it are rejected in another.

        A chunk that fails again each time it comes would stop its partition for ever.
        """
        try:
            return await self._transacted(chunk)
        except ServiceUnavailableError:
            raise
        except Exception as error:
            log.exception("chunk.failed", feed=chunk.head.feed_no, chunk=chunk.head.chunk_no)
            return await self._without_faults(chunk, error)

    async def _without_faults(self, chunk: ReadChunk, error: Exception) -> tuple[Step, Decisions | None]:
        faults = await self._faults(chunk, published=isinstance(error, KafkaRefusedError))
        try:
            return await self._transacted(_rejected(chunk, faults))
        except ServiceUnavailableError:
            raise
        except Exception as again:
            log.exception("chunk.refused", feed=chunk.head.feed_no, chunk=chunk.head.chunk_no)
            return await self._transacted(_rejected(chunk, dict.fromkeys(range(len(chunk.entries)), again)))

    async def _faults(self, chunk: ReadChunk, *, published: bool) -> dict[int, Exception]:
        """Entries that cannot take effect, by place, and why: found in transactions that are undone.

        published: it is Kafka that refuses, so that trying is sending: a repeat stands on the topic under its own id.
        """
        return await found_by_halving(len(chunk.entries), partial(self._tried, chunk, published=published))

    async def _tried(self, chunk: ReadChunk, places: range, *, published: bool) -> Exception | None:
        """What ends a transaction of these entries alone, None for nothing."""
        part = replace(chunk, entries=chunk.entries[places.start : places.stop])
        try:
            async with transaction(self._pool) as connection:
                await self._try(connection, part, published=published)
        except _TriedError:
            return None
        except ServiceUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is these entries' fault
            return error

    async def _try(self, connection: Connection, part: ReadChunk, *, published: bool) -> NoReturn:
        """Raises _TriedError where all went well, so that it is undone."""
        settled = await self._settle(connection, part)
        if published:
            await self._applier.publish(connection, part.head, settled)
        raise _TriedError

    async def _transacted(self, chunk: ReadChunk) -> tuple[Step, Decisions | None]:
        async with transaction(self._pool) as connection:
            applied = await self._apply(connection, chunk)
            failpoint("state.before_commit")
        failpoint("state.after_commit")
        return applied

    def _opened(self, record: Record) -> tuple[ChunkHead, Sequence[RawRecord]]:
        """What a record holds. Raises InvalidMessageError where it is no chunk of ours."""
        self._seal.verify(record.headers, record.value or b"")
        return read_chunk(record.key, record.headers, record.value or b"")

    async def _read(self, head: ChunkHead, raws: Sequence[RawRecord], source: Source, *, deferred: bool) -> ReadChunk:
        profile = await self._profiles.get(head.supplier, head.revision)
        rules = profile.rules(head.facet, head.received_at)
        async with self._turnstile if head.lane is Lane.BULK else nullcontext():
            entries = await normalise_in_stretches(profile, raws, head.first_record, rules)
        return ReadChunk(source, head, profile, entries, deferred)

    async def _apply(self, connection: Connection, chunk: ReadChunk) -> tuple[Step, Decisions | None]:
        """Everything the transaction does; no decisions when the chunk had taken effect before."""
        head, source = chunk.head, chunk.source
        if (elsewhere := await _left(connection, source, deferred=chunk.deferred)) is not None:
            return elsewhere, None
        if not await queries.claim_chunk(connection, head, source, len(chunk.entries)):
            return Step.TAKEN, None
        if await queries.share_feed(connection, head):
            decisions = cancel(chunk.entries)
            await queries.record_chunk(connection, head, decisions)
            return Step.TAKEN, decisions
        settled = await self._settle(connection, chunk)
        await self._applier.publish(connection, head, settled)
        return Step.TAKEN, settled.decisions

    async def _settle(self, connection: Connection, chunk: ReadChunk) -> Settled:
        """All that PostgreSQL has to take of a chunk before anything of it is published."""
        settled = await self._applier.settle(connection, chunk.head, chunk.profile, chunk.entries)
        if chunk.head.mode is not Mode.VALIDATE:
            await record_letters(connection, [_letter(chunk, refused) for refused in settled.decisions.refused])
        quota = rejections.quota_of(chunk.profile.config, self._rejected_bytes)
        await rejections.spend(connection, chunk.head, settled.decisions, quota)
        await queries.record_chunk(connection, chunk.head, settled.decisions)
        return settled

    async def _bury(self, record: Record, source: Source, issues: tuple[Issue, ...], *, deferred: bool) -> Step:
        """Dead-letter a record that cannot be read as a chunk; its feed, if it is known, and the partition go on."""
        head = self._head(record)
        async with transaction(self._pool) as connection:
            if (elsewhere := await _left(connection, source, deferred=deferred)) is not None:
                return elsewhere
            if head is not None:
                await queries.share_feed(connection, head)
                await claim_unread(connection, head, source, issues)
            await record_letters(connection, [_unreadable(record, issues)])
        feed_no = None if head is None else head.feed_no
        place = {"topic": source.topic, "partition": source.partition, "offset": source.offset}
        log.warning("chunk.unreadable", feed=feed_no, **place)
        if feed_no is not None:
            await self._finished(feed_no)
        return Step.TAKEN

    def _head(self, record: Record) -> ChunkHead | None:
        """What the headers say of a record that is no chunk otherwise; None where a stranger may have written it."""
        try:
            self._seal.verify(record.headers, record.value or b"")
            return head_from_headers(record.headers)
        except InvalidMessageError:
            return None

    def _count(self, head: ChunkHead, decisions: Decisions, seconds: float) -> None:
        metrics.feed_chunk_seconds.labels(lane=head.lane).observe(seconds)
        if head.mode is Mode.VALIDATE:
            return
        for outcome, count in decisions.counts().items():
            metrics.feed_items_total.labels(supplier=head.supplier, facet=head.facet, outcome=outcome).inc(count)


def read_chunk(key: bytes | None, headers: Headers, value: bytes) -> tuple[ChunkHead, Sequence[RawRecord]]:
    """What a record of the feeds topics holds, its seal apart. Raises InvalidMessageError where it is no chunk."""
    head = head_from_headers(headers)
    if key is not None:
        raise InvalidMessageError(Issue("poison_pill", "/key", shown(key), "no key"))
    raws = list(decode(value))
    fewest = 1 if head.page_no is None else 0
    if not fewest <= len(raws) <= MAX_FEED_RECORDS - head.first_record:
        raise InvalidMessageError(Issue("poison_pill", actual=f"chunk of {len(raws)} records"))
    return head, raws


async def _left(connection: Connection, source: Source, *, deferred: bool) -> Step | None:
    """Have a record leave the place where it waits; what it came to, where it does not wait there."""
    if deferred:
        return None if await queries.take_deferred(connection, source) else Step.TAKEN
    return None if await queries.move_offset(connection, source) else await _elsewhere(connection, source)


async def _elsewhere(connection: Connection, source: Source) -> Step:
    """What a record came to where its partition does not stand."""
    place = await queries.next_offset(connection, source)
    return Step.TAKEN if place is not None and place > source.offset else Step.MISPLACED


async def found_by_halving(size: int, tried: Callable[[range], Awaitable[Exception | None]]) -> dict[int, Exception]:
    """Places that cannot take effect, and why. tried: what ends a trial of these places alone, None for nothing."""
    faults: dict[int, Exception] = {}
    left, trials = [range(size)], 0
    while left:
        places, trials = left.pop(), trials + 1
        error = await tried(places)
        if error is None:
            continue
        if len(places) == 1 or trials > MOST_TRIALS:
            faults |= dict.fromkeys(places, error)
        else:
            middle = len(places) // 2
            left += (places[middle:], places[:middle])
    return faults


def _rejected(chunk: ReadChunk, faults: Mapping[int, Exception]) -> ReadChunk:
    """The chunk with the records at these places rejected, as faults of ours."""
    entries = [
        replace(each, result=_failed(each.raw, faults[place], chunk.profile)) if place in faults else each
        for place, each in enumerate(chunk.entries)
    ]
    return replace(chunk, entries=entries)


def _failed(raw: bytes, error: Exception, profile: Profile) -> Rejection:
    return Rejection((_fault(error),), skus_of(raw, pulled=profile.pulled))


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
