"""One aiokafka consumer that is a member of a group: how it is made, what it notes, what ails it, how it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from gateway.config import Bootstrap
from gateway.kafka.errors import AWAY
from gateway.kafka.lenient import read_leniently
from gateway.kafka.security import client_options
from gateway.kafka.supervisor import STOP_SECONDS

STALL_SECONDS = 30.0
"""Time without any answer to a fetch, or without an end of joining the group, after which the client is rebuilt."""

SESSION_MS = 10_000
"""How long the partitions of a killed process wait for a new owner; too short a time only costs a rebalance."""

ANSWER_SECONDS = 10.0
"""How long a broker may take to answer one request."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped base
    """What became of the part in the group. It only takes notes: what it raises is lost, what it awaits can deadlock.

    settled: the partitions are known; fresh: and nobody has said yet where they go on; silent_since: nothing came
    from then on, though something could have; round: counts all changes.
    """

    def __init__(self) -> None:
        self.round = 0
        self.settled = False
        self.fresh = False
        self.silent_since = time.monotonic()

    def on_partitions_revoked(self, revoked: object) -> None:
        """aiokafka calls this when the group begins to share again."""
        self._turn(settled=False)

    def on_partitions_assigned(self, assigned: object) -> None:
        """aiokafka calls this when it has."""
        self._turn(settled=True)

    def _turn(self, *, settled: bool) -> None:
        self.round += 1
        self.settled = self.fresh = settled
        self.silent_since = time.monotonic()


class Member:
    """One aiokafka consumer, what it knows of its group, and the read that is under way.

    stale: partitions sought since that read finished; what it brought of them is not wanted any more.
    """

    def __init__(self, consumer: Any, membership: Membership) -> None:
        self.consumer = consumer
        self.membership = membership
        self.reading: asyncio.Task[Any] | None = None
        self.stale: set[TopicPartition] = set()

    def partitions(self) -> frozenset[TopicPartition]:
        """What is ours now."""
        return frozenset(self.consumer.assignment()) if self.membership.settled else frozenset()

    def seek(self, target: TopicPartition, offset: int) -> None:
        """Go on at this offset; what was read ahead is forgotten. Raises IllegalStateError: not ours."""
        if self.reading is not None and self.reading.done():
            self.stale.add(target)
        self.consumer.seek(target, offset)

    def ailment(self) -> str:
        """Why this one has to go, or nothing."""
        if self.consumer._fetcher._fetch_task.done():  # noqa: SLF001 -- nothing public tells that it died
            return "its fetcher died"
        if time.monotonic() - self.membership.silent_since < STALL_SECONDS:
            return ""
        if not self.membership.settled:
            return "it does not get into its group"
        reading = self.partitions() - self.consumer.paused()
        answered = (self.consumer.last_poll_timestamp(target) or 0 for target in reading)
        if reading and time.time() - max(answered) / 1000 > STALL_SECONDS:
            return "its fetches are not answered"
        return ""

    async def discard(self) -> None:
        """Leave the group and stop, in bounded time."""
        if self.reading is not None:
            self.reading.cancel()
            await asyncio.gather(self.reading, return_exceptions=True)
        await stop_consumer(self.consumer)


async def build_member(bootstrap: Bootstrap, group: str, topics: Iterable[str]) -> Member:
    """A started consumer that is in its group. Raises what aiokafka raises."""
    read_leniently()
    membership = Membership()
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap),
        group_id=group,
        enable_auto_commit=False,
        # Every partition begins by an explicit seek; a reset behind our back would skip or repeat a whole log.
        auto_offset_reset="none",
        # What a transaction took back was never said.
        isolation_level="read_committed",
        # Exactly one. aiokafka keeps its memory on the class, so each client gets a class of its own.
        partition_assignment_strategy=[type("Sticky", (StickyPartitionAssignor,), {})],
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=1_000,
        max_poll_interval_ms=300_000,
        request_timeout_ms=int(ANSWER_SECONDS * 1000),
        metadata_max_age_ms=30_000,
        fetch_max_bytes=2 * 1024 * 1024,
        max_partition_fetch_bytes=256 * 1024,
        fetch_max_wait_ms=250,
    )
    consumer.subscribe(list(topics), listener=membership)
    try:
        await consumer.start()
    except BaseException:
        await stop_consumer(consumer)
        raise
    return Member(consumer, membership)


async def stop_consumer(consumer: Any) -> None:
    """Stop; with brokers away that fails or hangs, and what is left is ended by force."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await consumer.stop()
    except AWAY:
        if consumer._fetcher is not None:  # noqa: SLF001 -- it would ask for leaders without a pause, for ever
            consumer._fetcher._fetch_task.cancel()  # noqa: SLF001
        await consumer._client.close()  # noqa: SLF001 -- stop() gave up before it got there
