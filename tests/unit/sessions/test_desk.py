"""Questions that may tell of the same key never overlap."""

import asyncio

import pytest

from gateway.sessions.desk import InFlight, Wanted
from gateway.sessions.owner import given_up, share
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
    wanted = Wanted()
    waiting = asyncio.create_task(wanted.wait(3600))
    await asyncio.sleep(0)
    wanted.set()
    await waiting
    await wanted.wait(0)


@pytest.mark.parametrize(
    ("suppliers", "processes", "most"), [(0, 1, 0), (1, 0, 1), (20, 1, 20), (20, 3, 7), (3, 20, 1)]
)
def test_suppliers_are_shared_out_evenly(suppliers: int, processes: int, most: int):
    assert share(suppliers, processes) == most


@pytest.mark.parametrize(
    ("owned", "most", "ended"),
    [
        (["a", "b"], 2, []),
        (["a", "b", "c"], 2, ["c"]),
        (["pushed", "a"], 1, ["pushed"]),
        (["pushed", "a", "b"], 1, ["pushed", "b"]),
        (["pushed", "gone"], 2, ["pushed", "gone"]),
        ([], 2, []),
    ],
)
def test_a_supplier_that_is_pulled_no_more_takes_nobodys_place(owned: list[str], most: int, ended: list[str]):
    assert given_up(owned, ["a", "b", "c"], most) == ended
