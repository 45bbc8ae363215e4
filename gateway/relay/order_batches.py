"""Orders that are worked on together, and after a fault one by one: what is wrong with one of them costs no other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import structlog

from gateway.sdk.errors import OverloadedError, ServiceUnavailableError
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

T = TypeVar("T")


class OrderKey(NamedTuple):
    """An order of a supplier, as it is named where it is set aside."""

    supplier: str
    order_no: str

    def __str__(self) -> str:
        return f"{self.supplier}/{self.order_no}"


def _never(_: object) -> bool:
    return False


class OrderBatches:
    """The orders of one loop, of all suppliers. loop: its name, as its supervisor has it."""

    def __init__(self, loop: str) -> None:
        self.supervisor = Supervisor[OrderKey](loop, "order")

    def set_aside(self, supplier: str) -> list[str]:
        """Orders of a supplier that are set aside for now."""
        return [order.order_no for order in self.supervisor.not_due() if order.supplier == supplier]

    async def process_pages(
        self,
        supplier: str,
        find: Callable[[str], Awaitable[Sequence[str]]],
        work: Callable[[Sequence[str]], Awaitable[Sequence[T]]],
        *,
        at_once: int,
    ) -> int:
        """Work on all orders that `find` gives, so many at once, by their numbers; of how many something came.

        find: the orders whose numbers come after the given one, `at_once` of them at most. Raises as `work`.
        """
        count, behind = 0, ""
        while True:
            orders = await find(behind)
            count += len(await self.work(supplier, orders, work))
            if len(orders) < at_once:
                return count
            behind = orders[-1]

    async def work(
        self,
        supplier: str,
        orders: Sequence[str],
        work: Callable[[Sequence[str]], Awaitable[Sequence[T]]],
        enough: Callable[[Sequence[T]], bool] = _never,
    ) -> Sequence[T]:
        """Work on orders together; after a fault on each alone: the one at fault is set aside. What came of the others.

        work: on some of them, in one transaction; enough: whether what came of those so far is all that is wanted.
        Raises OverloadedError, ServiceUnavailableError.
        """
        try:
            return await work(orders) if orders else []
        except (OverloadedError, ServiceUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 -- of which order it is a fault is found out below, and told there
            loop, name = self.supervisor.loop, type(error).__name__
            log.warning("orders.fault", loop=loop, supplier=supplier, orders=len(orders), error=name)
        found: list[T] = []
        for order_no in orders:
            if enough(found):
                break
            found += await self.supervisor.run(OrderKey(supplier, order_no), partial(work, [order_no])) or ()
            self.supervisor.raise_outage()
        return found
