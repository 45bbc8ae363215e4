"""Reads topics as one member of a group; where each partition goes on is the caller's to say, not Kafka's.

The group only spreads the partitions. A member that lost one without noticing still reads it for a while, so whoever
takes the records compares offsets in PostgreSQL. Everything happens inside `poll`, in the caller's task.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Self, TypeAlias

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from gateway.config import Bootstrap
from gateway.kafka.errors import AWAY
from gateway.kafka.member import ANSWER_SECONDS, Member, build_member
from gateway.kafka.records import Partition, Record, record_of
from gateway.kafka.supervisor import STOP_SECONDS, Supervised

log = structlog.get_logger(__name__)

BEYOND_SECONDS = 0.2
"""Before a place that lies beyond the end of its partition is asked for again."""

Assigned: TypeAlias = Callable[[frozenset[Partition]], Awaitable[Mapping[Partition, int]]]
"""Told all partitions this member now has; returns where to go on, for those of which that is stored."""


class Consumer:
    """One member of a group, kept alive. Use as an async context manager and keep polling, also when not reading.

    assigned: asked for the stored offsets after every rebalance; partitions without one begin at the log's start. It is
    asked again while an offset lies beyond the end of its partition: this is not the log it was taken from.
    beginnings: a count; when it has changed, `assigned` is asked again. max_records: most records one poll returns.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        prefix: str,
        topics: Iterable[str],
        group: str,
        *,
        assigned: Assigned,
        beginnings: Callable[[], int],
        max_records: int = 500,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._topics = tuple(topics)
        self._group = group
        self._assigned = assigned
        self._beginnings = beginnings
        self._begun = beginnings()
        self._max_records = max_records
        self._paused: set[Partition] = set()
        self._members = Supervised[Member](f"consumer {group}", self._build, Member.discard)
        self._member: Member | None = None
        self._committing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._committing:
            self._committing.cancel()
        await self._members.close()

    def assignment(self) -> frozenset[Partition]:
        """The partitions this member has; none while it joins or Kafka is away."""
        member = self._member
        return frozenset(self._logical(target) for target in member.partitions()) if member else frozenset()

    @property
    def joined(self) -> bool:
        """Whether this member is in its group, even if no partition fell to it."""
        return self._member is not None and self._member.membership.settled

    async def poll(self, wait: float) -> dict[Partition, list[Record]]:
        """What there is, after at most about `wait` seconds; nothing while Kafka is away.

        Raises whatever `assigned` raises: it is asked again at the next poll.
        """
        member = await self._living(wait)
        if member is None:
            return {}
        if self._beginnings() != self._begun and member.membership.settled:
            member.membership.fresh = True
        if member.membership.fresh and not await self._begin(member):
            return {}
        try:
            return await self._read(member, wait)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError):
            member.membership.fresh = True  # ask again where to go on, and check it against the log
        except AWAY as error:
            self._give_up(member, repr(error))
        return {}

    def seek(self, target: Partition, offset: int) -> None:
        """Go on at this offset; what was read ahead is forgotten. Without effect on a partition that is not ours."""
        member = self._member
        if member is None:
            return
        with suppress(IllegalStateError):
            member.seek(self._physical(target), offset)

    def pause(self, targets: Iterable[Partition]) -> None:
        """Read these no further until resumed; rebalances and rebuilds do not undo it."""
        self._paused |= set(targets)
        self._apply_pauses()

    def resume(self, targets: Iterable[Partition]) -> None:
        """Read these again."""
        resumed = self._paused & set(targets)
        self._paused -= resumed
        if self._member:
            ours = self._member.partitions() & {self._physical(target) for target in resumed}
            self._member.consumer.resume(*ours)
            self._member.membership.silent_since = time.monotonic()

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far we are, as a hint for people who watch lag; errors do not matter and nothing waits."""
        if self._member is None or (self._committing and not self._committing.done()):
            return
        hints = {self._physical(target): offset for target, offset in offsets.items()}
        self._committing = asyncio.create_task(_commit(self._member.consumer, hints))

    async def _living(self, wait: float) -> Member | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                member = self._member = await self._members.get()
                reason = member.ailment()
                if not reason:
                    return member
                self._give_up(member, reason)
        return None

    def _give_up(self, member: Member, reason: str) -> None:
        self._member = None
        self._members.condemn(member, reason)

    async def _begin(self, member: Member) -> bool:
        """Take up new partitions where the caller says; False when that has to be tried again."""
        membership, turn, mine = member.membership, member.membership.round, list(member.partitions())
        begun = self._beginnings()
        stored = await self._assigned(frozenset(map(self._logical, mine)))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                starts = await member.consumer.beginning_offsets(mine)
                ends = await member.consumer.end_offsets(mine)
        except AWAY:
            return False
        if membership.round != turn:
            return False
        places = {target: stored.get(self._logical(target), starts[target]) for target in mine}
        if beyond := [target for target, place in places.items() if place > ends[target]]:
            log.warning("partition.beyond_end", partitions=sorted(map(self._logical, beyond)))
            await asyncio.sleep(BEYOND_SECONDS)
            return False
        for target, place in places.items():
            member.seek(target, _within(target, place, starts[target]))
        self._begun, membership.fresh = begun, False
        self._apply_pauses()
        return True

    async def _read(self, member: Member, wait: float) -> dict[Partition, list[Record]]:
        # A read outlives the poll when the group is rebalancing; cancelling it would confuse aiokafka's own watchdog.
        if member.reading is None:
            member.reading = asyncio.create_task(
                member.consumer.getmany(timeout_ms=int(wait * 1000), max_records=self._max_records)
            )
        reading = member.reading
        await asyncio.wait([reading], timeout=wait)
        if not reading.done():
            return {}
        stale, member.stale, member.reading = member.stale, set(), None
        found = reading.result()
        if member.membership.fresh:
            return {}  # from before the seeks to come
        if found:
            member.membership.silent_since = time.monotonic()
        return {
            self._logical(target): [record_of(self._logical(target), record) for record in records]
            for target, records in found.items()
            if target not in stale
        }

    def _apply_pauses(self) -> None:
        if self._member:
            ours = self._member.partitions() & {self._physical(target) for target in self._paused}
            self._member.consumer.pause(*ours)

    async def _build(self) -> Member:
        topics = [self._prefix + topic for topic in self._topics]
        return await build_member(self._bootstrap, self._prefix + self._group, topics)

    def _logical(self, target: TopicPartition) -> Partition:
        return Partition(target.topic.removeprefix(self._prefix), target.partition)

    def _physical(self, target: Partition) -> TopicPartition:
        return TopicPartition(self._prefix + target.topic, target.partition)


def _within(target: TopicPartition, stored: int, start: int) -> int:
    """Where a partition goes on that begins at `start`."""
    if stored < start:
        log.error("partition.truncated", topic=target.topic, partition=target.partition, stored=stored, start=start)
    return max(stored, start)


async def _commit(consumer: Any, hints: Mapping[TopicPartition, int]) -> None:
    with suppress(*AWAY):
        async with asyncio.timeout(STOP_SECONDS):
            await consumer.commit(hints)
