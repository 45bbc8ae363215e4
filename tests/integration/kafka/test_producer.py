"""Sending to a real Kafka: order, exact places, refusals."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict

import pytest

from contrib.scratch import delete_topics
from gateway.embedded import Engines
from gateway.kafka import (
    EXPRESS,
    PRICES,
    REPORTS,
    TOPICS,
    Bus,
    KafkaRefusedError,
    Message,
    Position,
    Producer,
    TopicUnavailableError,
    partition_of,
)
from gateway.kafka.producer import MISSES
from gateway.telemetry import metrics
from tests.engines import PARTITIONS
from tests.eventually import eventually


async def test_every_message_stands_where_it_is_said_to(bus: Bus, producer: Producer) -> None:
    messages = [Message(PRICES, b"key-%d" % (n % 17), b"value-%d" % n, (("n", b"%d" % n),)) for n in range(500)]
    positions = await producer.send(messages)
    stored = {
        Position(record.partition, record.offset): record
        for partition in range(PARTITIONS)
        async for records in bus.scan(PRICES, partition)
        for record in records
    }
    assert [(stored[place].key, stored[place].value, stored[place].headers) for place in positions] == [
        (message.key, message.value, message.headers) for message in messages
    ]


async def test_messages_of_one_partition_keep_their_order_over_many_batches(producer: Producer) -> None:
    # 64 KiB that cannot be compressed: four to a batch.
    messages = [Message(PRICES, b"one", os.urandom(64 * 1024)) for _ in range(30)]
    offsets = [position.offset for position in await producer.send(messages)]
    assert offsets == list(range(30))


async def test_a_key_goes_where_every_kafka_client_sends_it(producer: Producer) -> None:
    keys = [b"acme:%d:*" % n for n in range(100)]
    positions = await producer.send([Message(PRICES, key, b"{}") for key in keys])
    assert [position.partition for position in positions] == [partition_of(key, PARTITIONS) for key in keys]


async def test_messages_without_a_key_are_spread_evenly(producer: Producer) -> None:
    positions = await producer.send([Message(EXPRESS, None, b"chunk")] * 3 * PARTITIONS)
    counts: defaultdict[int, int] = defaultdict(int)
    for position in positions:
        counts[position.partition] += 1
    assert set(counts.values()) == {3}


async def test_a_chosen_partition_is_kept(producer: Producer) -> None:
    positions = await producer.send([Message(PRICES, b"any", b"{}", partition=2)] * 5)
    assert {position.partition for position in positions} == {2}


async def test_several_topics_in_one_call(bus: Bus, producer: Producer) -> None:
    first, second = await producer.send([Message(PRICES, b"a", b"1"), Message(REPORTS, b"a", b"2")])
    price = await bus.read(PRICES, *first)
    report = await bus.read(REPORTS, *second)
    assert price is not None
    assert report is not None
    assert (price.topic, price.value, report.topic, report.value) == (PRICES, b"1", REPORTS, b"2")


async def test_a_withdrawal_has_no_value(bus: Bus, producer: Producer) -> None:
    (place,) = await producer.send([Message(PRICES, b"gone", None)])
    record = await bus.read(PRICES, *place)
    assert record is not None
    assert (record.key, record.value) == (b"gone", None)


async def test_nothing_to_send_is_sent_at_once(producer: Producer) -> None:
    assert await producer.send([]) == []


async def test_calls_at_once_do_not_mix_up_their_places(bus: Bus, producer: Producer) -> None:
    async def send(caller: int) -> None:
        values = [b"%d/%d" % (caller, n) for n in range(20)]
        places = await producer.send([Message(PRICES, b"shared", value) for value in values])
        records = [await bus.read(PRICES, *place) for place in (places[0], places[-1])]
        assert [record.value if record else None for record in records] == [values[0], values[-1]]

    for first in range(0, 40, 8):
        await asyncio.gather(*(send(first + n) for n in range(8)))


async def test_a_message_larger_than_a_batch_goes_alone(bus: Bus, producer: Producer) -> None:
    large = os.urandom(3 * 1024 * 1024)
    places = await producer.send([Message(EXPRESS, None, value, partition=0) for value in (b"a", large, b"b")])
    assert [place.offset for place in places] == [0, 1, 2]
    record = await bus.read(EXPRESS, 0, 1)
    assert record is not None
    assert record.value == large


async def test_a_message_larger_than_its_topic_takes_is_refused_for_good(producer: Producer) -> None:
    with pytest.raises(KafkaRefusedError):
        await producer.send([Message(PRICES, b"key", os.urandom(3 * 1024 * 1024))])
    assert len(await producer.send([Message(PRICES, b"key", b"small")])) == 1


def rebuilds() -> float:
    """How often the producers of these tests were built anew, in all tests of this process."""
    return metrics.REGISTRY.get_sample_value("mallgate_kafka_rebuilds_total", {"client": "producer tests"}) or 0.0


async def test_a_topic_that_does_not_exist_is_unavailable_and_not_kafka(bus: Bus, producer: Producer) -> None:
    before = rebuilds()
    for _ in range(2 * MISSES):
        with pytest.raises(TopicUnavailableError, match=r"no\.such\.topic is away: it does not exist"):
            await producer.send([Message("no.such.topic", b"key", b"value")])
    assert len(await producer.send([Message(PRICES, b"key", b"value")])) == 1
    assert list(bus.away()) == ["no.such.topic"]
    assert rebuilds() == before


async def test_a_call_for_two_topics_tells_which_of_them_is_away(producer: Producer) -> None:
    with pytest.raises(TopicUnavailableError, match=r"no\.such\.topic"):
        await producer.send([Message(PRICES, b"key", b"1"), Message("no.such.topic", b"key", b"value")])
    assert len(await producer.send([Message(PRICES, b"key", b"2")])) == 1


async def test_nothing_is_sent_late_to_a_topic_that_was_away(
    engines: Engines, bus: Bus, producer: Producer, topic_prefix: str
) -> None:
    async def missing() -> bool:
        return await bus.partitions_for(PRICES) == 0

    await delete_topics(engines.kafka_bootstrap, topic_prefix + PRICES)
    await eventually(missing)
    await producer.send([Message(REPORTS, b"key", b"value")])
    with pytest.raises(TopicUnavailableError):
        await producer.send([Message(PRICES, b"key", b"old")])
    await bus.ensure_topics([TOPICS[PRICES]], partitions=PARTITIONS, replication=1)

    async def due() -> bool:
        return not producer.blocked(PRICES)

    await eventually(due)
    [place] = await producer.send([Message(PRICES, b"key", b"new")])
    found = [record.value async for records in bus.scan(PRICES, place.partition) for record in records]
    assert found == [b"new"]
