"""The second half of the demo: one supplier whose catalog is fetched and kept fresh, beside one that never answers."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import orjson

from gateway.demo.simulators import Simulated
from gateway.kafka import PRICES, Bus, Record
from gateway.outbound import AdminClient, SimulatorClient
from schemas.envelope import parts_of

JD = "demo-jd"
SLOW = "demo-slow"

ShowStep = Callable[[str, str], None]
"""Is told of each step as it begins, in Chinese and English."""

FACETS = ("product", "price", "stock", "listing")

LIST = "list"
"""What every sweep begins with; its calls are of no one facet."""

PURPOSES: Mapping[str, str] = {
    "product/getPageNum": LIST,
    "product/getSkuByPage": LIST,
    "product/getDetail": "product",
    "product/skuImage": "product",
    "price/getSellPrice": "price",
    "stock/getNewStockById": "stock",
    "product/checkAreaLimit": "stock",
    "product/skuState": "listing",
    "product/check": "listing",
}
"""What the supplier's operations are called for."""

UNANSWERED = ("product/*", "price/*", "stock/*", "message/*", "area/*", "order/*")
"""Operations that hang at the one supplier: all but the tokens."""

CONTAINED_SECONDS = 30.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A price that changed at the supplier. before, after: yuan; milliseconds: until it could be read on the topic."""

    sku: str
    before: str
    after: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class PullAccount:
    """What became of both.

    control: control routes of the simulator that answers; feeds: everything that was fetched, as /admin/v1 has it,
    oldest first; calls: what the sweeps took, by facet and LIST; supplier_states: /admin/v1/pulls, by supplier.
    """

    control: str
    feeds: list[dict[str, Any]]
    calls: Mapping[str, int]
    change: PriceChange
    supplier_states: Mapping[str, dict[str, Any]]

    @property
    def sweeps(self) -> dict[str, dict[str, Any]]:
        """By facet the feed that is the whole of it."""
        found = {feed["facet"]: feed for feed in self.feeds if (feed["supplier"], feed["origin"]) == (JD, "sweep")}
        return {facet: found[facet] for facet in FACETS}


def pull_summary(pulled: PullAccount) -> dict[str, Any]:
    """The same for machines."""
    slow = pulled.supplier_states[SLOW]
    sweeps = {
        facet: {
            "feed": feed["feed"],
            "records": feed["records"],
            **feed["counts"],
            "calls": pulled.calls[facet],
            "seconds": seconds_of(feed),
        }
        for facet, feed in pulled.sweeps.items()
    }
    return {
        "pulled": {JD: {**sweeps, LIST: {"calls": pulled.calls[LIST]}}},
        "price_change": {**asdict(pulled.change), "seen_on_topic": True},
        "hanging": {
            "supplier": SLOW,
            "facets": {facet: state_of(each) for facet, each in slow["facets"].items()},
            "breakers": slow["breakers"],
        },
    }


def state_of(facet: Mapping[str, Any]) -> str:
    """How the sweep of a facet of /admin/v1/pulls stands, in a word."""
    progress = facet.get("progress")
    if progress is not None:
        return "reading" if progress["listed"] else "listing"
    return facet.get("outcome") or "waiting"


def seconds_of(feed: Mapping[str, Any]) -> float:
    """How long a finished feed took, from its first question to its last outcome."""
    began, ended = (datetime.fromisoformat(feed[name]) for name in ("received_at", "finished_at"))
    return (ended - began).total_seconds()


def declaration(jd: Simulated, slow: Simulated) -> dict[str, Any]:
    """The rows of both."""
    return {
        "suppliers": {
            JD: _row("京东（演示，模拟）", jd, {"rate_per_second": 1000, "concurrency": 16}),
            SLOW: _row("不应答的供应商（演示，模拟）", slow, {"timeout_seconds": 2}),
        }
    }


def _row(name: str, site: Simulated, calls: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "adapter": "jd_vop",
        "facets": list(FACETS),
        "options": {"areas": ["7_412_3545"], "invoice_org": "544"},
        "pulls": dict.fromkeys(FACETS, "24h"),
        "messages": "1s",
        "http": {"base_url": site.url, "allow_private": True, **calls},
        "secrets": dict(site.secrets),
    }


async def declare(admin: AdminClient, jd: Simulated, slow: Simulated) -> None:
    """Declare both, the one hanging from its first call on."""
    async with SimulatorClient(slow.url) as hanging:
        for operations in UNANSWERED:
            await hanging.hang(operations)
    await admin.post("suppliers", "apply", body=declaration(jd, slow))


async def pull(admin: AdminClient, bus: Bus, jd: Simulated, *, show: ShowStep) -> PullAccount:
    """Let the one be swept and the other run into its breaker, and change a price meanwhile."""
    show(f"{JD} 全量，{SLOW} 不应答", "one is swept, one never answers")
    async with SimulatorClient(jd.url) as control:
        await until(lambda: _swept(admin))
        calls = Counter[str]()
        for operation, count in (await control.calls()).items():
            calls[PURPOSES.get(operation, "")] += count
        with suppress(TimeoutError):
            async with asyncio.timeout(CONTAINED_SECONDS):
                await until(lambda: _contained(admin))
        show(f"{JD} 价格变动", "a price changes there")
        change = await _change(bus, control)
        await until(lambda: _settled(admin))
    del calls[""]
    return PullAccount(f"{jd.url}/_control", await _feeds(admin), calls, change, await _supplier_state(admin))


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once it holds."""
    while not await holds():  # noqa: ASYNC110 -- what is waited for happens in other processes' tables
        await asyncio.sleep(LOOK_SECONDS)


