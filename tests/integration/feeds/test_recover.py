"""A database older than the topics: new feeds still win, and nothing is read from where it cannot be."""

from __future__ import annotations

import asyncio

import pytest

from gateway.feeds.numbers import DatabaseWentBackError, FeedNumbers
from gateway.feeds.recover import raise_feed_no
from gateway.feeds.source_offsets import have_processed, starting_offsets
from gateway.feeds.versions import MAX_FEED_NO, version_of
from gateway.kafka import EXPRESS, Message, Partition, Position
from gateway.store import acquired
from schemas.envelope import GW_FEED
from tests.eventually import eventually
from tests.integration.feeds.workshop import SEAL, Workshop, cut, price


async def forget_everything(workshop: Workshop) -> None:
    """Put back a copy of the database from before its first feed."""
    await workshop.execute("TRUNCATE feeds, feed_chunks, feed_state, source_offsets, idempotency_keys, outbox CASCADE")
    await workshop.execute("ALTER SEQUENCE feed_no RESTART")


async def test_a_database_that_lost_everything_numbers_on_and_new_feeds_win(workshop: Workshop) -> None:
    numbers = [await workshop.fed(price("A", f"1{number}.00")) for number in range(3)]
    await forget_everything(workshop)
    assert await raise_feed_no(workshop.bus, workshop.pool, SEAL) == numbers[-1]
    new = await workshop.fed(price("A", "20.00"))
    assert new > numbers[-1]
    assert await workshop.last("A") == (version_of(new, 0), "20.00")
    assert sum((await workshop.books()).outcomes().values()) == 4


async def test_a_lone_first_feed_is_numbered_above_too(workshop: Workshop) -> None:
    first = await workshop.fed(price("A", "10.00"))
    await forget_everything(workshop)
    await raise_feed_no(workshop.bus, workshop.pool, SEAL)
    assert await workshop.admission.next_feed_no() > first


async def test_chunks_that_are_waiting_count_too(workshop: Workshop) -> None:
    await workshop.chunk(41, price("A", "10.00"))
    await raise_feed_no(workshop.bus, workshop.pool, SEAL)
    assert await workshop.admission.next_feed_no() == 42


@pytest.mark.parametrize("number", [b"%d" % (MAX_FEED_NO + 1), b"9" * 30, b"-7", b"seven", b""])
async def test_a_number_that_no_feed_can_have_raises_nothing(workshop: Workshop, number: bytes) -> None:
    await workshop.append(Message(EXPRESS, None, b"", ((GW_FEED, number),)))
    assert await raise_feed_no(workshop.bus, workshop.pool, SEAL) == 0
    assert await workshop.admission.next_feed_no() == 1


async def test_a_database_that_lost_nothing_is_left_alone(workshop: Workshop) -> None:
    feed_no = await workshop.fed(price("A", "10.00"))
    unused = [await workshop.admission.next_feed_no() for _ in range(3)]
    await raise_feed_no(workshop.bus, workshop.pool, SEAL)
    assert await workshop.admission.next_feed_no() == unused[-1] + 1 == feed_no + 4


async def test_a_partition_goes_on_where_it_was_and_a_new_one_at_its_start(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    partitions = [Partition(EXPRESS, number) for number in range(3)]
    ends = await workshop.bus.end_offsets(EXPRESS)
    assert await starting_offsets(workshop.pool, workshop.bus, partitions) == {
        each: ends[each.partition] for each in partitions
    }
    await forget_everything(workshop)
    assert await starting_offsets(workshop.pool, workshop.bus, partitions) == dict.fromkeys(partitions, 0)


async def test_a_partition_whose_next_records_are_gone_goes_on_at_the_logs_start(workshop: Workshop) -> None:
    partition = Partition(EXPRESS, 0)
    await workshop.chunk(7, price("A", "10.00"))
    await workshop.chunk(8, price("A", "11.00"))
    await cut(workshop, EXPRESS, Position(0, 0))
    assert await starting_offsets(workshop.pool, workshop.bus, [partition]) == {partition: 1}
    await workshop.work()
    assert (await workshop.books()).outcomes() == {"normalized": 1}


async def test_everything_has_taken_effect_once_its_places_are_reached(workshop: Workshop) -> None:
    await workshop.push(price("A", "10.00"))
    ends = {Partition(EXPRESS, number): end for number, end in (await workshop.bus.end_offsets(EXPRESS)).items()}
    assert not await have_processed(workshop.pool, ends)
    await workshop.work()
    assert await have_processed(workshop.pool, ends)
    async with acquired(workshop.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM feed_chunks") == 1


async def test_a_process_that_sees_the_numbers_go_back_gives_out_none_and_ends(workshop: Workshop) -> None:
    """A copy was put back under it: what it remembers is not so any more."""
    numbers = FeedNumbers(workshop.pool)
    given = [await numbers.next() for _ in range(5)]
    await workshop.execute("ALTER SEQUENCE feed_no RESTART WITH 3")
    for _ in range(5):
        with pytest.raises(DatabaseWentBackError):
            await numbers.next()
    with pytest.raises(DatabaseWentBackError):
        await numbers.watch()
    assert given == [1, 2, 3, 4, 5]


async def test_a_process_that_only_works_sees_it_too(workshop: Workshop) -> None:
    intake, worker = FeedNumbers(workshop.pool), FeedNumbers(workshop.pool)
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(ending(worker))
        await intake.next()
        await intake.next()

        async def seen() -> bool:
            return worker._highest == 2

        await eventually(seen)
        assert not watching.done()
        await workshop.execute("ALTER SEQUENCE feed_no RESTART")


async def ending(numbers: FeedNumbers) -> None:
    with pytest.raises(DatabaseWentBackError):
        await numbers.watch()


async def test_a_forged_chunk_does_not_use_the_numbers_up(workshop: Workshop) -> None:
    true = await workshop.chunk(70, price("A-1", "1.00"))
    await workshop.chunk(2**38, price("A-1", "0.01"), seal=None)
    assert true.topic
    assert await raise_feed_no(workshop.bus, workshop.pool, SEAL) == 70
