"""Members of a group on a real Kafka: where they begin, how they share, what pausing and seeking do."""

from __future__ import annotations

import pytest

from gateway.embedded import Engines
from gateway.kafka import EXPRESS, REPORTS, Bus, Message, Partition, Producer
from tests.engines import PARTITIONS
from tests.integration.kafka.members import Places, delete_before, settle, take

ZERO = Partition(EXPRESS, 0)


async def fill(producer: Producer, count: int, *, topic: str = EXPRESS, partition: int = 0) -> None:
    await producer.send([Message(topic, None, b"%d" % n, partition=partition) for n in range(count)])


async def test_partitions_without_a_stored_offset_begin_at_the_log_s_start(bus: Bus, producer: Producer) -> None:
    await fill(producer, 3)
    places = Places()
    async with bus.consumer([EXPRESS], "group", assigned=places) as consumer:
        taken = await take(consumer, 3)
    assert [(record.topic, record.offset, record.value) for record in taken] == [
        (EXPRESS, 0, b"0"),
        (EXPRESS, 1, b"1"),
        (EXPRESS, 2, b"2"),
    ]
    assert places.asked == [frozenset(Partition(EXPRESS, number) for number in range(PARTITIONS))]


async def test_a_stored_offset_is_stronger_than_one_committed_to_kafka(bus: Bus, producer: Producer) -> None:
    await fill(producer, 10)
    async with bus.consumer([EXPRESS], "group", assigned=Places()) as first:
        await take(first, 10)
        await first.commit({ZERO: 10})
    async with bus.consumer([EXPRESS], "group", assigned=Places({ZERO: 7})) as second:
        assert [record.offset for record in await take(second, 3)] == [7, 8, 9]


async def test_a_stored_offset_beyond_the_log_s_end_is_asked_for_again(bus: Bus, producer: Producer) -> None:
    await fill(producer, 3)
    places = Places({ZERO: 4})
    async with bus.consumer([EXPRESS], "group", assigned=places) as consumer:
        while len(places.asked) < 2:
            assert await consumer.poll(0.1) == {}
        places.stored[ZERO] = 1
        assert [record.offset for record in await take(consumer, 2)] == [1, 2]


async def test_readers_ask_anew_where_to_go_on_when_they_are_to_begin_again(bus: Bus, producer: Producer) -> None:
    await fill(producer, 3)
    places = Places({ZERO: 2})
    async with bus.consumer([EXPRESS], "group", assigned=places) as consumer:
        assert [record.offset for record in await take(consumer, 1)] == [2]
        places.stored[ZERO] = 0
        bus.begin_again()
        assert [record.offset for record in await take(consumer, 3)] == [0, 1, 2]


async def test_a_stored_offset_before_the_log_s_start_goes_on_there(
    bus: Bus, producer: Producer, engines: Engines
) -> None:
    await fill(producer, 10, topic=REPORTS)
    await delete_before(engines, bus._prefix + REPORTS, 0, 6)
    async with bus.consumer([REPORTS], "group", assigned=Places({Partition(REPORTS, 0): 2})) as consumer:
        assert [record.offset for record in await take(consumer, 4)] == [6, 7, 8, 9]


async def test_records_deleted_under_a_reader_make_it_ask_again(bus: Bus, producer: Producer, engines: Engines) -> None:
    await fill(producer, 10, topic=REPORTS)
    places = Places({Partition(REPORTS, 0): 1})
    async with bus.consumer([REPORTS], "group", assigned=places) as consumer:
        await take(consumer, 9)
        await delete_before(engines, bus._prefix + REPORTS, 0, 6)
        consumer.seek(Partition(REPORTS, 0), 2)
        assert [record.offset for record in await take(consumer, 4)] == [6, 7, 8, 9]
    assert len(places.asked) == 2


async def test_what_the_caller_fails_at_is_asked_again(bus: Bus, producer: Producer) -> None:
    class OwnError(Exception):
        """PostgreSQL was away."""

    class Failing(Places):
        async def __call__(self, assigned: frozenset[Partition]) -> dict[Partition, int]:
            await super().__call__(assigned)
            if len(self.asked) == 1:
                raise OwnError
            return {ZERO: 2}

    await fill(producer, 3)
    async with bus.consumer([EXPRESS], "group", assigned=Failing()) as consumer:
        with pytest.raises(OwnError):
            await take(consumer, 1)
        assert [record.offset for record in await take(consumer, 1)] == [2]


async def test_two_members_share_and_the_one_left_takes_over(bus: Bus, producer: Producer) -> None:
    places = Places()
    async with bus.consumer([EXPRESS], "group", assigned=places) as first:
        async with bus.consumer([EXPRESS], "group", assigned=places) as second:
            await settle(first, second, partitions=PARTITIONS)
            assert not first.assignment() & second.assignment()
        await settle(first, partitions=PARTITIONS)
        await fill(producer, 2, partition=0)
        assert len(await take(first, 2)) == 2
    assert places.asked[-1] == first_all()


def first_all() -> frozenset[Partition]:
    return frozenset(Partition(EXPRESS, number) for number in range(PARTITIONS))


async def test_a_paused_partition_rests_while_others_are_read(bus: Bus, producer: Producer) -> None:
    async with bus.consumer([EXPRESS], "group", assigned=Places()) as consumer:
        await settle(consumer, partitions=PARTITIONS)
        consumer.pause([ZERO])
        await fill(producer, 2, partition=0)
        await fill(producer, 2, partition=1)
        assert {record.partition for record in await take(consumer, 2)} == {1}
        consumer.resume([ZERO])
        assert [record.partition for record in await take(consumer, 2)] == [0, 0]


async def test_a_pause_outlives_a_rebalance(bus: Bus, producer: Producer) -> None:
    async with bus.consumer([EXPRESS], "group", assigned=Places()) as first:
        await settle(first, partitions=PARTITIONS)
        first.pause(first_all())
        async with bus.consumer([EXPRESS], "group", assigned=Places()) as second:
            await settle(first, second, partitions=PARTITIONS)
        await settle(first, partitions=PARTITIONS)
        await fill(producer, 2, partition=0)
        await fill(producer, 2, partition=1)
        first.resume([Partition(EXPRESS, 1)])
        assert {record.partition for record in await take(first, 2)} == {1}


async def test_a_seek_repeats_what_was_read(bus: Bus, producer: Producer) -> None:
    await fill(producer, 5)
    async with bus.consumer([EXPRESS], "group", assigned=Places(), max_records=2) as consumer:
        await take(consumer, 4)
        consumer.seek(ZERO, 1)
        assert [record.offset for record in await take(consumer, 4)] == [1, 2, 3, 4]


async def test_a_poll_returns_at_most_so_many(bus: Bus, producer: Producer) -> None:
    await fill(producer, 10)
    async with bus.consumer([EXPRESS], "group", assigned=Places(), max_records=3) as consumer:
        sizes: list[int] = []
        while sum(sizes) < 10:
            sizes += [len(records) for records in (await consumer.poll(0.2)).values()]
    assert sizes == [3, 3, 3, 1]