async def _supplier_state(admin: AdminClient) -> dict[str, dict[str, Any]]:
    return {each["supplier"]: each for each in (await admin.get("pulls"))["suppliers"]}


async def _feeds(admin: AdminClient) -> list[dict[str, Any]]:
    """Everything that was fetched from both, oldest first."""
    pages = [(await admin.get("feeds", supplier=name, limit=200))["feeds"] for name in (JD, SLOW)]
    return sorted((feed for page in pages for feed in page), key=lambda feed: int(feed["feed"]))


async def _swept(admin: AdminClient) -> bool:
    """Every facet was read as a whole, and each of its items has its outcome."""
    facets = (await _supplier_state(admin)).get(JD, {}).get("facets", {})
    ended = all(facets.get(facet, {}).get("outcome") for facet in FACETS)
    return ended and await _settled(admin)


async def _settled(admin: AdminClient) -> bool:
    """Nothing waits to be reread, and nothing that was read is under way."""
    facets = (await _supplier_state(admin))[JD]["facets"].values()
    if any(facet.get("waiting") for facet in facets):
        return False
    found = (await admin.get("feeds", supplier=JD, limit=200))["feeds"]
    return all(feed["finished_at"] for feed in found)


async def _contained(admin: AdminClient) -> bool:
    """The one that hangs is not called for now."""
    return bool((await _supplier_state(admin)).get(SLOW, {}).get("breakers"))


async def _change(bus: Bus, control: SimulatorClient) -> PriceChange:
    """Change a price at the supplier and watch the topic for it."""
    partition, sku, before = await _priced(bus)
    after = str((Decimal(before) * Decimal("0.9")).quantize(Decimal("0.01")))
    place = (await bus.end_offsets(PRICES))[partition]
    began = time.monotonic()
    await control.change_price(sku, after)
    while True:
        end = (await bus.end_offsets(PRICES))[partition]
        if end > place and (sku, after) in [_price(record) for record in await _read(bus, partition, place, end)]:
            return PriceChange(sku, before, after, int((time.monotonic() - began) * 1000))
        place = end
        await asyncio.sleep(0.02)


async def _priced(bus: Bus) -> tuple[int, str, str]:
    """Partition, sku and price of something that the supplier sells, from the topic as it stands."""
    for partition, end in (await bus.end_offsets(PRICES)).items():
        for record in reversed(await _read(bus, partition, 0, end)):
            found = _price(record)
            if found is not None and Decimal(found[1]) >= 1:
                return partition, *found
    raise LookupError(f"{JD} has no price on {PRICES}")


async def _read(bus: Bus, partition: int, start: int, end: int) -> list[Record]:
    async with aclosing(bus.scan(PRICES, partition, start, end)) as batches:
        return [record async for records in batches for record in records]


def _price(record: Record) -> tuple[str, str] | None:
    """The sku and its price in yuan, where a record is one of the supplier's and tells any."""
    key = parts_of(record.key or b"")
    if key.supplier != JD or record.value is None:
        return None
    price: str | None = orjson.loads(record.value)["agreement_price"]
    return None if price is None else (key.sku, price)
