"""Changes in the supplier's world, each with the message that the supplier's pool then holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from contrib.simulators.jd_vop.areas import Area
from contrib.simulators.jd_vop.catalog import Item
from contrib.simulators.jd_vop.envelopes import ident, money
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.pools import NUMBERS
from contrib.simulators.jd_vop.words import POOLS
from contrib.simulators.jd_vop.world import World

# How often a change that happens by itself is of a kind.
USUAL: Mapping[str, int] = {"price": 50, "shelf": 20, "detail": 20, "pool": 5, "stock": 4, "tax": 1}
Outcome = tuple[int, dict[str, Any]] | None


class Changes:
    """Makes changes. Every kind takes the goods and a value, None for any, and returns the message due, if one is."""

    def __init__(self, world: World, messages: MessagePool, chance: Random) -> None:
        self._world = world
        self._messages = messages
        self._chance = chance
        self.kinds: Mapping[str, Callable[[Item, Any], Outcome]] = {
            "price": self._price,
            "shelf": self._shelf,
            "pool": self._pool,
            "detail": self._detail,
            "tax": self._tax,
            "stock": self._stock,
        }

    def change(self, sku: int | None, kind: str, value: Any = None, *, silent: bool = False) -> dict[str, Any]:
        """Make one change, to goods of any pool when no sku is named. silent: no message tells of it.

        Raises ValueError for what is not there or makes no sense.
        """
        if kind == "message":
            return self._announce((int(value["type"]), value["result"]), {"kind": kind}, silent=silent)
        if kind == "area":
            return self._announce(self._area(value or {}), {"kind": kind}, silent=silent)
        if kind not in self.kinds:
            raise ValueError(f"kind is {kind!r}; one of {', '.join([*self.kinds, 'area', 'message'])} is meant")
        number = self._any() if sku is None else self._world.catalog.number(sku)
        if number is None:
            raise ValueError(f"there are no goods {sku}")
        outcome = self.kinds[kind](self._world.item(number), value)
        return self._announce(outcome, {"kind": kind, "sku": str(self._world.catalog.sku(number))}, silent=silent)

    def several(self, count: int, kinds: list[str] | None, *, silent: bool = False) -> list[dict[str, Any]]:
        """Make so many changes of these kinds, the usual ones when none are named."""
        chosen = kinds or self._chance.choices([*USUAL], [*USUAL.values()], k=count)
        return [self.change(None, chosen[place % len(chosen)], silent=silent) for place in range(count)]

    def _announce(self, outcome: Outcome, result: dict[str, Any], *, silent: bool) -> dict[str, Any]:
        message = None if outcome is None or silent else self._messages.put(*outcome).id
        return result | {"message": message}

    def _any(self) -> int | None:
        return self._chance.randrange(self._world.catalog.size) if self._world.catalog.size else None

    def _price(self, item: Item, value: Any) -> Outcome:
        """value: yuan as text, or "none" to take the quote back. Half of the messages leave the price out."""
        if value == "none":
            changed = replace(item, no_quote=self._chance.randrange(4))
        else:
            cents = (
                _cents(value) if value is not None else max(1, item.price * self._chance.randint(90, 110) // 100 + 1)
            )
            changed = replace(item, price=cents, jd_price=max(cents * 105 // 100, 1), no_quote=None)
        self._world.put(changed)
        result: Any = money(changed.price) if item.style % 2 and changed.no_quote is None else ""
        return 2, {"price": result, "skuId": ident(item.sku, item.style), "jdPrice": money(changed.jd_price)}

    def _shelf(self, item: Item, value: Any) -> Outcome:
        """value: true for on, false for off; the other of the two when none is given."""
        on = not item.on_shelf if value is None else bool(value)
        self._world.put(replace(item, on_shelf=on))
        return 4, {"state": int(on), "skuId": ident(item.sku, item.style)}

    def _pool(self, item: Item, value: Any) -> Outcome:
        """value: {"pool": page_num, "in": true or false}; unless given, out of a pool, or into one when in none."""
        value = value or {}
        pools = self._world.pools.of(item.number)
        pool = NUMBERS.get(str(value.get("pool", POOLS[pools[0] if pools else item.number % len(POOLS)].number)))
        if pool is None:
            raise ValueError(f"there is no pool {value['pool']}")
        add = bool(value.get("in", pool not in pools))
        (self._world.pools.put if add else self._world.pools.drop)(item.number, pool)
        result = {"skuId": ident(item.sku, item.style), "page_num": int(POOLS[pool].number), "state": 1 if add else 2}
        return 6, result

    def _detail(self, item: Item, _: Any) -> Outcome:
        """The name, the pictures and the introduction are of another edition."""
        self._world.put(replace(item, revision=item.revision + 1))
        return 16, {"skuId": ident(item.sku, item.style)}

    def _tax(self, item: Item, value: Any) -> Outcome:
        """value: percent; unless given, the other one of 9 and 13."""
        tax = int(value) if value is not None else (9 if item.tax == 13 else 13)
        self._world.put(replace(item, tax=tax))
        return 100, {"skuId": ident(item.sku, item.style), "outputVAT": tax}

    def _stock(self, item: Item, value: Any) -> Outcome:
        """value: how many there are, in every city. The supplier has no message for it."""
        self._world.put(replace(item, quantity=self._chance.randint(0, 300) if value is None else int(value)))
        return None

    def _area(self, value: Mapping[str, Any]) -> Outcome:
        """value: {"operate": 1 add, 2 rename, 3 remove, "id", "parent", "name"}; whatever is missing is chosen."""
        areas, operate = self._world.areas, int(value.get("operate", 2))
        if operate == 1:
            parent = (
                areas.get(int(value["parent"])) if "parent" in value else areas.any(3, self._chance.randrange(9999))
            )
            if parent is None:
                raise ValueError(f"there is no area {value['parent']}")
            area = Area(areas.next_id(), value.get("name", "新设街道"), parent.id, parent.level + 1)
            areas.put(area)
        else:
            found = areas.get(int(value["id"])) if "id" in value else areas.any(4, self._chance.randrange(9999))
            if found is None:
                raise ValueError(f"there is no area {value['id']}")
            area = replace(found, name=value.get("name", found.name if operate == 3 else f"{found.name}（新）"))
            (areas.drop if operate == 3 else areas.put)(area)
        # Messages count levels from the country, the calls about areas from the province.
        result = {"areaId": area.id, "areaName": area.name, "parentId": area.parent, "areaLevel": area.level + 1}
        return 50, result | {"operateType": operate}


def _cents(value: Any) -> int:
    yuan, _, cents = str(value).partition(".")
    if not (yuan + cents).isdecimal() or len(cents) > 2:
        raise ValueError(f"a price of {value!r}; yuan with at most two decimals is meant")
    return int(yuan) * 100 + int(cents.ljust(2, "0") or 0)
