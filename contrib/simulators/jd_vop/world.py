"""What is so now: the catalog, and over it whatever has changed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from contrib.simulators.jd_vop import pages
from contrib.simulators.jd_vop.areas import Areas
from contrib.simulators.jd_vop.catalog import Catalog, Item
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.pools import Pools
from contrib.simulators.jd_vop.words import POOLS

# The city that the truth speaks of when it is asked for no other: Zhengzhou in Henan.
PROVINCE, CITY = 7, 412


class World:
    """The supplier's goods, pools and areas at this moment."""

    def __init__(self, config: Config) -> None:
        self.catalog = Catalog(config.seed, config.skus)
        self.pools = Pools(self.catalog)
        self.areas = Areas(config.seed)
        self._changed: dict[int, Item] = {}

    def item(self, number: int) -> Item:
        """The goods of this number as they are now."""
        return self._changed.get(number) or self.catalog.item(number)

    def put(self, item: Item) -> None:
        """From now on the goods are so."""
        self._changed[item.number] = item

    def stock(self, item: Item, province: int, city: int) -> int:
        """How many of the goods a city can have."""
        return self.catalog.stock(item.number, province, city) if item.quantity is None else item.quantity

    def find(self, sku: int) -> Item | None:
        """The goods with this id, when they exist and are in some pool."""
        number = self.catalog.number(sku)
        return None if number is None or not self.pools.hold(number) else self.item(number)

    def truth(self, number: int, province: int = PROVINCE, city: int = CITY) -> dict[str, Any]:
        """Everything that can be learnt about the goods, plainly: money in yuan as text, a null price for no quote."""
        item = self.item(number)
        return {
            "sku": str(item.sku),
            "pools": [POOLS[pool].number for pool in self.pools.of(number)],
            "name": item.name,
            "brand": item.brand,
            "model": item.model,
            "category": item.kind.category,
            "unit": item.kind.unit,
            "upc": list(item.upc),
            "weight": str(Decimal(item.weight) / 1000),
            "origin": item.origin,
            "images": [pages.path(item, picture) for picture in range(item.pictures + 1)],
            "price": yuan(item.price) if item.no_quote is None else None,
            "jd_price": yuan(item.jd_price),
            "naked_price": yuan(item.naked) if item.no_quote is None else None,
            "tax": item.tax,
            "on_shelf": item.on_shelf,
            "quantity": self.stock(item, province, city),
            "restricted_province": item.restricted or None,
            "revision": item.revision,
        }

    def truths(self, province: int = PROVINCE, city: int = CITY) -> Iterator[dict[str, Any]]:
        """The truth about all goods that exist, also about those in no pool."""
        return (self.truth(number, province, city) for number in range(self.catalog.size))


def yuan(cents: int) -> str:
    """Cents as yuan with two decimals."""
    return f"{cents // 100}.{cents % 100:02d}"
