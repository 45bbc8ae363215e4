"""What is pushed in the demo, in order, and what all of it came to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from gateway.demo.goods import Article, articles, bad_prices, bad_products, price_lines, product_lines
from gateway.demo.order_account import OrderAccount
from gateway.demo.pull_story import PullAccount
from gateway.outbound import AdminClient, VendorClient
from gateway.suppliers import SCOPES

SUPPLIER = "demo-office"
CHANGED = 500
"""Articles whose price changes in the demo, and comes once more as it was before."""

DECLARATION = {
    "suppliers": {
        SUPPLIER: {
            "name": "中原办公用品（演示）",
            "adapter": "native",
            "facets": ["product", "price", "stock", "listing"],
            "periods": {"price": "24h", "stock": "2h"},
        }
    }
}


@dataclass(frozen=True, slots=True)
class Act:
    """One feed of the demo. words: what it shows, in Chinese and English."""

    facet: str
    words: tuple[str, str]
    lines: list[bytes]

    @property
    def body(self) -> bytes:
        """The feed as NDJSON."""
        return b"".join(line + b"\n" for line in self.lines)


@dataclass(slots=True)
class Account:
    """What the demo came to.

    pushed: statuses as the vendor API answers; pulled, ordered: None where nobody could be simulated; topics: records
    on each, by name.
    """

    token: str = ""
    pushed: list[tuple[Act, dict[str, Any]]] = field(default_factory=list)
    pulled: PullAccount | None = None
    ordered: OrderAccount | None = None
    topics: dict[str, int] = field(default_factory=dict)

    def feeds(self) -> list[dict[str, Any]]:
        """Every feed, pushed or pulled, oldest first."""
        found = [{"supplier": SUPPLIER, **status} for _, status in self.pushed]
        found += [{**feed, "items": feed["counts"]} for feed in self.pulled.feeds] if self.pulled else []
        members = ("feed", "supplier", "origin", "facet", "state", "records", "items")
        return [{name: feed[name] for name in members} for feed in found]

    def items(self) -> dict[str, int]:
        """Records submitted or fetched, and items per outcome, over all feeds."""
        return totals(self.feeds())


def totals(feeds: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Records, and items per outcome, of these feeds. The records of one under way are not counted yet."""
    outcomes = ("normalized", "unchanged", "stale", "rejected", "held", "cancelled")
    records, total = 0, Counter[str]()
    for feed in feeds:
        records += feed["records"] or 0
        total.update(feed["items"])
    return {"submitted": records, **{outcome: total[outcome] for outcome in outcomes}}


def acts(goods: list[Article]) -> Iterable[Act]:
    """The feeds of the demo, in order."""
    changed = goods[:CHANGED]
    prices = list(price_lines(goods, version=1))
    cheaper = list(price_lines(changed, version=3, factor=Decimal("0.95")))
    dearer = list(price_lines(changed, version=2, factor=Decimal("0.99")))
    yield Act("product", ("商品，含错误", "goods, some bad"), [*product_lines(goods), *bad_products()])
    yield Act("price", ("价格，含错误", "prices, some bad"), [*prices, *bad_prices()])
    yield Act("price", ("重复，应被抑制", "the same: suppressed"), prices)
    yield Act("price", ("降价", "new prices, version 3"), cheaper)
    yield Act("price", ("旧版本不得覆盖", "an older one: stale"), dearer)


async def push(admin: AdminClient, url: str, *, count: int, show: Callable[[Act], None]) -> Account:
    """Declare the supplier, hand out its keys, push its feeds one by one. show: of each before it is pushed."""
    account = Account()
    await admin.post("suppliers", "apply", body=DECLARATION)
    keys, scopes = ("suppliers", SUPPLIER, "keys"), sorted(SCOPES)
    secret = (await admin.post(*keys, body={"kind": "webhook", "scopes": scopes}))["secret"]
    account.token = (await admin.post(*keys, body={"kind": "bearer", "scopes": scopes}))["secret"]
    async with VendorClient(url, SUPPLIER, secret=secret, token=account.token) as vendor:
        for act in acts(articles(count)):
            show(act)
            status = await vendor.push(act.facet, act.body)
            account.pushed.append((act, await _finished(vendor, status)))
    return account


async def _finished(vendor: VendorClient, status: dict[str, Any]) -> dict[str, Any]:
    while status["finished_at"] is None:
        await asyncio.sleep(0.2)
        status = await vendor.feed(status["feed"])
    return status
