"""The keeper: reads our own output back and repairs what a broker appended after we had given up on it.

A frozen broker, or a frozen worker's socket, can append a timed-out batch behind newer values of the same keys. The
catalog topic then ends on an old value although PostgreSQL knows better. The keeper compares what it reads with
`feed_state`, one query per batch, and decides what is suspicious under the keys' row locks.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import structlog

from gateway.events import set_within
from gateway.feeds import keys
from gateway.feeds.catalog_records import FACET_OF_TOPIC, UnsettledRecord, read_catalog_record
from gateway.feeds.reconciliation import RecordStatus, Stored, compare_record, newest_version_before
from gateway.feeds.repair import Repairs
from gateway.feeds.source_offsets import LANE_TOPIC, end_offsets, have_processed, starting_offsets, store_offset
from gateway.kafka import Bus, Consumer, Partition, Record
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Pool, transaction
from gateway.store.outage import retrying_while_unavailable
from gateway.telemetry import metrics
from gateway.telemetry.supervise import Supervisor
from gateway.turnstile import Stretch
from schemas.envelope import ItemKey

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5

LOOK_SECONDS = 0.5
"""Between two looks: most records are read before their chunk commits, and settled by the first look after it."""

LOOK_RECORDS = 5_000
"""Records read since the last look that are not kept waiting for the next."""

MOST_WATCHED = 20_000
"""Unsettled records beyond which nothing more is read: a restored database may lack millions."""

SETTLE_KEYS = 250
"""Keys mended in one transaction; their records are held in memory."""

EXPLAIN_SECONDS = 5.0
"""A record whose state does not come is looked into after so long."""

COURTESY = 4.0
"""While feeds are being worked on the keeper rests so many times as long as a look took, within REST_SECONDS."""

REST_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Horizon:
    """The ends of the feeds topics at a moment. Once all of that took effect, what was seen before is unexplained."""

    at: float
    ends: Mapping[Partition, int]


class Keeper:
    """Keeps the catalog topics true. busy: whether this process works on feeds right now."""

    def __init__(self, bus: Bus, pool: Pool, repairs: Repairs, busy: Callable[[], bool]) -> None:
        self._bus = bus
        self._pool = pool
        self._repairs = repairs
        self._busy = busy
        self._watched: dict[Partition, list[UnsettledRecord]] = {}
        self._read_to: dict[Partition, int] = {}
        self._fresh = 0
        self._paused: frozenset[Partition] = frozenset()
        self._looked_at = time.monotonic()
        self._horizon: Horizon | None = None
        self._explained_to = float("-inf")
        self._stopping = asyncio.Event()
        self.supervisor = Supervisor[Partition]("keeper", "partition")

    def stop(self) -> None:
        """Read nothing more; `run` returns after the batch at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped; waits while Kafka or PostgreSQL is away. A partition at fault keeps no other from its turn."""
        async with self._bus.consumer(list(FACET_OF_TOPIC), "gateway.keeper", assigned=self._begin) as consumer:
            while not self._stopping.is_set():
                await self._note(await consumer.poll(POLL_SECONDS))
                if self._due:
                    await self._look_everywhere()
                self._throttle(consumer)

    async def _begin(self, assigned: frozenset[Partition]) -> Mapping[Partition, int]:
        """After a rebalance: begin again at the stored places, where nothing is watched yet."""
        async for attempt in retrying_while_unavailable():
            with attempt:
                self._read_to = await starting_offsets(self._pool, self._bus, assigned)
        self._watched = {}
        return self._read_to

    async def _note(self, batches: Mapping[Partition, Sequence[Record]]) -> None:
        now, foreign, stretch = time.monotonic(), 0, Stretch()
        for partition, records in batches.items():
            found = [read_catalog_record(record, now) for record in records]
            self._watched.setdefault(partition, []).extend(each for each in found if each is not None)
            self._read_to[partition] = records[-1].offset + 1
            self._fresh += len(records)
            foreign += found.count(None)
            await stretch.rest()
        if foreign:
            log.warning("catalog.foreign_records", records=foreign)

    @property
    def _due(self) -> bool:
        return self._fresh >= LOOK_RECORDS or (
            bool(self._watched) and time.monotonic() - self._looked_at >= LOOK_SECONDS
        )

    def _throttle(self, consumer: Consumer) -> None:
        """Read no more of what cannot be settled now; a partition that fails counts for itself alone."""
        failing = frozenset(filter(self.supervisor.failing, self._watched))
        waiting = sum(len(watched) for partition, watched in self._watched.items() if partition not in failing)
        pausing = frozenset(consumer.assignment()) if waiting >= MOST_WATCHED else failing
        if pausing != self._paused:
            consumer.resume(self._paused - pausing)
            consumer.pause(pausing)
            self._paused = pausing

    def _count(self) -> int:
        return sum(map(len, self._watched.values()))

    async def _look_everywhere(self) -> None:
        started = time.monotonic()
        with suppress(ServiceUnavailableError):  # a feeds topic may be away, and keeps no record from being looked at
            await self._survey(started)
        with suppress(ServiceUnavailableError):  # what could not be looked at now is looked at again once it is due
            await self.supervisor.each(list(self._watched), self._look)
        metrics.keeper_pending.set(self._count())
        self._fresh, self._looked_at = 0, time.monotonic()
        if self._busy():
            await set_within(self._stopping, min(COURTESY * (self._looked_at - started), REST_SECONDS))

    async def _survey(self, now: float) -> None:
        """Learn up to when everything seen would be explained by now, if a chunk could explain it."""
        if self._horizon is not None and await have_processed(self._pool, self._horizon.ends):
            self._explained_to, self._horizon = self._horizon.at, None
        oldest = min(
            (each.since for watched in self._watched.values() for each in watched if each.since > self._explained_to),
            default=now,
        )
        if self._horizon is None and now - oldest >= EXPLAIN_SECONDS:
            self._horizon = Horizon(time.monotonic(), await end_offsets(self._bus, LANE_TOPIC.values()))

    async def _look(self, partition: Partition) -> None:
        """Compare what is watched with what is known, in one query, settle what can be, and note how far we are.

        What goes on waiting is read again after a crash: the stored place stays before it.
        """
        watched = self._watched[partition]
        waiting = await self._unsettled(watched, self._read_to[partition]) if watched else []
        if waiting:
            self._watched[partition] = waiting
        else:
            del self._watched[partition]
        await store_offset(self._pool, partition, waiting[0].observed.offset if waiting else self._read_to[partition])

    async def _unsettled(self, watched: Sequence[UnsettledRecord], read_to: int) -> list[UnsettledRecord]:
        facet = watched[0].facet
        async with transaction(self._pool) as connection:
            stored = await keys.read_stored(connection, facet, {each.key for each in watched})
        waiting: list[UnsettledRecord] = []
        doubtful: list[UnsettledRecord] = []
        for key, unsettled in _by_key(watched).items():
            ahead, wrong = waiting_and_wrong(stored[key], unsettled, read_to=read_to, explained_to=self._explained_to)
            waiting += ahead
            doubtful += wrong
        for batch in _batches(doubtful):
            waiting += await self._repairs.settle(facet, batch)
        return sorted(waiting, key=lambda each: each.observed.offset)


def waiting_and_wrong(
    stored: Stored, own: Sequence[UnsettledRecord], *, read_to: int, explained_to: float
) -> tuple[Sequence[UnsettledRecord], Sequence[UnsettledRecord]]:
    """Records of one key in their order: those that wait, and those that something has to be done about.

    What is settled waits with what is not and lies before it, and so does a repeat before a record that was not read
    yet: they tell together whether the topic ends on an older version than it had.
    """
    if len(own) == 1:
        partition, offset, version = own[0].observed
        if offset == stored.offset and partition == stored.partition and version <= stored.version:
            return (), ()  # nearly all
    ahead: list[UnsettledRecord] = []
    settled: list[UnsettledRecord] = []
    wrong: list[UnsettledRecord] = []
    for each in own:
        finding = compare_record(each.observed, stored)
        if finding is RecordStatus.PENDING and each.since > explained_to:
            ahead.append(each)
        else:
            (settled if finding is RecordStatus.SETTLED else wrong).append(each)
    if not ahead and newest_version_before(stored, (each.observed for each in own)):
        return (), own
    unread = stored.offset is not None and stored.offset >= read_to
    waiting = [
        each
        for each in settled
        if (ahead and each.observed.offset > ahead[0].observed.offset)
        or (unread and each.observed.version == stored.version)
    ]
    return ahead + waiting, wrong


def _by_key(unsettled: Iterable[UnsettledRecord]) -> Mapping[ItemKey, list[UnsettledRecord]]:
    """In the order of each key's first."""
    by_key: defaultdict[ItemKey, list[UnsettledRecord]] = defaultdict(list)
    for record in unsettled:
        by_key[record.key].append(record)
    return by_key


def _batches(unsettled: Sequence[UnsettledRecord]) -> Iterator[list[UnsettledRecord]]:
    """All records of a key in one batch, in their order."""
    groups = iter(_by_key(unsettled).values())
    while batch := [record for group in islice(groups, SETTLE_KEYS) for record in group]:
        yield batch
