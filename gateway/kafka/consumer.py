"""Reads topics as one member of a group; where each partition goes on is the caller's to say, not Kafka's.

The group only spreads the partitions. A member that lost one without noticing still reads it for a while, so whoever
takes the records compares offsets in PostgreSQL. Everything happens inside `poll`, in the caller's task: aiokafka's
rebalance listener only notes that it was called, for what it raises is lost and what it awaits can deadlock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Self, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from gateway.kafka.errors import AWAY, OffsetBeyondEndError
from gateway.kafka.records import Partition, Record
from gateway.kafka.supervisor import STOP_SECONDS, Supervised

log = structlog.get_logger(__name__)

Assigned: TypeAlias = Callable[[frozenset[Partition]], Awaitable[Mapping[Partition, int]]]
"""Told all partitions this member now has; returns where to go on, for those of which that is stored."""

STALL_SECONDS = 30.0
"""Time without any answer to a fetch, or without an end of joining the group, after which the client is built anew."""

SESSION_MS = 10_000
"""How long the partitions of a killed process wait for a new owner; too short a time only costs a rebalance."""

FETCH_SECONDS = 10.0


class _Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped base
    """What became of one client's part in the group."""

    def __init__(self) -> None:
        self.round = 0
        self.settled = False  # the partitions are known
        self.fresh = False  # and nobody has said yet where they go on
        self.silent_since = time.monotonic()  # nothing came, though something could have

    def on_partitions_revoked(self, revoked: object) -> None:
        self._turn(settled=False)

    def on_partitions_assigned(self, assigned: object) -> None:
        self._turn(settled=True)

    def _turn(self, *, settled: bool) -> None:
        self.round += 1
        self.settled = self.fresh = settled
        self.silent_since = time.monotonic()


class _Client:
    """One aiokafka consumer with its membership and the read that is under way."""

    def __init__(self, consumer: Any, membership: _Membership) -> None:
        self.consumer = consumer
        self.membership = membership
        self.reading: asyncio.Task[Any] | None = None
        self.stale: set[TopicPartition] = set()  # of the finished read: read before a seek

    def mine(self) -> frozenset[TopicPartition]:
        return frozenset(self.consumer.assignment()) if self.membership.settled else frozenset()


