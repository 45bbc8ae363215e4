"""The control routes about orders: see them all, and let something happen to one."""

from __future__ import annotations

from typing import Any

from contrib.simulators.jd_vop.invoices import Invoices
from contrib.simulators.jd_vop.order import Order
from contrib.simulators.jd_vop.order_book import ACTS, SPLIT, OrderBook
from contrib.simulators.jd_vop.service_book import ACTS as SERVICE_ACTS
from contrib.simulators.jd_vop.service_book import ServiceBook


class OrderControl:
    """What control routes do with orders. Raises ValueError for what is not there or makes no sense."""

    def __init__(self, book: OrderBook, invoices: Invoices, services: ServiceBook) -> None:
        self._book = book
        self.invoices = invoices
        self._services = services

    def truths(self, third: str | None) -> list[dict[str, Any]]:
        """Every order, or those of one third order, children and superseded ones too."""
        return [order.truth() for order in self._book.all() if third is None or order.third == third]

    def act(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Let something happen to the order "order", or to the one submitted as "third"; what stands then of both.

        A parent is not delivered: its children are, each that stands. A split divides a parent once only, and then
        its children by their own ids.
        """
        act = parameters["act"]
        if act not in ACTS:
            raise ValueError(f"act is {act!r}; one of {', '.join(ACTS)} is meant")
        order = self._order(parameters)
        if act == SPLIT:
            if not self._book.split(order, int(parameters.get("into", 2))):
                raise ValueError(f"{order.id} cannot be divided")
        else:
            for leaf in self._book.leaves(order):
                self._book.act(act, leaf)
        return [one.truth() for one in (order, *self._book.children(order))]

    def service_truths(self, third: str | None) -> list[dict[str, Any]]:
        """Every after-sale service, or those of one third order."""
        return [each.truth() for each in self._services.all() if third is None or each.third == third]

    def act_on_services(self, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Let something happen to the service "service", or to all of the order submitted as "third"."""
        act = parameters["act"]
        if act not in SERVICE_ACTS:
            raise ValueError(f"act is {act!r}; one of {', '.join(SERVICE_ACTS)} is meant")
        wanted = [each for each in self._services.all() if str(each.id) == str(parameters.get("service", ""))]
        wanted = wanted or [each for each in self._services.all() if each.third == parameters.get("third")]
        if not wanted:
            raise ValueError("there is no such service")
        for each in wanted:
            self._services.act(act, each)
        return [each.truth() for each in wanted]

    def _order(self, parameters: dict[str, Any]) -> Order:
        order = (
            self._book.get(int(parameters["order"]))
            if "order" in parameters
            else self._book.of_third(parameters["third"])
        )
        if order is None:
            raise ValueError("there is no such order")
        return order
