"""The lanes: reading the feeds topics and giving each partition's chunks to the processor, one at a time.

Kafka's group only spreads the partitions. Where a partition goes on is PostgreSQL's word; two processes that both
believe to own one cannot both move it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from functools import partial

import structlog

from gateway.feeds.chunk import Lane
from gateway.feeds.process import ChunkProcessor, Step
from gateway.feeds.sources import LANE_TOPIC, places
from gateway.kafka import Bus, Consumer, KafkaUnavailableError, Partition, Record
from gateway.store import Pool
from gateway.store.outage import patiently
from gateway.telemetry import metrics
from gateway.telemetry.supervise import Supervisor
from gateway.turnstile import urgent

log = structlog.get_logger(__name__)

CONCURRENCY: Mapping[Lane, int] = {Lane.EXPRESS: 12, Lane.BULK: 3}
"""Chunks under way in one process. Bulk leaves express its share of connections and of the event loop's turns."""

WAITING: Mapping[Lane, int] = {Lane.EXPRESS: 8, Lane.BULK: 2}
"""Chunks of one partition read ahead; beyond it the partition is paused, and what is resumed misses a fetch."""

POLL_SECONDS = 0.2

MAX_POLL = 12
"""Chunks of one poll: what waits in memory stays small however large chunks are."""


class PartitionQueue:
    """The chunks of one partition, taken strictly in order by one task at a time."""

    def __init__(self, waiting: int) -> None:
        self._waiting = waiting
        self.records: deque[Record] = deque()
        self.task: asyncio.Task[None] | None = None

    @property
    def full(self) -> bool:
        """Whether reading ahead has to pause."""
        return len(self.records) >= self._waiting

    @property
    def idle(self) -> bool:
        """Whether a task has to be started for what waits."""
        return self.task is None or self.task.done()


class LaneWorker:
    """One lane of one process."""

    def __init__(self, lane: Lane, bus: Bus, pool: Pool, processor: ChunkProcessor) -> None:
        self._lane = lane
        self._bus = bus
        self._pool = pool
        self._processor = processor
        self._queues: dict[Partition, PartitionQueue] = {}
        self._slots = asyncio.Semaphore(CONCURRENCY[lane])
        self._member: Consumer | None = None
        self.supervisor = Supervisor[Partition](f"feeds_{lane}", "partition")
        self._stopping = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether chunks are waiting or under way."""
        return any(queue.records or not queue.idle for queue in self._queues.values())

    @property
    def name(self) -> str:
        """Of the lane's tasks and checks."""
        return f"feeds.{self._lane}"

    async def check(self) -> str:
        """What this member has to read. Raises KafkaUnavailableError until it is in its group."""
        if self._member is None or not self._member.joined:
            raise KafkaUnavailableError("not in its group yet")
        return f"{len(self._member.assignment())} partitions"

    def stop(self) -> None:
        """Read nothing more; `run` returns when the chunks under way are done."""
        self._stopping.set()
        for queue in self._queues.values():
            queue.records.clear()

    async def run(self) -> None:
        """Until stopped. A chunk under way is finished; what waits behind it is read again by the next owner.

        Raises ConfigError when a stored place lies beyond the log's end: this is another log.
        """
        topics = [LANE_TOPIC[self._lane]]
        async with self._bus.consumer(
            topics, f"gateway.{self.name}", assigned=self._begin, max_records=MAX_POLL
        ) as consumer:
            self._member = consumer
            async with asyncio.TaskGroup() as group:
                while not self._stopping.is_set():
                    await self._turn(consumer, group)

    async def _begin(self, assigned: frozenset[Partition]) -> Mapping[Partition, int]:
        """After a rebalance: what waits is read again from the stored places; chunks under way are left to finish."""
        found = await self._places_of(assigned)
        for queue in self._queues.values():
            queue.records.clear()
        waiting = WAITING[self._lane]
        self._queues = {each: self._queues.get(each) or PartitionQueue(waiting) for each in assigned}
        return found

    async def _turn(self, consumer: Consumer, group: asyncio.TaskGroup) -> None:
        for partition, records in (await consumer.poll(POLL_SECONDS)).items():
            queue = self._queues.get(partition)
            if queue is None or self._stopping.is_set():
                continue
            queue.records.extend(records)
            if queue.full:
                consumer.pause([partition])
            if queue.idle:
                queue.task = group.create_task(self._drain(partition, queue, consumer), name=f"drain {partition}")
        metrics.backlog_chunks.labels(lane=self._lane).set(sum(len(queue.records) for queue in self._queues.values()))

    async def _drain(self, partition: Partition, queue: PartitionQueue, consumer: Consumer) -> None:
        while queue.records:
            record = queue.records[0]
            step = await self._processed(partition, record)
            if step is Step.MISPLACED:
                queue.records.clear()
                for target, place in (await self._places_of([partition])).items():
                    consumer.seek(target, place)
            elif queue.records and queue.records[0] is record:
                queue.records.popleft()
                await consumer.commit({partition: record.offset + 1})
            if not queue.full:
                consumer.resume([partition])

    async def _processed(self, partition: Partition, record: Record) -> Step:
        """Take a record, as often as it needs. One that fails stops its partition; the slot is left to the others."""
        while True:
            async with self._slots:
                with urgent() if self._lane is Lane.EXPRESS else nullcontext():
                    step = await self.supervisor.run(partition, partial(self._processor.process, record))
            if step is not None:
                return step
            await self.supervisor.rest(partition)

    async def _places_of(self, partitions: Collection[Partition]) -> Mapping[Partition, int]:
        async for attempt in patiently():
            with attempt:
                return await places(self._pool, self._bus, partitions)
        raise AssertionError("patience has no end")
