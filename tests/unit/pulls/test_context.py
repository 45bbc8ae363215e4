"""Questions that may tell of the same key never overlap."""

import asyncio

import pytest

from gateway.pulls.context import InFlight, Signal
from schemas.catalog import Facet


async def test_a_question_waits_for_the_one_that_names_its_sku_and_for_no_other():
    in_flight, order = InFlight(), []
    entered, leave = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with in_flight.asking(Facet.PRICE, ["A", "B"]):
            entered.set()
            await leave.wait()
            order.append("first")

    async def second() -> None:
        async with in_flight.asking(Facet.PRICE, ["B", "C"]):
            order.append("second")

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        await entered.wait()
        group.create_task(second())
        async with in_flight.asking(Facet.PRICE, ["C"]), in_flight.asking(Facet.STOCK, ["A"]):
            order.append("others")
        leave.set()
    assert order == ["others", "first", "second"]


async def test_a_question_that_fails_leaves_its_skus_free():
    in_flight = InFlight()
    with pytest.raises(RuntimeError):
        async with in_flight.asking(Facet.PRICE, ["A"]):
            raise RuntimeError
    async with in_flight.asking(Facet.PRICE, ["A"]):
        pass


async def test_who_waits_for_something_to_read_is_woken():
    signal = Signal()
    waiting = asyncio.create_task(signal.wait(3600))
    await asyncio.sleep(0)
    signal.set()
    await waiting
    await signal.wait(0)
