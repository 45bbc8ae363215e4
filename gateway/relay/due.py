"""Which orders of a supplier are due: found some at a time, and gone through before the next are looked for."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from gateway.relay import store
from gateway.relay.store import DueOrder
from gateway.store import Connection

MOST_DUE = 5_000
"""Orders that are looked up together as due: a look reads all open commands, a second and more where they are many."""

FULL_LOOK_SECONDS = 1.0
"""Between two looks for what only ends, while there is no room for another call."""

ASIDE_SECONDS = 60.0
"""For an order whose command cannot be read, before it is tried again."""

SPARE = 64
"""Lanes that are looked at beside twice the places, where some come to no call."""


class DueOrders:
    """Orders of one supplier that are due, the longest first, and those that are set aside for a while."""

    def __init__(self, supplier: str) -> None:
        self._supplier = supplier
        self._due: OrderedDict[str, None] = OrderedDict()
        self._aside: dict[str, float] = {}
        self._behind: DueOrder | None = None
        self._shut: frozenset[str] = frozenset()
        self._looked_at = float("-inf")
        self._each_began = False

    def is_worth_a_look(self, places: int) -> bool:
        """Whether lanes are looked at now: without a place only what ends by itself can come of it."""
        return bool(places) or time.monotonic() >= self._looked_at + FULL_LOOK_SECONDS

    async def look(self, connection: Connection, shut: Collection[str]) -> bool:
        """Whether an order is due, before a transaction is begun for it. shut: as far as is known there."""
        await self._look(connection, None, shut)
        if not self._due:
            self._looked_at = time.monotonic()
        return bool(self._due)

    async def take(
        self, connection: Connection, now: datetime, shut: Collection[str], *, places: int, most: int | None
    ) -> Sequence[str]:
        """The next orders to go through. shut: operations that nothing is called for; most: how many, None: as many as
        there are places for, unless of those before some came to no call.
        """
        self._looked_at = time.monotonic()
        await self._look(connection, now, shut)
        if most is None:
            most = places if places and self._each_began else 2 * places + SPARE
        return [self._due.popitem(last=False)[0] for _ in range(min(len(self._due), most))]

    def note(self, *, each_began: bool) -> None:
        """What came of those that were taken last. each_began: a call in each lane."""
        self._each_began = each_began

    def put_back(self, orders: Iterable[str]) -> None:
        """Have these taken first, in this order."""
        self._due = OrderedDict.fromkeys([*orders, *self._due])

    def set_aside(self, order_no: str) -> None:
        """Leave an order out for a while."""
        self._aside[order_no] = time.monotonic() + ASIDE_SECONDS

    def is_aside(self, order_no: str) -> bool:
        """Whether an order is left out for now."""
        return self._aside.get(order_no, float("-inf")) > time.monotonic()

    async def _look(self, connection: Connection, now: datetime | None, shut: Collection[str]) -> None:
        """See which orders are due, once those that were are gone through: from where the last look ended, if it was
        full, else from the one that waits longest. Again, once other operations can be called than at the last look.
        """
        if self._shut != frozenset(shut):
            self._shut, self._behind = frozenset(shut), None
            self._due.clear()
        if self._due:
            return
        found = await store.due_orders(connection, self._supplier, now, shut, MOST_DUE, self._behind)
        self._behind = found[-1] if len(found) == MOST_DUE else None
        self._aside = {name: until for name, until in self._aside.items() if until > time.monotonic()}
        self._due.update((each.order_no, None) for each in found if each.order_no not in self._aside)
