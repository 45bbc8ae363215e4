"""Which goods are in which pool now: what the catalog began with, and what has been added and removed since."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice

from contrib.simulators.jd_vop.catalog import Catalog
from contrib.simulators.jd_vop.words import POOLS

NUMBERS: dict[str, int] = {pool.number: position for position, pool in enumerate(POOLS)}


class Pools:
    """The members of every pool. A pool is its position in POOLS."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._removed: list[set[int]] = [set() for _ in POOLS]
        self._added: list[dict[int, None]] = [{} for _ in POOLS]
        self._listed: dict[int, Sequence[int]] = {}
        self._moved: set[int] = set()
        self._turned: list[int] = [0 for _ in POOLS]

    def hold(self, number: int) -> bool:
        """Whether the goods are in any pool; asked for every sku of every call, hence the short way."""
        return number not in self._moved or bool(self.of(number))

    def of(self, number: int) -> list[int]:
        """The pools that the goods are in."""
        began = [pool for pool in self._catalog.pools(number) if number not in self._removed[pool]]
        return began + [pool for pool, added in enumerate(self._added) if number in added]

    def size(self, pool: int) -> int:
        """How many goods are in the pool."""
        own, shared = self._catalog.members(pool)
        return len(own) + len(shared) - len(self._removed[pool]) + len(self._added[pool])

    def slice(self, pool: int, start: int, length: int) -> list[int]:
        """So many goods of the pool from a place on, in an order that changes only where the pool does."""
        if pool not in self._listed:
            self._listed[pool] = self._members(pool)
        return list(islice(self._listed[pool], start, start + length))

    def put(self, number: int, pool: int) -> None:
        """Add the goods to the pool, if they are not in it."""
        self._listed.pop(pool, None)
        self._moved.add(number)
        if number in self._removed[pool]:
            self._removed[pool].remove(number)
        elif pool not in self._catalog.pools(number):
            self._added[pool][number] = None

    def drop(self, number: int, pool: int) -> None:
        """Remove the goods from the pool, if they are in it."""
        self._listed.pop(pool, None)
        self._moved.add(number)
        if number in self._added[pool]:
            del self._added[pool][number]
        elif pool in self._catalog.pools(number):
            self._removed[pool].add(number)

    def turn(self, pool: int, by: int) -> None:
        """Put the first so many goods of the pool's list to its end; the pool holds what it held."""
        self._listed.pop(pool, None)
        self._turned[pool] += by

    def _members(self, pool: int) -> Sequence[int]:
        removed = self._removed[pool]
        everything = chain(*self._catalog.members(pool), self._added[pool])
        members = [number for number in everything if number not in removed]
        first = self._turned[pool] % len(members) if members else 0
        return members[first:] + members[:first]
