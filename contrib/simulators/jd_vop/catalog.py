"""The catalog: goods as pure functions of a seed and a number, so that a million of them cost nothing until asked for.

Money is in cents here; a number counts goods from 0, a sku is what the supplier calls them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from contrib.simulators.jd_vop.draws import draw
from contrib.simulators.jd_vop.words import ORIGINS, POOLS, SERIES, Kind, Pool

# Marketplace goods have ids of eleven digits, beyond what fits 32 bits.
MARKETPLACE = 20_000_000_000
FIRST, STEP = 1_000_000, 11
# One of so many is in the next pool too.
SHARED = 97
NO_QUOTES: tuple[object, ...] = (-1, None, "", ...)  # Ellipsis: the field is absent


@dataclass(frozen=True, slots=True)
class Item:
    """Goods as they are at one time.

    price, jd_price: cents, agreed and public; no_quote: None when quoted, else the position in NO_QUOTES of how that is
    told; quantity: None while the stock differs by city; restricted: a province in which they are not sold, 0 for none;
    revision: how often the master data have changed.
    """

    number: int
    sku: int
    pool: Pool
    kind: Kind
    brand: str
    model: str
    spec: str
    origin: str
    weight: int
    upc: tuple[str, ...]
    pictures: int
    price: int
    jd_price: int
    no_quote: int | None
    tax: int
    on_shelf: bool
    quantity: int | None
    restricted: int
    style: int
    revision: int = 0

    @property
    def name(self) -> str:
        """What the supplier calls the goods."""
        edition = f" 第{self.revision}版" if self.revision else ""
        return f"{self.brand} {self.model} {self.kind.noun} {self.spec}{edition}"

    @property
    def naked(self) -> int:
        """The net price in cents, as the supplier gives it: off by one cent now and then."""
        exact = (self.price * 100 * 2 + 100 + self.tax) // (2 * (100 + self.tax))
        return exact + (1 if self.style % 4 == 0 else 0)


class Catalog:
    """Goods number 0 to size - 1 as they were in the beginning."""

    def __init__(self, seed: int, size: int) -> None:
        self.seed = seed
        self.size = size
        self.item = lru_cache(4096)(self._make)  # a page of goods is asked about in several calls, one after another

    def sku(self, number: int) -> int:
        """The supplier's id of the goods: dense enough to be found again without a table, yet with gaps."""
        gap = ((number + self.seed) * 2_654_435_761 >> 7) % STEP
        return (MARKETPLACE if number % 10 == 7 else 0) + FIRST + number * STEP + gap

    def number(self, sku: int) -> int | None:
        """The number of the goods with this id, None when there are none."""
        number = ((sku - MARKETPLACE if sku >= MARKETPLACE else sku) - FIRST) // STEP
        return number if 0 <= number < self.size and self.sku(number) == sku else None

    def members(self, pool: int) -> tuple[Sequence[int], Sequence[int]]:
        """The goods of a pool in the beginning: its own, and those that it shares with the pool before it."""
        count = len(POOLS)
        before = (pool - 1) % count
        shared = next(number for number in range(5, count * SHARED, SHARED) if number % count == before)
        return range(pool, self.size, count), range(shared, self.size, count * SHARED)

    def pools(self, number: int) -> list[int]:
        """The positions in POOLS that the goods belonged to in the beginning."""
        own = number % len(POOLS)
        return [own, (own + 1) % len(POOLS)] if number % SHARED == 5 else [own]

    def stock(self, number: int, province: int, city: int) -> int:
        """How many there are for a city, in the beginning: none in one of thirty cases."""
        bits = draw(self.seed, number, f"stock {province} {city}")
        return 0 if bits[0] % 30 == 0 else 1 + int.from_bytes(bits[1:3]) % 400

    def _make(self, number: int) -> Item:
        bits = draw(self.seed, number)
        pool, kind = _kind(number, bits[0])
        price = _price(kind, int.from_bytes(bits[8:12]), bits[12])
        return Item(
            number=number,
            sku=self.sku(number),
            pool=pool,
            kind=kind,
            brand=pool.brands[bits[1] % len(pool.brands)],
            model=_model(bits, number),
            spec=kind.specs[bits[2] % len(kind.specs)],
            origin=ORIGINS[bits[3] % len(ORIGINS)],
            weight=20 + int.from_bytes(bits[13:15]) % min(24_000, 60 + price // 5),
            upc=tuple(_barcode(int.from_bytes(bits[at : at + 6])) for at in (16, 22)[: 1 + (bits[4] % 9 == 0)]),
            pictures=bits[5] % 6,
            price=price,
            jd_price=price * (102 + bits[6] % 24) // 100,
            no_quote=bits[7] % len(NO_QUOTES) if int.from_bytes(bits[28:30]) % 200 == 0 else None,
            tax=kind.tax,
            on_shelf=bits[30] % 40 != 0,
            quantity=None,
            restricted=1 + bits[31] % 31 if bits[32] % 60 == 0 else 0,
            style=bits[33],
        )


def _kind(number: int, chance: int) -> tuple[Pool, Kind]:
    pool = POOLS[number % len(POOLS)]
    return pool, pool.kinds[chance % len(pool.kinds)]


def _price(kind: Kind, chance: int, ending: int) -> int:
    """Cents between the cheapest and the dearest, most of them near the cheap end, ending like prices do."""
    share = (chance / 2**32) ** 2
    yuan = kind.cheapest + int((kind.dearest - kind.cheapest) * share)
    return yuan * 100 + (0, 0, 90, 50, 99, ending % 100)[ending % 6]


def _model(bits: bytes, number: int) -> str:
    letters = SERIES[bits[34] % len(SERIES)] + SERIES[bits[35] % len(SERIES)]
    return f"{letters}{'-' if bits[36] % 3 == 0 else ''}{number % 9000 + 1000}{'N' if bits[37] % 4 == 0 else ''}"


def _barcode(chance: int) -> str:
    body = f"69{chance % 10**10:010d}"
    odd, even = sum(map(int, body[::2])), sum(map(int, body[1::2]))
    return body + str(-(odd + 3 * even) % 10)
