"""Topics, single reads and the cluster itself, on a real Kafka."""

from __future__ import annotations

import pytest

from gateway.config import Bootstrap
from gateway.embedded import Engines
from gateway.kafka import (
    PRICES,
    REPORTS,
    TOPICS,
    Bus,
    ClusterChangedError,
    KafkaRefusedError,
    KafkaUnavailableError,
    Message,
    Producer,
    TopicSpec,
    open_bus,
)
from tests.engines import PARTITIONS
from tests.integration.kafka.members import delete_before


async def test_topics_are_made_as_declared_and_making_them_again_changes_nothing(bus: Bus) -> None:
    specs = list(TOPICS.values())
    assert await bus.ensure_topics(specs, partitions=PARTITIONS, replication=1) == []
    assert await bus.partitions_for(PRICES) == PARTITIONS


async def test_topics_that_differ_from_their_declaration_are_told(bus: Bus) -> None:
    other = TopicSpec(REPORTS, "supplier", "compact", 1, "", max_bytes=1000, partitions=2)
    assert await bus.topic_problems([other], partitions=PARTITIONS, replication=3) == [
        f"topic {_name(bus, REPORTS)}: has {PARTITIONS} partitions, should have 2",
        f"topic {_name(bus, REPORTS)}: keeps 1 copies, should keep 3",
        f"topic {_name(bus, REPORTS)}: cleanup.policy is delete, should be compact",
        f"topic {_name(bus, REPORTS)}: max.message.bytes is {1024 * 1024 + 65536}, should be 66536",
        f"topic {_name(bus, REPORTS)}: min.insync.replicas is 1, should be 2",
        f"topic {_name(bus, REPORTS)}: min.compaction.lag.ms is 0, should be 86400000",
        f"topic {_name(bus, REPORTS)}: delete.retention.ms is 86400000, should be 1",
    ]


async def test_a_topic_that_does_not_exist_is_told(bus: Bus) -> None:
    missing = TopicSpec("no.such.topic", "none", "delete", 1, "")
    (problem,) = await bus.topic_problems([missing], partitions=1, replication=1)
    assert problem.endswith("no.such.topic: does not exist")
    assert await bus.partitions_for("no.such.topic") == 0


async def test_a_topic_that_cannot_be_made_is_refused(bus: Bus) -> None:
    with pytest.raises(KafkaRefusedError):
        await bus.ensure_topics([TopicSpec("bad name", "none", "delete", 1, "")], partitions=1, replication=1)


async def test_offsets_of_every_partition(bus: Bus, producer: Producer) -> None:
    await producer.send([Message(PRICES, b"key", b"value", partition=1)] * 4)
    assert await bus.beginning_offsets(PRICES) == {0: 0, 1: 0, 2: 0}
    assert await bus.end_offsets(PRICES) == {0: 0, 1: 4, 2: 0}


async def test_a_scan_yields_what_lies_between_its_bounds(bus: Bus, producer: Producer) -> None:
    await producer.send([Message(PRICES, b"key", b"%d" % n, partition=0) for n in range(50)])
    assert await _values(bus, 10, 13) == [b"10", b"11", b"12"]
    assert await _values(bus, 48, None) == [b"48", b"49"]
    assert await _values(bus, 48, 1000) == [b"48", b"49"]
    assert await _values(bus, 50, None) == []
    assert await _values(bus, 13, 10) == []


async def test_a_scan_that_ends_at_the_log_s_end_leaves_out_what_comes_later(bus: Bus, producer: Producer) -> None:
    await producer.send([Message(PRICES, b"key", b"early", partition=0)])
    values = []
    async for records in bus.scan(PRICES, 0):
        values += [record.value for record in records]
        await producer.send([Message(PRICES, b"key", b"late", partition=0)])
    assert values == [b"early"]


async def test_records_that_are_deleted_are_left_out_of_a_scan(bus: Bus, producer: Producer, engines: Engines) -> None:
    await producer.send([Message(REPORTS, b"key", b"%d" % n, partition=0) for n in range(10)])
    await delete_before(engines, _name(bus, REPORTS), 0, 7)
    assert [record.value async for records in bus.scan(REPORTS, 0) for record in records] == [b"7", b"8", b"9"]
    assert await bus.read(REPORTS, 0, 3) is None
    assert (await bus.beginning_offsets(REPORTS))[0] == 7


async def test_a_read_yields_the_record_at_its_offset_or_nothing(bus: Bus, producer: Producer) -> None:
    await producer.send([Message(PRICES, b"key", b"%d" % n, partition=0) for n in range(3)])
    record = await bus.read(PRICES, 0, 1)
    assert record is not None
    assert (record.topic, record.partition, record.offset, record.value) == (PRICES, 0, 1, b"1")
    assert await bus.read(PRICES, 0, 3) is None


async def test_another_cluster_at_the_same_address_stops_the_process(engines: Engines, bus: Bus) -> None:
    assert await bus.check() == "1 broker(s)"
    mistaken = Bus(engines.kafka_bootstrap, "", "cluster-that-was-here-before")
    try:
        with pytest.raises(ClusterChangedError, match="cluster-that-was-here-before"):
            await mistaken.watch()
    finally:
        await mistaken.close()


async def test_brokers_that_stay_away_are_unavailable_after_the_patience() -> None:
    with pytest.raises(KafkaUnavailableError):
        async with open_bus(Bootstrap("127.0.0.1:1"), wait_seconds=0.2):
            pass


async def _values(bus: Bus, start: int, end: int | None) -> list[bytes | None]:
    return [record.value async for records in bus.scan(PRICES, 0, start, end) for record in records]


def _name(bus: Bus, topic: str) -> str:
    return bus._prefix + topic
