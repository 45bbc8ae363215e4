"""What a caller of a consumer does: keeps places, polls, waits for its partitions; and what time does to a log."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from gateway.embedded import Engines
from gateway.kafka import Consumer, Partition, Record, client_options


class Places:
    """Stored offsets, as a worker keeps them in PostgreSQL; remembers what it was asked."""

    def __init__(self, stored: Mapping[Partition, int] | None = None) -> None:
        self.stored = dict(stored or {})
        self.asked: list[frozenset[Partition]] = []

    async def __call__(self, assigned: frozenset[Partition]) -> Mapping[Partition, int]:
        self.asked.append(assigned)
        return self.stored


async def take(consumer: Consumer, count: int) -> list[Record]:
    """Poll until that many records came; they come in the order of their partitions."""
    taken: list[Record] = []
    while len(taken) < count:
        for records in (await consumer.poll(0.2)).values():
            taken += records
    return taken


async def settle(*consumers: Consumer, partitions: int) -> None:
    """Poll until every member has its share of the partitions; what there is to read meanwhile is lost."""
    while sum(len(consumer.assignment()) for consumer in consumers) != partitions or not all(
        consumer.assignment() for consumer in consumers
    ):
        for consumer in consumers:
            await consumer.poll(0.05)


async def delete_before(engines: Engines, name: str, partition: int, offset: int) -> None:
    """Delete the records of a partition before an offset, as retention does."""
    admin = AIOKafkaAdminClient(**client_options(engines.kafka_bootstrap))
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(name, partition): RecordsToDelete(offset)})
    finally:
        await admin.close()
