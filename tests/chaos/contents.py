"""Records whose content tells a number, in every facet: what lies on a topic is traced to its request."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

from tests.history.events import Sent

FACETS = ("product", "price", "stock", "listing")

AREAS = frozenset({"price", "stock"})
"""Facets whose keys have an area."""

TOPICS: Mapping[str, str] = {
    "mall.catalog.products.v1": "product",
    "mall.catalog.prices.v1": "price",
    "mall.catalog.stocks.v1": "stock",
    "mall.catalog.listings.v1": "listing",
}

UNREADABLE = (b'{"sku": ', b"{oops", b'["sku"]', b'{"price":"1.00"}')
"""Lines that nobody can tell the sku of."""


def _facts(facet: str, value: int) -> dict[str, object]:
    match facet:
        case "price":
            return {"price": f"{100 + value % 7}.00", "market_price": f"{value // 100}.{value % 100:02}"}
        case "stock":
            return {"state": "in_stock", "quantity": value}
        case "listing":
            return {"shelf": "off" if value % 5 == 0 else "on", "reason": f"r{value}"}
        case _:
            return {"name": f"Printer {value}", "model": f"m{value}"}


def good(facet: str, sku: str, area: str, value: int, *, ranked: bool) -> Sent:
    """A record that tells the value. area: as the key has it."""
    line = {"sku": sku, **({"area": area} if area not in ("", "*") else {}), **_facts(facet, value)}
    if ranked:
        line["version"] = value
    return Sent(sku, area, value, ranked, doubtful=False, line=orjson.dumps(line).decode())


def bad(facet: str, sku: str, area: str, value: int) -> Sent:
    """A record that has to be rejected and whose sku can be read."""
    line = {"sku": sku, **({"area": area} if area not in ("", "*") else {}), **_facts(facet, value), "unheard_of": 1}
    return Sent(sku, area, None, ranked=False, doubtful=False, line=orjson.dumps(line).decode())


def unreadable(number: int) -> Sent:
    """A record whose sku nobody can read."""
    line = UNREADABLE[number % len(UNREADABLE)].decode()
    return Sent(None, "", None, ranked=False, doubtful=False, line=line)


def doubtful(sku: str) -> Sent:
    """A record whose sku is no sku as it stands: whether it names the key is open."""
    line = orjson.dumps({"sku": f"{sku} ", "unheard_of": 1}).decode()
    return Sent(sku, "", None, ranked=False, doubtful=True, line=line)


def value_of(facet: str, content: bytes | None) -> int | None:
    """The number that a record of a topic tells; -1: none of ours, or not with the facts that belong to it."""
    if content is None:
        return None
    told: dict[str, Any] = orjson.loads(content)
    try:
        value = _number(facet, told)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError):
        return -1
    facts = _facts(facet, value)
    named = {"price": "agreement_price", "market_price": "market_price"}
    return value if all(str(told.get(named.get(name, name))) == str(fact) for name, fact in facts.items()) else -1


def _number(facet: str, told: Mapping[str, Any]) -> int:
    match facet:
        case "price":
            return int(Decimal(told["market_price"]) * 100)
        case "stock":
            return int(told["quantity"])
        case "listing":
            return int(told["reason"].removeprefix("r"))
        case _:
            return int(told["model"].removeprefix("m"))
