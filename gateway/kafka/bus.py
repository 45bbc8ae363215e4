"""Everything of one Kafka cluster: opened once per process, gives out producers, consumers and single readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from aiokafka import TopicPartition

from gateway.config import Bootstrap
from gateway.jobs import repeat
from gateway.kafka.admin import Layout, ailment, build_admin, create_missing, differences, discard_admin
from gateway.kafka.breakers import TopicBreakers
from gateway.kafka.consumer import Assigned, Consumer
from gateway.kafka.errors import (
    AWAY,
    ClusterChangedError,
    KafkaUnavailableError,
    TopicUnavailableError,
    translate,
    translated,
)
from gateway.kafka.login import refuse_to_wait
from gateway.kafka.member import stop_consumer
from gateway.kafka.producer import Producer
from gateway.kafka.reader import build_reader, scan
from gateway.kafka.records import Partition, Record
from gateway.kafka.supervisor import Supervised, first_connection
from gateway.kafka.topic_ids import ask_topic_ids
from gateway.kafka.topics import TopicSpec

C = TypeVar("C")
T = TypeVar("T")

ANSWER_SECONDS = 15.0
"""Time Kafka has to answer a question about itself."""

WATCH_SECONDS = 5.0


class Bus:
    """One cluster, seen through one topic prefix. Topics and groups are named without it."""

    def __init__(self, bootstrap: Bootstrap, prefix: str, cluster_id: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._cluster_id = cluster_id
        self._admin = Supervised[Any]("admin", lambda: build_admin(bootstrap), discard_admin)
        self._offsets = Supervised[Any]("offsets", lambda: build_reader(bootstrap), stop_consumer)
        self._beginnings = 0
        self._breakers = TopicBreakers()

    @property
    def cluster_id(self) -> str:
        """The cluster this process began with."""
        return self._cluster_id

    @asynccontextmanager
    async def producer(self, name: str = "shared") -> AsyncIterator[Producer]:
        """A producer with connections of its own. name: in metrics and logs."""
        producer = Producer(self._bootstrap, self._prefix, name, self._breakers, self._ailment)
        try:
            yield producer
        finally:
            await producer.close()

    def away(self) -> Mapping[str, TopicUnavailableError]:
        """The topics that took no records when this process last tried, though Kafka answers; each with why."""
        return self._breakers.away()

    def blocked(self, topic: str) -> bool:
        """Whether a send to the topic would fail at once, because it is known to be away."""
        return self._breakers.blocked(topic)

    def consumer(self, topics: Iterable[str], group: str, *, assigned: Assigned, max_records: int = 500) -> Consumer:
        """A member of a group, to be used as an async context manager."""
        return Consumer(
            self._bootstrap,
            self._prefix,
            topics,
            group,
            assigned=assigned,
            beginnings=lambda: self._beginnings,
            max_records=max_records,
        )

    def begin_again(self) -> None:
        """Have every consumer of this bus ask again where its partitions go on: their topics are others now."""
        self._beginnings += 1

    async def scan(
        self, topic: str, partition: int, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[list[Record], None]:
        """Records from `start` up to, not including, `end` (None: the log's end now). Raises KafkaUnavailableError."""
        async with aclosing(scan(self._bootstrap, self._prefix, Partition(topic, partition), start, end)) as lists:
            async for records in lists:
                yield records

    async def read(self, topic: str, partition: int, offset: int) -> Record | None:
        """The record at exactly this offset, None when the log has none there. Raises KafkaUnavailableError."""
        async with aclosing(self.scan(topic, partition, offset, offset + 1)) as lists:
            async for records in lists:
                return records[0]
        return None

    async def partitions_for(self, topic: str) -> int:
        """How many partitions a topic has, 0 when it does not exist. Raises KafkaUnavailableError."""
        (described,) = await _ask(self._admin, lambda admin: admin.describe_topics([self._prefix + topic]))
        return len(described["partitions"])

    async def beginning_offsets(self, topic: str) -> dict[int, int]:
        """The first offset of every partition of a topic. Raises KafkaUnavailableError."""
        targets = await self._targets(topic)
        found = await _ask(self._offsets, lambda reader: reader.beginning_offsets(targets))
        return {target.partition: offset for target, offset in found.items()}

    async def end_offsets(self, topic: str) -> dict[int, int]:
        """The offset that the next record of every partition of a topic will get. Raises KafkaUnavailableError."""
        targets = await self._targets(topic)
        found = await _ask(self._offsets, lambda reader: reader.end_offsets(targets))
        return {target.partition: offset for target, offset in found.items()}

    async def ensure_topics(self, specs: Sequence[TopicSpec], *, partitions: int, replication: int) -> list[str]:
        """Create the topics that are missing; a line for everything about the others that is not as declared.

        Raises KafkaUnavailableError, and KafkaRefusedError when a topic cannot be made.
        """
        layout = Layout(self._prefix, partitions, replication)
        await _ask(self._admin, lambda admin: create_missing(admin, specs, layout))
        return await _ask(self._admin, lambda admin: differences(admin, specs, layout))

    async def topic_problems(self, specs: Sequence[TopicSpec], *, partitions: int, replication: int) -> list[str]:
        """A line for everything about the topics that is not as declared. Raises KafkaUnavailableError."""
        layout = Layout(self._prefix, partitions, replication)
        return await _ask(self._admin, lambda admin: differences(admin, specs, layout))

    async def check(self) -> str:
        """Ask the cluster who it is; a word on its size.

        Raises KafkaUnavailableError, and ClusterChangedError when it is another one than before.
        """
        cluster = await _ask(self._admin, lambda admin: admin.describe_cluster())
        self._refuse_others(cluster["cluster_id"])
        return f"{len(cluster['brokers'])} broker(s)"

    async def topic_ids(self, topics: Iterable[str]) -> dict[str, UUID]:
        """The ids of those of the topics that exist; none where Kafka is older than ids. Raises as `check` does."""
        names = [self._prefix + topic for topic in topics]
        found = await _ask(self._admin, lambda admin: ask_topic_ids(admin, names))
        if found is None:
            await self.check()
            return {}
        self._refuse_others(found.cluster_id)
        return {name.removeprefix(self._prefix): topic_id for name, topic_id in found.ids.items()}

    def _refuse_others(self, cluster_id: str) -> None:
        if cluster_id != self._cluster_id:
            raise ClusterChangedError([f"Kafka was cluster {self._cluster_id} and is now {cluster_id}"])

    async def watch(self) -> None:
        """Look out, for ever, for what no client notices. Raises ClusterChangedError: stop the process."""
        await repeat("kafka", self._look, WATCH_SECONDS)

    async def close(self) -> None:
        """Free what the bus itself holds; producers and consumers are closed by whoever opened them."""
        await asyncio.gather(self._admin.close(), self._offsets.close())

    async def _look(self) -> None:
        """Raises KafkaUnavailableError, ClusterChangedError."""
        await self.check()
        await self._look_at_away()

    async def _look_at_away(self) -> None:
        """Notice that topics are back that nobody sends anything to. Raises KafkaUnavailableError."""
        for topic in self._breakers.unseen():
            if not await self._ailment(topic):
                self._breakers.succeed(topic)

    async def _ailment(self, topic: str) -> str:
        """Why a topic takes no records, nothing where it should. Raises KafkaUnavailableError."""
        (described,) = await _ask(self._admin, lambda admin: admin.describe_topics([self._prefix + topic]))
        return ailment(described)

    async def _targets(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(self._prefix + topic, number) for number in range(await self.partitions_for(topic))]


async def _ask(client: Supervised[C], question: Callable[[C], Awaitable[T]]) -> T:
    """One question, answered in time or the client is thrown away. Raises KafkaUnavailableError."""
    asked: C | None = None
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            asked = await client.get()
            return await question(asked)
    except AWAY as error:
        if asked is None:
            raise KafkaUnavailableError(f"Kafka cannot be reached: {client.failure!r}") from error
        client.condemn(asked, repr(error))
        raise translated(error) from error


async def _first_admin(bootstrap: Bootstrap) -> Any:
    try:
        return await build_admin(bootstrap)
    except AWAY:
        await refuse_to_wait(bootstrap)
        raise


@asynccontextmanager
async def open_bus(bootstrap: Bootstrap, *, topic_prefix: str = "", wait_seconds: float = 30.0) -> AsyncIterator[Bus]:
    """Connect to Kafka. wait_seconds: seconds to wait for brokers that are still away.

    Raises KafkaUnavailableError when they stay away, KafkaLoginError at once when they and we do not trust each other.
    """
    admin = await first_connection(lambda: _first_admin(bootstrap), wait_seconds)
    try:
        with translate():
            cluster_id = (await admin.describe_cluster())["cluster_id"]
    finally:
        await discard_admin(admin)
    bus = Bus(bootstrap, topic_prefix, cluster_id)
    try:
        yield bus
    finally:
        await bus.close()
