"""Waiting for feeds to finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.feeds.waits import Waits
from tests.integration.feeds.workshop import Workshop, price


@pytest.fixture
async def waits(workshop: Workshop) -> AsyncIterator[Waits]:
    waits = Waits(workshop.pool)
    running = asyncio.create_task(waits.run())
    yield waits
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_all_who_wait_for_a_feed_hear_of_its_end(workshop: Workshop, waits: Waits) -> None:
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    waiting = [asyncio.create_task(waits.finished(feed_no, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await workshop.work()
    async with asyncio.timeout(30):
        await asyncio.gather(*waiting)


async def test_a_feed_that_was_finished_before_is_not_waited_for(workshop: Workshop, waits: Waits) -> None:
    feed_no = await workshop.fed(price("A", "10.00"))
    async with asyncio.timeout(30):
        await waits.finished(feed_no, 60)


async def test_a_wait_that_is_over_leaves_the_feed_to_itself(workshop: Workshop, waits: Waits) -> None:
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    await waits.finished(feed_no, 0.01)
    [feed] = (await workshop.books()).feeds
    assert (feed["feed_no"], feed["state"]) == (feed_no, "produced")
