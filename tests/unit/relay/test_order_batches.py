"""Orders that are worked on a page at a time: each once, whatever is wrong with one of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.relay.order_batches import OrderBatches
from gateway.sdk.errors import ServiceUnavailableError

AT_ONCE = 3


class Orders:
    """Orders of one supplier, some of which cannot be worked on. worked: in turn, as they were given to the work."""

    def __init__(self, count: int, *, faulty: str = "") -> None:
        self.all = [f"A{number:02}" for number in range(count)]
        self.faulty = faulty
        self.worked: list[Sequence[str]] = []

    async def find(self, behind: str) -> Sequence[str]:
        return [each for each in self.all if each > behind][:AT_ONCE]

    async def work(self, orders: Sequence[str]) -> Sequence[str]:
        self.worked.append(orders)
        if self.faulty in orders:
            raise KeyError(self.faulty)
        return orders


@pytest.mark.parametrize("count", [0, 1, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE])
async def test_all_are_worked_on_in_turn_and_each_once(count: int) -> None:
    orders = Orders(count)
    assert await OrderBatches("trial").process_pages("jd", orders.find, orders.work, at_once=AT_ONCE) == count
    assert [each for some in orders.worked for each in some] == orders.all
    assert all(len(some) <= AT_ONCE for some in orders.worked)


async def test_one_at_fault_is_set_aside_and_keeps_no_other_from_its_turn() -> None:
    orders, each = Orders(8, faulty="A04"), OrderBatches("trial")
    assert await each.process_pages("jd", orders.find, orders.work, at_once=AT_ONCE) == 7
    assert [found.unit for found in each.supervisor.set_aside()] == ["order jd/A04"]
    went_well = [order for some in orders.worked if "A04" not in some for order in some]
    assert went_well == [order for order in orders.all if order != "A04"]


async def test_while_a_service_is_away_nothing_further_is_tried() -> None:
    orders = Orders(8)

    async def away(some: Sequence[str]) -> Sequence[str]:
        orders.worked.append(some)
        raise ServiceUnavailableError

    with pytest.raises(ServiceUnavailableError):
        await OrderBatches("trial").process_pages("jd", orders.find, away, at_once=AT_ONCE)
    assert orders.worked == [["A00", "A01", "A02"]]
