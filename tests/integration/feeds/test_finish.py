"""Finishing feeds: done when every chunk took effect, told once, and nothing stays open that can be closed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import orjson

from gateway.feeds.finish import Finisher
from gateway.feeds.passes import GRACE
from gateway.kafka import REPORTS
from gateway.outbox import Publisher
from gateway.store import transaction
from tests.eventually import eventually
from tests.integration.feeds.workshop import Workshop, price
from tests.reader import read_topics

BAD = b'{"sku":"B","price":"1e3"}'


async def outbox(workshop: Workshop) -> list[dict[str, object]]:
    """Values that wait in the outbox for the reports topic."""
    async with transaction(workshop.pool) as connection:
        rows = await connection.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", REPORTS)
    return [orjson.loads(row["value"]) for row in rows]


async def states(workshop: Workshop) -> list[str]:
    return [feed["state"] for feed in (await workshop.books()).feeds]


async def test_a_finished_feed_is_counted_and_reported_through_the_outbox(workshop: Workshop) -> None:
    feed_no = await workshop.fed(price("A", "10.00"), BAD, BAD)
    [feed] = (await workshop.books()).feeds
    assert (feed["state"], orjson.loads(feed["counts"])) == ("done", {"normalized": 1, "rejected": 2})
    async with asyncio.TaskGroup() as group:
        publisher = group.create_task(Publisher(workshop.pool, workshop.producer, owner="tests").run())

        async def published() -> bool:
            return not await outbox(workshop)

        await eventually(published)
        publisher.cancel()
    [report] = (await read_topics(workshop.engines.kafka_bootstrap, workshop.prefix, [REPORTS]))[REPORTS]
    told = orjson.loads(report.value or b"")
    assert (report.key, told["feed"], told["state"]) == (b"acme", str(feed_no), "done")
    assert told["counts"]["normalized"] == 1
    [problem] = told["problems"]
    assert (problem["code"], problem["count"], problem["skus"]) == ("invalid_decimal", 2, ["B"])


async def test_a_feed_is_finished_once_however_many_try(workshop: Workshop) -> None:
    receipt = await workshop.push(price("A", "10.00"))
    await workshop.work()
    await workshop.execute("UPDATE feeds SET state = 'produced', finished_at = NULL")
    await workshop.execute("DELETE FROM outbox")
    closed = await asyncio.gather(*(workshop.finisher.finish(receipt.feed_no) for _ in range(4)))
    assert sorted(closed) == [False, False, False, True]
    assert len(await outbox(workshop)) == 1


async def test_a_feed_with_a_chunk_to_come_stays_open(workshop: Workshop) -> None:
    lines = [price(f"A-{number}", "10.00") for number in range(1_001)]
    receipt = await workshop.push(*lines)
    (first, *rest) = await workshop.waiting()
    await workshop.processor.process(first)
    await workshop.finisher.sweep()
    assert not await workshop.finisher.finish(receipt.feed_no)
    assert await states(workshop) == ["produced"]
    for record in rest:
        await workshop.processor.process(record)
    assert await workshop.finisher.finish(receipt.feed_no)


async def test_a_feed_whose_last_word_was_lost_is_finished_all_the_same(workshop: Workshop) -> None:
    """All chunks are there, only the commit that says so is not: its request died in between."""
    await workshop.push(price("A", "10.00"), key="k")
    await workshop.execute("UPDATE feeds SET state = 'admitted', produced_at = NULL")
    await workshop.work()
    assert await states(workshop) == ["done"]
    assert (await workshop.push(price("A", "10.00"), key="k")).duplicate


async def test_a_feed_without_records_is_done_at_once(workshop: Workshop) -> None:
    receipt = await workshop.push()
    assert workshop.touched == [receipt.feed_no]
    assert await workshop.finisher.finish(receipt.feed_no)
    assert await states(workshop) == ["done"]


async def test_a_request_that_died_is_called_incomplete_after_its_grace(workshop: Workshop) -> None:
    await workshop.push(*(price(f"A-{number}", "10.00") for number in range(2)))
    await workshop.execute("UPDATE feeds SET state = 'admitted', touched_at = now() - $1::interval / 2", GRACE)
    await workshop.finisher.sweep()
    assert await states(workshop) == ["admitted"]
    await workshop.execute("UPDATE feeds SET touched_at = now() - $1::interval", GRACE + timedelta(seconds=1))
    await workshop.finisher.sweep()
    assert await states(workshop) == ["incomplete"]
    await workshop.work()
    assert await states(workshop) == ["done"]


async def test_a_running_finisher_closes_what_it_is_told_of(workshop: Workshop) -> None:
    finisher = Finisher(workshop.pool)
    receipt = await workshop.push(price("A", "10.00"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(finisher.run())
        [record] = await workshop.waiting()
        await workshop.processor.process(record)
        await finisher.touched(receipt.feed_no)

        async def done() -> bool:
            return await states(workshop) == ["done"]

        await eventually(done)
        running.cancel()