class Consumer:
    """One member of a group, kept alive. Use as an async context manager and keep polling, also when not reading.

    assigned: asked for the stored offsets after every rebalance; partitions without one begin at the log's start.
    max_records: most records one poll returns.
    """

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        topics: Iterable[str],
        group: str,
        *,
        assigned: Assigned,
        max_records: int = 500,
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._topics = tuple(topics)
        self._group = group
        self._assigned = assigned
        self._max_records = max_records
        self._paused: set[Partition] = set()
        self._client = Supervised[_Client](f"consumer {group}", self._build, _discard)
        self._latest: _Client | None = None
        self._committing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._committing:
            self._committing.cancel()
        await self._client.close()

    def assignment(self) -> frozenset[Partition]:
        """The partitions this member has; none while it joins or Kafka is away."""
        client = self._latest
        return frozenset(self._logical(target) for target in client.mine()) if client else frozenset()

    @property
    def joined(self) -> bool:
        """Whether this member is in its group, even if no partition fell to it."""
        return self._latest is not None and self._latest.membership.settled

    async def poll(self, wait: float) -> dict[Partition, list[Record]]:
        """What there is, after at most about `wait` seconds; nothing while Kafka is away.

        Raises OffsetBeyondEndError, and whatever `assigned` raises: it is asked again at the next poll.
        """
        client = await self._living(wait)
        if client is None:
            return {}
        if client.membership.fresh and not await self._begin(client):
            return {}
        try:
            return await self._read(client, wait)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError):
            client.membership.fresh = True  # ask again where to go on, and check it against the log
        except AWAY as error:
            self._give_up(client, repr(error))
        return {}

    def seek(self, target: Partition, offset: int) -> None:
        """Go on at this offset; what was read ahead is forgotten. Without effect on a partition that is not ours."""
        client = self._latest
        if client is None:
            return
        if client.reading is not None and client.reading.done():
            client.stale.add(self._physical(target))
        with suppress(IllegalStateError):
            client.consumer.seek(self._physical(target), offset)

    def pause(self, targets: Iterable[Partition]) -> None:
        """Read these no further until resumed; rebalances and rebuilds do not undo it."""
        self._paused |= set(targets)
        self._apply_pauses()

    def resume(self, targets: Iterable[Partition]) -> None:
        """Read these again."""
        resumed = self._paused & set(targets)
        self._paused -= resumed
        if self._latest:
            ours = self._latest.mine() & {self._physical(target) for target in resumed}
            self._latest.consumer.resume(*ours)
            self._latest.membership.silent_since = time.monotonic()

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Tell Kafka how far we are, as a hint for people who watch lag; errors do not matter and nothing waits."""
        if self._latest is None or (self._committing and not self._committing.done()):
            return
        hints = {self._physical(target): offset for target, offset in offsets.items()}
        self._committing = asyncio.create_task(_commit(self._latest.consumer, hints))

    async def _living(self, wait: float) -> _Client | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                client = self._latest = await self._client.get()
                reason = _ailment(client)
                if not reason:
                    return client
                self._give_up(client, reason)
        return None

    def _give_up(self, client: _Client, reason: str) -> None:
        self._latest = None
        self._client.condemn(client, reason)

    async def _begin(self, client: _Client) -> bool:
        """Take up new partitions where the caller says; False when that has to be tried again."""
        membership, turn, mine = client.membership, client.membership.round, list(client.mine())
        stored = await self._assigned(frozenset(map(self._logical, mine)))
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                starts = await client.consumer.beginning_offsets(mine)
                ends = await client.consumer.end_offsets(mine)
        except AWAY:
            return False
        if membership.round != turn:
            return False
        for target in mine:
            place = _place(target, stored.get(self._logical(target)), starts[target], ends[target])
            client.consumer.seek(target, place)
        _drop(client)
        membership.fresh = False
        self._apply_pauses()
        return True

    async def _read(self, client: _Client, wait: float) -> dict[Partition, list[Record]]:
        # A read outlives the poll when the group is rebalancing; cancelling it would confuse aiokafka's own watchdog.
        if client.reading is None:
            client.reading = asyncio.create_task(
                client.consumer.getmany(timeout_ms=int(wait * 1000), max_records=self._max_records)
            )
        reading = client.reading
        await asyncio.wait([reading], timeout=wait)
        if not reading.done():
            return {}
        stale, client.stale, client.reading = client.stale, set(), None
        found = reading.result()
        if client.membership.fresh:
            return {}  # from before the seeks to come
        if found:
            client.membership.silent_since = time.monotonic()
        return {
            self._logical(target): [record_of(self._logical(target), record) for record in records]
            for target, records in found.items()
            if target not in stale
        }

    def _apply_pauses(self) -> None:
        if self._latest:
            ours = self._latest.mine() & {self._physical(target) for target in self._paused}
            self._latest.consumer.pause(*ours)

    async def _build(self) -> _Client:
        membership = _Membership()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._prefix + self._group,
            enable_auto_commit=False,
            # Every partition begins by an explicit seek; a reset behind our back would skip or repeat a whole log.
            auto_offset_reset="none",
            # Exactly one. aiokafka keeps its memory on the class, so each client gets a class of its own.
            partition_assignment_strategy=[type("Sticky", (StickyPartitionAssignor,), {})],
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=1_000,
            max_poll_interval_ms=300_000,
            request_timeout_ms=int(FETCH_SECONDS * 1000),
            metadata_max_age_ms=30_000,
            fetch_max_bytes=8 * 1024 * 1024,
            max_partition_fetch_bytes=1024 * 1024,
            fetch_max_wait_ms=250,
        )
        consumer.subscribe([self._prefix + topic for topic in self._topics], listener=membership)
        client = _Client(consumer, membership)
        try:
            await consumer.start()
        except BaseException:
            await _discard(client)
            raise
        return client

    def _logical(self, target: TopicPartition) -> Partition:
        return Partition(target.topic.removeprefix(self._prefix), target.partition)

    def _physical(self, target: Partition) -> TopicPartition:
        return TopicPartition(self._prefix + target.topic, target.partition)


def _place(target: TopicPartition, stored: int | None, start: int, end: int) -> int:
    """Where a partition goes on. Raises OffsetBeyondEndError."""
    if stored is None:
        return start
    if stored > end:
        raise OffsetBeyondEndError([f"{target.topic}/{target.partition} ends at {end}, the stored offset is {stored}"])
    if stored < start:
        log.error("partition.truncated", topic=target.topic, partition=target.partition, stored=stored, start=start)
        return start
    return stored


def _ailment(client: _Client) -> str:
    """Why this client has to go, or nothing."""
    consumer, membership = client.consumer, client.membership
    if consumer._fetcher._fetch_task.done():  # noqa: SLF001 -- nothing public tells that it died
        return "its fetcher died"
    if time.monotonic() - membership.silent_since < STALL_SECONDS:
        return ""
    if not membership.settled:
        return "it does not get into its group"
    reading = client.mine() - consumer.paused()
    answered = (consumer.last_poll_timestamp(target) or 0 for target in reading)
    if reading and time.time() - max(answered) / 1000 > STALL_SECONDS:
        return "its fetches are not answered"
    return ""


def _drop(client: _Client) -> None:
    """Forget a read that finished before the seeks."""
    if client.reading is not None and client.reading.done():
        with suppress(*AWAY):
            client.reading.result()
        client.reading = None
        client.stale.clear()


def record_of(target: Partition, record: Any) -> Record:
    """aiokafka's record as ours."""
    return Record(
        target.topic,
        target.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )


async def _commit(consumer: Any, hints: Mapping[TopicPartition, int]) -> None:
    with suppress(*AWAY):
        async with asyncio.timeout(STOP_SECONDS):
            await consumer.commit(hints)


async def _discard(client: _Client) -> None:
    """Leave the group and stop; with brokers away that fails or hangs, and what is left is ended by force."""
    if client.reading is not None:
        client.reading.cancel()
        await asyncio.gather(client.reading, return_exceptions=True)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await client.consumer.stop()
    except AWAY:
        await client.consumer._client.close()  # noqa: SLF001 -- stop() gave up before it got there
