"""A topic that is deleted under a running program: what does not need it goes on, and nothing of the rest is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest

from contrib.scratch import delete_topics
from gateway.kafka import EXPRESS, PRICES, TOPICS, open_bus
from schemas.catalog import Facet
from tests.crash.site import Site, measured
from tests.eventually import eventually
from tests.program import Program
from tests.vendor import NDJSON, Vendor, declared

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(240)]

PARTITIONS = 3

SAID: Mapping[Facet, Callable[[int], Mapping[str, Any]]] = {
    Facet.PRODUCT: lambda number: {"name": f"chair {number}", "category": ["x"]},
    Facet.PRICE: lambda number: {"price": f"{number}.00"},
    Facet.STOCK: lambda number: {"state": "in_stock", "quantity": number},
    Facet.LISTING: lambda number: {"shelf": "on" if number % 2 else "off"},
}


@dataclass
class Pushed:
    """Feeds that were taken, by facet, and the last number that each said of the one sku."""

    feeds: dict[Facet, list[str]] = field(default_factory=lambda: {facet: [] for facet in Facet})
    last: dict[Facet, int] = field(default_factory=dict)


@asynccontextmanager
async def pushing(vendor: Vendor, facets: Sequence[Facet]) -> AsyncIterator[Pushed]:
    """A vendor who pushes small feeds of these facets one after the other for the length of the block."""
    pushed, stopping = Pushed(), asyncio.Event()

    async def push_on(facet: Facet) -> None:
        number = 0
        while not stopping.is_set():
            number += 1
            line = orjson.dumps({"sku": "A", **SAID[facet](number)})
            headers = {"Content-Type": NDJSON, "Idempotency-Key": f"{facet}-{number}"}
            status, _, body = await vendor.request("POST", f"/v1/feeds/{facet}", headers=headers, data=line + b"\n")
            assert status == 202, body
            pushed.feeds[facet].append(orjson.loads(body)["feed"])
            pushed.last[facet] = number

    async with asyncio.TaskGroup() as group:
        for facet in facets:
            group.create_task(push_on(facet))
        yield pushed
        stopping.set()


async def states(vendor: Vendor, feeds: Sequence[str]) -> list[str]:
    answers = [await vendor.request("GET", f"/v1/feeds/{feed}") for feed in feeds]
    return [orjson.loads(body)["state"] for _, _, body in answers]


async def done(vendor: Vendor, feeds: Sequence[str]) -> None:
    async def holds() -> bool:
        return set(await states(vendor, feeds)) == {"done"}

    await eventually(holds, within=90)


async def readyz(program: Program) -> tuple[int, str]:
    """Status of /readyz, and what it says of topics."""
    async with aiohttp.ClientSession() as session, session.get(f"{program.ops_url}/readyz") as response:
        return response.status, (await response.json())["checks"]["topics"]["detail"]


async def deferred(program: Program, *, least: int) -> None:
    async def holds() -> bool:
        return await measured(program, "chunks_deferred") >= least

    await eventually(holds, within=60)


async def none_deferred(program: Program) -> None:
    async def holds() -> bool:
        return await measured(program, "chunks_deferred") == 0

    await eventually(holds, within=60)


async def made_again(site: Site) -> None:
    async with open_bus(site.engines.kafka_bootstrap, topic_prefix=site.prefix) as bus:
        await bus.ensure_topics(list(TOPICS.values()), partitions=PARTITIONS, replication=1)


async def last_price(site: Site) -> str:
    entries = await site.prices()
    newest = max(entries, key=lambda entry: entry.version)
    return str(orjson.loads(newest.value or b"{}")["agreement_price"])


async def fed(vendor: Vendor, facet: Facet, number: int) -> str:
    """A feed of its own; its id."""
    line = orjson.dumps({"sku": "B", **SAID[facet](number)})
    status, _, body = await vendor.request("POST", f"/v1/feeds/{facet}", headers={"Content-Type": NDJSON}, data=line)
    assert status == 202, body
    return str(orjson.loads(body)["feed"])


async def test_a_catalog_topic_deleted_under_load_and_made_again_costs_nothing(site: Site) -> None:
    async with site.running() as program:
        await program.started()
        vendors = [Vendor(program.url, await declared(program.admin_url, name)) for name in ("acme", "bolt")]
        await delete_topics(site.engines.kafka_bootstrap, site.prefix + PRICES)
        async with pushing(vendors[0], list(Facet)) as pushed:
            await deferred(program, least=5)
            for vendor in vendors:
                await done(vendor, [await fed(vendor, facet, 7) for facet in Facet if facet is not Facet.PRICE])
            status, said = await readyz(program)
            assert (status, said.partition(";")[0]) == (200, f"topic {PRICES} is away: it does not exist")
            assert set(await states(vendors[0], pushed.feeds[Facet.PRICE][:5])) == {"produced"}
            await made_again(site)
            await none_deferred(program)
        await done(vendors[0], [feed for feeds in pushed.feeds.values() for feed in feeds])
        assert await last_price(site) == f"{pushed.last[Facet.PRICE]}.00"
        assert [event["topic"] for event in program.events("topic.away")] == [PRICES]
        assert [event["topic"] for event in program.events("topic.back")] == [PRICES]
        assert await readyz(program) == (200, "none away")
        assert program.process.returncode is None
    books = await site.books()
    assert not books.letters
    assert "rejected" not in books.outcomes()


async def test_what_is_deferred_outlives_a_program_that_is_killed(site: Site) -> None:
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        vendor = Vendor(program.url, keys)
        await delete_topics(site.engines.kafka_bootstrap, site.prefix + PRICES)
        async with pushing(vendor, [Facet.PRICE, Facet.STOCK]) as pushed:
            await deferred(program, least=20)
        await program.kill()
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        await done(vendor, pushed.feeds[Facet.PRICE])
        await done(vendor, pushed.feeds[Facet.STOCK])
        await none_deferred(program)
    assert await last_price(site) == f"{pushed.last[Facet.PRICE]}.00"
    books = await site.books()
    assert not books.letters
    assert "rejected" not in books.outcomes()


async def test_a_feeds_topic_that_is_deleted_stops_its_lane_alone(site: Site) -> None:
    many = b"\n".join(orjson.dumps({"sku": f"M-{number}", "price": "1.00"}) for number in range(300))
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, await declared(program.admin_url, "acme"))
        await delete_topics(site.engines.kafka_bootstrap, site.prefix + EXPRESS)
        headers = {"Content-Type": NDJSON, "Idempotency-Key": "small"}

        async def push(lines: bytes, headers: dict[str, str]) -> tuple[int, dict[str, object]]:
            status, _, body = await vendor.request("POST", "/v1/feeds/price", headers=headers, data=lines)
            return status, orjson.loads(body)

        status, answer = await push(b'{"sku":"A","price":"1.00"}', headers)
        assert (status, answer["code"]) == (503, "topic_unavailable")
        status, bulk = await push(many, {"Content-Type": NDJSON})
        assert status == 202
        await done(vendor, [str(bulk["feed"])])
        status, said = await readyz(program)
        assert status == 200
        assert EXPRESS in said

        await made_again(site)

        async def taken() -> bool:
            return (await push(b'{"sku":"A","price":"1.00"}', headers))[0] == 202

        await eventually(taken, within=60)
        _, _, body = await vendor.request("GET", f"/v1/feeds/{answer['feed']}")
        await done(vendor, [orjson.loads(body)["feed"]])
        assert program.process.returncode is None
