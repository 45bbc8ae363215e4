"""Kafka stopped, frozen, restarted: errors in time, no restart of ours, nothing lost."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from gateway.embedded import Engines
from gateway.kafka import EXPRESS, PRICES, Bus, KafkaUnavailableError, Message, Partition, Position, Producer
from gateway.telemetry import metrics
from tests.engines import PARTITIONS
from tests.integration.kafka.members import Places, settle, take

pytestmark = pytest.mark.crash

MESSAGE = Message(PRICES, b"key", b"value", partition=0)


async def test_producer_and_consumer_go_on_after_a_restart(awake: Engines, bus: Bus, producer: Producer) -> None:
    async with bus.consumer([PRICES], "group", assigned=Places()) as consumer:
        await settle(consumer, partitions=PARTITIONS)
        await awake.kafka.stop()
        with pytest.raises(KafkaUnavailableError):
            await producer.send([MESSAGE], deadline=1.0)
        with pytest.raises(KafkaUnavailableError):
            await bus.check()
        assert await consumer.poll(0.2) == {}
        await awake.kafka.start()
        (place,) = await producer.send([Message(PRICES, b"key", b"after", partition=0)], deadline=60.0)
        assert await bus.check() == "1 broker(s)"
        values = [record.value for record in await take(consumer, place.offset + 1)]
    assert values[-1] == b"after"


async def test_what_was_acknowledged_under_load_stands_where_it_was_said_to_after_the_broker_was_killed(
    awake: Engines, bus: Bus, producer: Producer
) -> None:
    acknowledged: dict[Position, bytes] = {}
    stopping = asyncio.Event()

    async def load(number: int) -> None:
        count = 0
        while not stopping.is_set():
            values = [b"%d/%d" % (number, count + n) for n in range(50)]
            with suppress(KafkaUnavailableError):
                places = await producer.send([Message(PRICES, value, value) for value in values], deadline=2.0)
                acknowledged.update(zip(places, values, strict=True))
                count += 50

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(load(number))
        for _ in range(2):
            await _grows(acknowledged)
            await awake.kafka.kill()
            await awake.kafka.start()
        await _grows(acknowledged)
        stopping.set()
    stored = {
        Position(record.partition, record.offset): record.value
        for partition in range(PARTITIONS)
        async for records in bus.scan(PRICES, partition)
        for record in records
    }
    assert {place: stored.get(place) for place in acknowledged} == acknowledged


async def test_a_frozen_broker_is_unavailable_in_time_and_works_once_thawed(
    awake: Engines, bus: Bus, producer: Producer
) -> None:
    await producer.send([MESSAGE])
    await awake.kafka.freeze()
    with pytest.raises(KafkaUnavailableError):
        await producer.send([MESSAGE], deadline=0.5)
    await awake.kafka.thaw()
    assert len(await producer.send([MESSAGE], deadline=60.0)) == 1
    assert await bus.read(PRICES, 0, 0) is not None


async def test_a_process_can_end_while_the_broker_is_frozen(awake: Engines, bus: Bus) -> None:
    async with (
        bus.producer("ending") as producer,
        bus.consumer([PRICES], "group", assigned=Places()) as consumer,
    ):
        await producer.send([MESSAGE])
        await settle(consumer, partitions=PARTITIONS)
        await awake.kafka.freeze()
        with pytest.raises(KafkaUnavailableError):
            await producer.send([MESSAGE], deadline=0.2)


async def test_a_producer_whose_sender_died_is_built_anew(bus: Bus, producer: Producer) -> None:
    await producer.send([MESSAGE])
    before = rebuilds("producer tests")
    client = await producer._client.get()
    await client._sender.close()
    assert len(await producer.send([MESSAGE])) == 1
    assert rebuilds("producer tests") == before + 1


async def test_a_producer_that_fails_again_and_again_is_built_anew(bus: Bus, producer: Producer) -> None:
    await producer.send([MESSAGE])
    before = rebuilds("producer tests")
    for _ in range(3):
        with pytest.raises(KafkaUnavailableError):
            await producer.send([MESSAGE], deadline=0.0)
    assert rebuilds("producer tests") == before + 1
    assert len(await producer.send([MESSAGE])) == 1


async def test_a_consumer_whose_fetcher_died_is_built_anew_and_asks_where_to_go_on(
    bus: Bus, producer: Producer
) -> None:
    places = Places()
    async with bus.consumer([EXPRESS], "group", assigned=places) as consumer:
        await settle(consumer, partitions=PARTITIONS)
        before = rebuilds("consumer group")
        client = await consumer._members.get()
        client.consumer._fetcher._fetch_task.cancel()
        places.stored = {Partition(EXPRESS, 0): 1}
        await producer.send([Message(EXPRESS, None, b"%d" % n, partition=0) for n in range(3)])
        assert [record.offset for record in await take(consumer, 2)] == [1, 2]
        assert rebuilds("consumer group") == before + 1


async def test_a_pause_outlives_a_rebuild(bus: Bus, producer: Producer) -> None:
    async with bus.consumer([EXPRESS], "group", assigned=Places()) as consumer:
        await settle(consumer, partitions=PARTITIONS)
        consumer.pause([Partition(EXPRESS, 0)])
        client = await consumer._members.get()
        client.consumer._fetcher._fetch_task.cancel()
        await producer.send([Message(EXPRESS, None, b"x", partition=number) for number in (0, 1)])
        assert [record.partition for record in await take(consumer, 1)] == [1]


def rebuilds(client: str) -> float:
    return metrics.REGISTRY.get_sample_value("mallgate_kafka_rebuilds_total", {"client": client}) or 0.0


async def _grows(acknowledged: dict[Position, bytes]) -> None:
    """Wait until more was acknowledged."""
    before = len(acknowledged)
    while len(acknowledged) == before:  # noqa: ASYNC110 -- the senders are the subject, not ours to instrument
        await asyncio.sleep(0)
