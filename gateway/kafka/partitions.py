"""Reading topics partition by partition: each one's records are taken in their order, by one task at a time.

Kafka's group only spreads the partitions. Where a partition goes on is the word of whoever takes its records; two
processes that both believe to own one cannot both move it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TypeAlias

from gateway.kafka.consumer import Assigned, Consumer
from gateway.kafka.errors import KafkaUnavailableError
from gateway.kafka.records import Partition, Record
from gateway.telemetry.supervise import Supervisor

POLL_SECONDS = 0.2

ProcessRecords: TypeAlias = Callable[[Partition, Sequence[Record]], Awaitable[int]]
"""Takes records of a partition; where it goes on. Anything but the offset behind the last one: read on from there."""

StartingOffsets: TypeAlias = Callable[[Collection[Partition]], Awaitable[Mapping[Partition, int]]]
"""Where partitions go on, those of which that is stored; returns once that can be told."""

OpenMember: TypeAlias = Callable[[Assigned], AbstractAsyncContextManager[Consumer]]
"""A member of the group, that asks where to go on after each rebalance."""


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """How much at once. concurrency: under way in this process; ahead: records of one partition that wait; beyond it
    the
    partition is paused, and what is resumed misses a fetch; together: records of one take.
    """

    concurrency: int
    ahead: int
    together: int = 1


@dataclass(slots=True)
class _Queue:
    """What waits of one partition."""

    records: deque[Record] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether a task has to be started for what waits."""
        return self.task is None or self.task.done()


class PartitionReader:
    """One reader of one process. name: of its tasks and checks; told: told after each poll how many records wait."""

    def __init__(
        self,
        name: str,
        open_member: OpenMember,
        process: ProcessRecords,
        starting_offsets: StartingOffsets,
        *,
        amounts: ReadLimits,
        supervisor: Supervisor[Partition],
        report_backlog: Callable[[int], object] = lambda _: None,
    ) -> None:
        self.name = name
        self.supervisor = supervisor
        self._open_member = open_member
        self._process = process
        self._starting_offsets = starting_offsets
        self._amounts = amounts
        self._report_backlog = report_backlog
        self._queues: dict[Partition, _Queue] = {}
        self._slots = asyncio.Semaphore(amounts.concurrency)
        self._member: Consumer | None = None
        self._stopping = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether records are waiting or being taken."""
        return any(queue.records or not queue.idle for queue in self._queues.values())

    async def check(self) -> str:
        """What this member has to read. Raises KafkaUnavailableError until it is in its group."""
        if self._member is None or not self._member.joined:
            raise KafkaUnavailableError("not in its group yet")
        return f"{len(self._member.assignment())} partitions"

    def stop(self) -> None:
        """Read nothing more; `run` returns when what is being taken is done."""
        self._stopping.set()
        for queue in self._queues.values():
            queue.records.clear()

    async def run(self) -> None:
        """Until stopped. What is being taken is finished; what waits behind it is read again by the next owner."""
        async with self._open_member(self._begin) as consumer:
            self._member = consumer
            async with asyncio.TaskGroup() as group:
                while not self._stopping.is_set():
                    await self._turn(consumer, group)

    async def _begin(self, assigned: frozenset[Partition]) -> Mapping[Partition, int]:
        """After a rebalance: what waits is read again from the stored places; what is being taken is left to finish."""
        found = await self._starting_offsets(assigned)
        for queue in self._queues.values():
            queue.records.clear()
        self._queues = {each: self._queues.get(each) or _Queue() for each in assigned}
        return found

    async def _turn(self, consumer: Consumer, group: asyncio.TaskGroup) -> None:
        for partition, records in (await consumer.poll(POLL_SECONDS)).items():
            queue = self._queues.get(partition)
            if queue is None or self._stopping.is_set():
                continue
            queue.records.extend(records)
            if self._full(queue):
                consumer.pause([partition])
            if queue.idle:
                queue.task = group.create_task(self._drain(partition, queue, consumer), name=f"drain {partition}")
        self._report_backlog(sum(len(queue.records) for queue in self._queues.values()))

    def _full(self, queue: _Queue) -> bool:
        return len(queue.records) >= self._amounts.ahead

    async def _drain(self, partition: Partition, queue: _Queue, consumer: Consumer) -> None:
        while queue.records:
            records = list(islice(queue.records, self._amounts.together))
            following = await self._taken(partition, records)
            if following != records[-1].offset + 1:
                queue.records.clear()
                consumer.seek(partition, following)
            elif _is_first(queue.records, records):
                for _ in records:
                    queue.records.popleft()
                await consumer.commit({partition: following})
            if not self._full(queue):
                consumer.resume([partition])

    async def _taken(self, partition: Partition, records: Sequence[Record]) -> int:
        """Take records, as often as it needs. What fails stops its partition; the slot is left to the others."""
        while True:
            async with self._slots:
                following = await self.supervisor.run(partition, partial(self._process, partition, records))
            if following is not None:
                return following
            await self.supervisor.rest(partition)


def _is_first(waiting: Iterable[Record], taken: Sequence[Record]) -> bool:
    """Whether what was taken is still what waits first: a rebalance has it read again."""
    return list(islice(waiting, len(taken))) == list(taken) and next(iter(waiting), None) is taken[0]
