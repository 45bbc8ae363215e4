"""Topics deleted and made anew: told apart from another cluster, and brought back by a rebuild."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from gateway.embedded import Engines
from gateway.kafka import BULK, CATALOG_TOPIC, EXPRESS, PRICES, TOPICS, client_options, open_bus
from gateway.store import connect
from tests.crash.pulled import judged
from tests.crash.site import Site, until_ready
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.program import Program, fault
from tests.pulling import FACETS, Operator
from tests.reader import Entry
from tests.vendor import Keys, Vendor, declared, prices

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]

ALL = 600


async def delete(site: Site, *topics: str) -> None:
    """Delete topics, and wait until Kafka says that they are gone."""
    admin = AIOKafkaAdminClient(**client_options(site.engines.kafka_bootstrap))
    await admin.start()
    names = {site.prefix + topic for topic in topics}
    try:
        await admin.delete_topics(list(names))

        async def gone() -> bool:
            return not names & set(await admin.list_topics())

        await eventually(gone, within=30)
    finally:
        await admin.close()


async def make(site: Site, *topics: str) -> None:
    """Make topics as the gateway would."""
    async with open_bus(site.engines.kafka_bootstrap, topic_prefix=site.prefix) as bus:
        await bus.ensure_topics([TOPICS[topic] for topic in topics], partitions=3, replication=1)


async def ended(program: Program) -> None:
    program.signal(signal.SIGTERM)
    assert await program.ended() == 0


async def until_done(program: Program, rebuild: int) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def done() -> bool:
        found.update(await Operator(program.admin_url).ask("GET", f"catalog/rebuilds/{rebuild}"))
        return bool(found["state"] == "done")

    await eventually(done, within=90)
    return found


async def rebuilt(program: Program, facet: str = "price", **body: object) -> dict[str, Any]:
    """A rebuild that was asked for and has ended."""
    begun = await Operator(program.admin_url).ask("POST", f"catalog/{facet}/rebuild", body)
    return await until_done(program, begun["id"])


async def topics_check(program: Program) -> str:
    """What /readyz says of topics that lost records; the process is ready all the same."""
    async with aiohttp.ClientSession() as session, session.get(f"{program.ops_url}/readyz") as response:
        answer = await response.json()
    assert answer["checks"]["catalog"]["ok"]
    return str(answer["checks"]["catalog"]["detail"])


def last_of(entries: list[Entry]) -> dict[bytes, Entry]:
    """The record each key ends on."""
    return {entry.key or b"": entry for entry in entries}


def assert_brought_back(before: dict[bytes, Entry], after: dict[bytes, Entry]) -> None:
    """The same keys, of which whoever has the old record takes the new one."""
    assert after.keys() == before.keys()
    assert all(after[key].version > entry.version for key, entry in before.items())
    assert {key for key, entry in after.items() if entry.value is None} == {
        key for key, entry in before.items() if entry.value is None
    }


async def fed(site: Site) -> tuple[Keys, dict[bytes, Entry]]:
    """A supplier with prices, some of them withdrawn, whose program has ended; and what the topic said."""
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        vendor = Vendor(program.url, keys)
        await vendor.push(prices(ALL + 10, price="10.00"), key="1", wait=30)
        await vendor.push(prices(ALL, price="10.00"), key="2", wait=30, mode="full")
        await site.settled(vendor)
        await ended(program)
    return keys, last_of(await site.prices())


async def test_a_topic_made_anew_while_the_program_is_stopped_comes_back_by_a_rebuild(site: Site) -> None:
    keys, before = await fed(site)
    await delete(site, PRICES)
    async with site.running() as program:
        await program.started()
        await until_ready(program)
        [event] = program.events("topic.made_anew")
        assert event["topic"] == PRICES
        assert "mallgate catalog rebuild price" in await topics_check(program)
        found = await rebuilt(program)
        assert {name: found[name] for name in ("published", "from_archive", "withdrawn", "asked", "missing")} == {
            "published": ALL + 10,
            "from_archive": ALL,
            "withdrawn": 10,
            "asked": 0,
            "missing": 0,
        }
        assert await topics_check(program) == "no topic is missing, and none has lost records"
        assert_brought_back(before, last_of(await site.prices()))
        vendor = Vendor(program.url, keys)
        again = await vendor.push(prices(ALL, price="10.00"), key="3", wait=30)
        newer = await vendor.push(prices(5, price="11.00"), key="4", wait=30)
        await site.settled(vendor)
        assert (await site.books()).outcomes(again.feed_no) == {"unchanged": ALL}
        assert (await site.books()).outcomes(newer.feed_no) == {"normalized": 5}
        await ended(program)
    before = last_of(await site.prices())
    await delete(site, PRICES)
    async with site.running() as program:
        await program.started()
        assert (await rebuilt(program))["from_archive"] == ALL
        assert_brought_back(before, last_of(await site.prices()))


async def test_a_topic_made_anew_under_a_running_program_stops_nobody(site: Site) -> None:
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        vendor = Vendor(program.url, keys)
        await vendor.push(prices(ALL, price="10.00"), key="1", wait=30)
        await site.settled(vendor)
        before = last_of(await site.prices())
        await delete(site, PRICES, EXPRESS, BULK)
        await make(site, PRICES, EXPRESS, BULK)

        async def noticed() -> bool:
            return {event["topic"] for event in program.events("topic.made_anew")} == {PRICES, EXPRESS, BULK}

        await eventually(noticed, within=60)
        await until_ready(program)
        newer = await vendor.push_until_taken(prices(5, price="11.00"), key="2")
        await vendor.all_finished()
        assert (await site.books()).outcomes(newer.feed_no) == {"normalized": 5}
        found = await rebuilt(program)
        assert (found["published"], found["missing"]) == (5, ALL - 5)
        full = await vendor.push_until_taken(prices(ALL, price="10.00"), key="3")
        await site.settled(vendor)
        assert (await site.books()).outcomes(full.feed_no) == {"normalized": ALL}
        assert_brought_back(before, last_of(await site.prices()))
        await ended(program)


async def test_a_rebuild_makes_a_topic_that_is_missing(site: Site) -> None:
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, await declared(program.admin_url, "acme"))
        await vendor.push(prices(ALL, price="10.00"), key="1", wait=30)
        await site.settled(vendor)
        before = last_of(await site.prices())
        await delete(site, PRICES)
        assert (await rebuilt(program))["from_archive"] == ALL
        assert await topics_check(program) == "no topic is missing, and none has lost records"
        assert_brought_back(before, last_of(await site.prices()))
        await ended(program)


async def test_what_is_nowhere_is_listed_until_it_is_pushed_again(site: Site) -> None:
    keys, before = await fed(site)
    await delete(site, *TOPICS)
    async with site.running() as program:
        await program.started()
        operator = Operator(program.admin_url)
        found = await rebuilt(program)
        assert (found["published"], found["withdrawn"], found["missing"]) == (10, 10, ALL)
        listed = await operator.ask("GET", "catalog/price/missing?supplier=acme&limit=200")
        assert [each["sku"] for each in listed["missing"]] == [f"A-{number:06d}" for number in range(200)]
        assert not any(each["asked"] for each in listed["missing"])
        vendor = Vendor(program.url, keys)
        again = await vendor.push(prices(ALL, price="10.00"), key="3", wait=30)
        await site.settled(vendor)
        assert (await site.books()).outcomes(again.feed_no) == {"normalized": ALL}
        assert_brought_back(before, last_of(await site.prices()))
        assert (await operator.ask("GET", "catalog/price/missing"))["missing"] == []
        await ended(program)


async def test_a_rebuild_whose_program_is_killed_goes_on_and_is_joined_by_who_asks_again(
    site: Site, tmp_path: Path
) -> None:
    _, before = await fed(site)
    await delete(site, PRICES)
    async with site.running(environment=fault("rebuild.sent", "kill", tmp_path / "mark", nth=2)) as program:
        await program.started()
        begun = await Operator(program.admin_url).ask("POST", "catalog/price/rebuild", {"rate": 200})
        assert await program.ended() == -signal.SIGKILL
    async with site.running() as program:
        await program.started()
        operator = Operator(program.admin_url)
        joined = await asyncio.gather(*(operator.ask("POST", "catalog/price/rebuild", {"rate": 100}) for _ in range(2)))
        assert [each["id"] for each in joined] == [begun["id"]] * 2
        found = await until_done(program, begun["id"])
        assert (found["published"], found["missing"]) == (ALL + 10, 0)
        assert_brought_back(before, last_of(await site.prices()))
        await ended(program)


async def test_a_supplier_that_is_pulled_is_asked_for_what_is_nowhere(frail_ground: Ground, site: Site) -> None:
    async with frail_ground.simulator() as simulator:
        async with frail_ground.swept(simulator):
            pass
        await delete(site, EXPRESS, BULK, *CATALOG_TOPIC.values())
        async with frail_ground.program() as program:
            for facet in FACETS:
                found = await rebuilt(program, facet)
                assert found["asked"] > 0
                assert (found["published"], found["missing"]) == (0, 0)

            async def whole() -> bool:
                return await frail_ground.wrong(simulator) == []

            await eventually(whole, within=90)
            assert await judged(frail_ground, simulator) == []


async def test_chunks_that_a_topic_lost_end_their_feed_with_a_reason(site: Site) -> None:
    async with site.running(environment={"MALLGATE_ROLES": "intake,console"}) as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        lost = await Vendor(program.url, keys).push(prices(5, price="10.00"), key="1", wait=0)
        await ended(program)
    await delete(site, EXPRESS, BULK)
    async with site.running() as program:
        await program.started()
        assert {event["topic"] for event in program.events("topic.made_anew")} == {EXPRESS, BULK}
        vendor = Vendor(program.url, keys)
        await vendor.all_finished()
        again = await vendor.push(prices(5, price="10.00"), key="2", wait=30)
        books = await site.books()
        assert books.outcomes(lost.feed_no) == {"rejected": 1}
        assert books.outcomes(again.feed_no) == {"normalized": 5}
        await ended(program)


async def test_another_cluster_is_no_topic_made_anew(site: Site, engines: Engines) -> None:
    await fed(site)
    other = Site(engines, site.database, site.prefix)
    async with other.running() as program:
        assert await program.ended() == 78
        assert not program.events("topic.made_anew")
    async with connect(site.database, name="tests") as connection:
        assert await connection.fetchval("SELECT count(*) FROM known_topics WHERE lost_at IS NOT NULL") == 0
