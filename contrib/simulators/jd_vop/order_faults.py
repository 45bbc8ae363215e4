"""What faults do to orders themselves, just before a call is answered or just after it has been done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from contrib.simulators.jd_vop.calls import Call, subject_of
from contrib.simulators.jd_vop.changes import Changes
from contrib.simulators.jd_vop.order import Order
from contrib.simulators.jd_vop.order_book import CANCEL, CONFIRM, OrderBook
from contrib.simulators.jd_vop.world import World, yuan

Parameters = Mapping[str, Any]


class OrderFaults:
    """before: what happens ahead of the call; after: what follows a call that was answered with yes."""

    def __init__(self, book: OrderBook, world: World, changes: Changes) -> None:
        self.before: Mapping[str, Callable[[Call, Parameters], Call]] = {
            "key_ignored": self._key_ignored,
            "price_changed": self._price_changed,
            "out_of_stock": self._out_of_stock,
            "cancel_races_confirm": self._cancel_races_confirm,
        }
        self.after: Mapping[str, Callable[[Order, Parameters], None]] = {
            "split": self._split,
            "partial_confirmation": self._partial_confirmation,
        }
        self._book = book
        self._world = world
        self._changes = changes

    def follow(self, kind: str, parameters: Parameters, call: Call, envelope: Mapping[str, Any]) -> None:
        """Let what comes after a call happen to its order."""
        result = envelope.get("result")
        id_ = result.get("jdOrderId") if isinstance(result, dict) else call.form.get("jdOrderId")
        order = self._book.get(int(id_)) if envelope.get("success") and id_ else None
        if order is not None:
            self.after[kind](order, parameters)

    def _key_ignored(self, call: Call, _: Parameters) -> Call:
        return replace(call, key_ignored=True)

    def _price_changed(self, call: Call, parameters: Parameters) -> Call:
        """The first goods of the call cost more from now on, or less. percent: of the price before."""
        sku = next(iter(subject_of(call.form).skus), None)
        item = self._world.find(int(sku)) if sku else None
        if item is not None:
            moved = max(1, item.price * int(parameters.get("percent", 110)) // 100)
            self._changes.change(item.sku, "price", yuan(moved if moved != item.price else moved + 1))
        return call

    def _out_of_stock(self, call: Call, _: Parameters) -> Call:
        """There are none of the first goods of the call any more, in any city."""
        sku = next(iter(subject_of(call.form).skus), None)
        if sku and self._world.catalog.number(int(sku)) is not None:
            self._changes.change(int(sku), "stock", 0)
        return call

    def _cancel_races_confirm(self, call: Call, _: Parameters) -> Call:
        """The other of the two, from elsewhere, is quicker: a reservation that a call wants to confirm is cancelled,
        one that it wants to cancel is confirmed and split.
        """
        id_ = call.form.get("jdOrderId", "")
        order = self._book.get(int(id_)) if id_.isdecimal() else None
        if order is None or order.confirmed or order.cancelled:
            return call
        if call.operation.endswith("/cancel"):
            self._book.act(CONFIRM, order)
            self._book.split(order, 2)
        else:
            self._book.act(CANCEL, order)
        return call

    def _split(self, order: Order, parameters: Parameters) -> None:
        """into: how many children there are to be."""
        self._book.split(order, int(parameters.get("into", 2)))

    def _partial_confirmation(self, order: Order, parameters: Parameters) -> None:
        """The order is split, and the supplier cancels the last child: it cannot deliver that part."""
        if self._book.split(order, int(parameters.get("into", 2))):
            self._book.act(CANCEL, self._book.children(order)[-1])
