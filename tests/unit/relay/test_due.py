"""Which orders a turn of the relay goes through: no more than can be called for, unless some come to no call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import pytest

from gateway.relay import store
from gateway.relay.due import SPARE, DueOrders
from gateway.relay.store import DueOrder
from tests.unit.relay.commands import NOON

ORDERS = [f"o{number}" for number in range(SPARE + 20)]


class NoConnection:
    """Nothing is asked of it."""


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> DueOrders:
    async def due_orders(
        _: object, supplier: str, now: datetime, shut: Collection[str], most: int, behind: DueOrder | None
    ) -> Sequence[DueOrder]:
        return [DueOrder(order_no, NOON, place) for place, order_no in enumerate(ORDERS)]

    monkeypatch.setattr(store, "due_orders", due_orders)
    return DueOrders("s1")


async def taken(
    orders: DueOrders, *, places: int, most: int | None = None, shut: Collection[str] = ()
) -> Sequence[str]:
    return await orders.take(NoConnection(), NOON, shut, places=places, most=most)  # type: ignore[arg-type]


async def test_more_lanes_than_places_are_looked_at_only_while_some_come_to_no_call(orders: DueOrders) -> None:
    first = await taken(orders, places=3)
    assert first == ORDERS[: 2 * 3 + SPARE]
    orders.put_back(first)
    orders.note(each_began=True)
    assert await taken(orders, places=3) == ORDERS[:3]
    orders.note(each_began=False)
    assert await taken(orders, places=1) == ORDERS[3 : 3 + 2 + SPARE]


async def test_without_a_place_what_ends_by_itself_is_still_looked_at(orders: DueOrders) -> None:
    orders.note(each_began=True)
    assert await taken(orders, places=0) == ORDERS[:SPARE]
    assert not orders.is_worth_a_look(0)
    assert orders.is_worth_a_look(1)


async def test_once_other_operations_can_be_called_it_is_looked_anew(orders: DueOrders) -> None:
    await taken(orders, places=1, most=2)
    assert await taken(orders, places=1, most=1, shut=["order.submit"]) == ["o0"]
    assert await taken(orders, places=1, most=1, shut=["order.submit"]) == ["o1"]
    assert await taken(orders, places=1, most=1) == ["o0"]


async def test_what_is_set_aside_is_left_out_and_what_is_put_back_comes_first(orders: DueOrders) -> None:
    orders.set_aside("o1")
    assert await taken(orders, places=3, most=2) == ["o0", "o2"]
    orders.put_back(["o0", "o2"])
    assert await taken(orders, places=3, most=3) == ["o0", "o2", "o3"]
    assert (orders.is_aside("o1"), orders.is_aside("o2")) == (True, False)


async def test_what_a_look_before_the_turn_found_is_taken_in_it(orders: DueOrders) -> None:
    assert await orders.look(NoConnection(), [])  # type: ignore[arg-type]
    assert orders.is_worth_a_look(0)
    assert await taken(orders, places=0, most=1) == ["o0"]
    assert not orders.is_worth_a_look(0)


async def test_a_look_that_finds_nothing_is_the_last_for_a_while(
    orders: DueOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing_due(*_: object) -> Sequence[DueOrder]:
        return []

    monkeypatch.setattr(store, "due_orders", nothing_due)
    assert not await orders.look(NoConnection(), [])  # type: ignore[arg-type]
    assert not orders.is_worth_a_look(0)
    assert orders.is_worth_a_look(1)
