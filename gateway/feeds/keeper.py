"""The keeper: reads our own output back and repairs what a broker appended after we had given up on it.

A frozen broker, or a frozen worker's socket, can append a timed-out batch behind newer values of the same keys. The
catalog topic then ends on an old value although PostgreSQL knows better. The keeper compares what it reads with
`feed_state`, one query per batch, and decides what is suspicious under the key's row lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from gateway.feeds import keys
from gateway.feeds.findings import Finding, Known, Seen, compare
from gateway.feeds.patience import patiently
from gateway.feeds.repair import Repairs
from gateway.feeds.sources import lanes_are_idle, places, store_next
from gateway.kafka import CATALOG_TOPIC, Bus, Partition, Record
from gateway.store import Pool, transaction
from gateway.telemetry import metrics
from schemas.catalog import Facet
from schemas.envelope import InvalidEnvelopeError, ItemKey, parts_of, version_of

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
ADOPT_AFTER_SECONDS = 5.0
"""A record whose state does not come is looked into after so long."""

COURTESY = 4.0
"""While feeds are being worked on the keeper rests so many times as long as it worked."""

FACET_OF_TOPIC = {topic: facet for facet, topic in CATALOG_TOPIC.items()}


@dataclass(frozen=True, slots=True)
class Watched:
    """One record of a catalog topic that is not settled yet."""

    record: Record
    facet: Facet
    key: ItemKey
    seen: Seen
    since: float


class Keeper:
    """Keeps the catalog topics true. busy: whether this process works on feeds right now."""

    def __init__(self, bus: Bus, pool: Pool, repairs: Repairs, busy: Callable[[], bool]) -> None:
        self._bus = bus
        self._pool = pool
        self._repairs = repairs
        self._busy = busy
        self._pending: dict[Partition, dict[int, Watched]] = {}
        self._read_to: dict[Partition, int] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Read nothing more; `run` returns after the batch at hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped; waits while Kafka or PostgreSQL is away."""
        async with self._bus.consumer(list(FACET_OF_TOPIC), "gateway.keeper", assigned=self._begin) as consumer:
            while not self._stopping.is_set():
                await self._turn(await consumer.poll(POLL_SECONDS))

    async def _begin(self, assigned: frozenset[Partition]) -> Mapping[Partition, int]:
        """After a rebalance: begin again at the stored places, where nothing is pending yet."""
        async for attempt in patiently():
            with attempt:
                self._read_to = await places(self._pool, self._bus, assigned)
        self._pending = {}
        return self._read_to

    async def _turn(self, batches: Mapping[Partition, Sequence[Record]]) -> None:
        started = time.monotonic()
        for partition in batches.keys() | self._pending.keys():
            fresh = batches.get(partition, ())
            if fresh:
                self._read_to[partition] = fresh[-1].offset + 1
            async for attempt in patiently():
                with attempt:
                    await self._examine(partition, _watched(fresh))
        metrics.keeper_pending.set(sum(map(len, self._pending.values())))
        if self._busy():
            await asyncio.sleep(COURTESY * (time.monotonic() - started))

    async def _examine(self, partition: Partition, fresh: Sequence[Watched]) -> None:
        """Compare fresh and pending records of one partition with what is known, in one query, and note how far we are.

        A pending record is read again after a crash: the stored place stays before it.
        """
        watched = [*self._pending.get(partition, {}).values(), *fresh]
        if watched:
            async with transaction(self._pool) as connection:
                known = await keys.read_known(connection, watched[0].facet, {each.key for each in watched})
            pending = [each for each in watched if await self._is_pending(each, known.get(each.key))]
            self._pending[partition] = {each.record.offset: each for each in pending}
            if not pending:
                del self._pending[partition]
        following = min(self._pending.get(partition, ()), default=self._read_to[partition])
        await store_next(self._pool, partition, following)

    async def _is_pending(self, watched: Watched, known: Known | None) -> bool:
        """Settle the record if it can be; True when its chunk has yet to commit."""
        finding = compare(watched.seen, known)
        if finding is Finding.SETTLED:
            return False
        if finding is Finding.PENDING and not await self._cannot_come(watched):
            return True
        await self._repairs.settle(watched.record, watched.facet, watched.key, watched.seen)
        return False

    async def _cannot_come(self, watched: Watched) -> bool:
        """Whether no chunk is left that could still explain a record newer than its key's state."""
        if time.monotonic() - watched.since < ADOPT_AFTER_SECONDS:
            return False
        return await lanes_are_idle(self._pool, self._bus)


def _watched(records: Sequence[Record]) -> list[Watched]:
    now = time.monotonic()
    found = []
    for record in records:
        try:
            version, key = version_of(record.headers), parts_of(record.key or b"")
        except InvalidEnvelopeError:
            log.warning("catalog.foreign_record", topic=record.topic, partition=record.partition, offset=record.offset)
            continue
        if version is not None:
            seen = Seen(record.partition, record.offset, version)
            found.append(Watched(record, FACET_OF_TOPIC[record.topic], key, seen, now))
    return found
