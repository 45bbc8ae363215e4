"""Work that has to end is told so, wherever it rests."""

from __future__ import annotations

import asyncio

import pytest

from gateway.pulls.drain import Drain
from gateway.pulls.errors import DrainingError, foremost


async def test_whoever_rests_is_told_to_end_and_whoever_comes_later_too() -> None:
    drain = Drain()
    resting = asyncio.create_task(drain.rest(3600))
    await asyncio.sleep(0)
    drain.begin()
    for each in (resting, drain.rest(3600), drain.rest(0)):
        with pytest.raises(DrainingError):
            await each
    with pytest.raises(DrainingError):
        drain.check()


async def test_whoever_rests_is_woken_and_whoever_comes_later_rests() -> None:
    drain = Drain()
    resting = asyncio.create_task(drain.rest(3600))
    await asyncio.sleep(0)
    drain.wake()
    await resting
    later = asyncio.create_task(drain.rest(3600))
    await asyncio.sleep(0)
    assert not later.done()
    drain.begin()
    drain.wake()
    with pytest.raises(DrainingError):
        await later


def test_of_errors_that_came_together_the_end_of_the_work_is_before_a_fault() -> None:
    assert isinstance(foremost(ExceptionGroup("", [ValueError(), DrainingError()])), DrainingError)
