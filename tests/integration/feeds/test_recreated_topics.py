"""Topics that were made anew or lost their ends, and what is then known of places in them."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient
from structlog.testing import capture_logs

from contrib.scratch import delete_topics
from gateway.embedded import Engines
from gateway.feeds.chunk import Mode
from gateway.feeds.contents import Contents
from gateway.feeds.rebuilds import RebuildRunner, Rebuilds
from gateway.feeds.recreated_topics import FOLLOWED, KnownTopics, delete_offsets
from gateway.feeds.source_offsets import starting_offsets
from gateway.kafka import BULK, EXPRESS, ORDER_COMMANDS, PRICES, REPORTS, TOPICS, Bus, Partition, client_options
from gateway.store import Connection, acquired
from schemas.catalog import Facet
from tests.eventually import eventually
from tests.integration.feeds.workshop import SEAL, SUPPLIER, Workshop, price


async def remake(engines: Engines, bus: Bus, *topics: str) -> None:
    """Delete topics and make them again."""
    before = await bus.topic_ids(topics)
    admin = AIOKafkaAdminClient(**client_options(engines.kafka_bootstrap))
    await admin.start()
    try:
        await admin.delete_topics([bus._prefix + topic for topic in topics])
    finally:
        await admin.close()

    async def made() -> bool:
        await bus.ensure_topics([TOPICS[topic] for topic in topics], partitions=3, replication=1)
        now = await bus.topic_ids(topics)
        return now.keys() == before.keys() and not set(now.items()) & set(before.items())

    await eventually(made, within=60)


async def test_a_topic_made_anew_has_another_id_and_one_that_is_missing_has_none(engines: Engines, bus: Bus) -> None:
    before = await bus.topic_ids([PRICES, REPORTS, "no-such-topic"])
    assert before.keys() == {PRICES, REPORTS}
    await remake(engines, bus, REPORTS)
    after = await bus.topic_ids([PRICES, REPORTS])
    assert after[PRICES] == before[PRICES]
    assert after[REPORTS] != before[REPORTS]


async def test_a_missing_topic_of_commands_is_named_until_it_is_there_again(
    engines: Engines, workshop: Workshop
) -> None:
    bus = workshop.bus
    await bus.ensure_topics([TOPICS[ORDER_COMMANDS]], partitions=3, replication=1)
    topics = KnownTopics(bus, workshop.pool)
    await topics.look()
    assert ORDER_COMMANDS not in await topics.check()
    await delete_topics(engines.kafka_bootstrap, bus._prefix + ORDER_COMMANDS)

    async def named() -> bool:
        await topics.look()
        return f"{ORDER_COMMANDS} is missing" in await topics.check()

    async def silent() -> bool:
        await topics.look()
        return ORDER_COMMANDS not in await topics.check()

    with capture_logs() as logs:
        await eventually(named, within=30)
        await topics.look()
    assert [log["topic"] for log in logs if log["event"] == "topic.missing"].count(ORDER_COMMANDS) == 1
    await bus.ensure_topics([TOPICS[ORDER_COMMANDS]], partitions=3, replication=1)
    await eventually(silent, within=30)


async def lost(workshop: Workshop) -> set[str]:
    async with acquired(workshop.pool) as connection:
        return {row[0] for row in await connection.fetch("SELECT topic FROM known_topics WHERE lost_at IS NOT NULL")}


async def test_who_looks_first_learns_the_ids_and_who_looks_late_learns_what_was_made_anew(
    engines: Engines, workshop: Workshop
) -> None:
    first, second = KnownTopics(workshop.bus, workshop.pool), KnownTopics(workshop.bus, workshop.pool)
    await first.look()
    await second.look()
    assert await lost(workshop) == set()
    await workshop.fed(price("A-1", "1.00"))
    async with acquired(workshop.pool) as connection:
        await connection.execute("INSERT INTO source_offsets VALUES ($1, 0, 7)", PRICES)
    await remake(engines, workshop.bus, PRICES)
    await first.look()
    assert await lost(workshop) == {PRICES}
    async with acquired(workshop.pool) as connection:
        assert await connection.fetchval("UPDATE source_offsets SET next = 9 WHERE topic = $1 RETURNING next", PRICES)
    await second.look()
    async with acquired(workshop.pool) as connection:
        assert await connection.fetchval("SELECT next FROM source_offsets WHERE topic = $1", PRICES) == 0
    await KnownTopics(workshop.bus, workshop.pool).look()
    await delete_offsets(workshop.pool)
    state = await workshop.state("A-1")
    assert (state["partition"], state["offset"]) == (None, None)


async def test_a_partition_that_ends_before_its_place_is_read_again_from_its_start(workshop: Workshop) -> None:
    await workshop.fed(price("A-1", "1.00"), price("A-2", "1.00"))
    async with acquired(workshop.pool) as connection:
        await connection.execute("""UPDATE feed_state SET "offset" = 1000 WHERE sku = 'A-2'""")
    every = [Partition(topic, number) for topic in (EXPRESS, PRICES) for number in range(3)]
    await starting_offsets(workshop.pool, workshop.bus, every)
    async with acquired(workshop.pool) as connection:
        await connection.execute("UPDATE source_offsets SET next = 1000 WHERE topic = $1 AND partition = 1", PRICES)
    found = await starting_offsets(workshop.pool, workshop.bus, every)
    assert [found[Partition(PRICES, number)] for number in range(3)] == [0, 0, 0]
    assert await lost(workshop) == {PRICES}
    await delete_offsets(workshop.pool)
    await delete_offsets(workshop.pool)
    assert (await workshop.state("A-1"))["offset"] is not None
    assert (await workshop.state("A-2"))["offset"] is None


def rebuilder_of(workshop: Workshop) -> RebuildRunner:
    async def ask(connection: Connection, supplier: str, facet: Facet, skus: object) -> bool:
        return False

    async def ensure(topic: str) -> None:
        assert topic in FOLLOWED

    contents = Contents(workshop.bus, workshop.pool, workshop.profiles, SEAL)
    return RebuildRunner(workshop.pool, workshop.producer, contents, ask, ensure, owner="tests", lease_term=5.0)


async def rebuilt(workshop: Workshop, supplier: str = "") -> tuple[int, int]:
    """Keys that a rebuild of the prices published, and that are missing."""
    rebuilds = Rebuilds(workshop.pool)
    begun, _ = await rebuilds.start(Facet.PRICE, supplier, rate=1_000.0, actor="ann")
    running = asyncio.create_task(rebuilder_of(workshop).run())
    try:

        async def done() -> bool:
            found = await rebuilds.one(begun.id)
            return found is not None and found.state == "done"

        await eventually(done, within=60)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    found = await rebuilds.one(begun.id)
    assert found is not None
    return found.published, found.missing


async def test_what_no_longer_has_a_content_is_withdrawn_by_a_full_feed_that_does_not_name_it(
    engines: Engines, workshop: Workshop
) -> None:
    await workshop.fed(*(price(f"A-{number}", "1.00", version=5) for number in range(20)))
    await remake(engines, workshop.bus, PRICES, EXPRESS, BULK)
    await KnownTopics(workshop.bus, workshop.pool).look()
    assert await rebuilt(workshop) == (0, 20)
    assert await workshop.prices() == []
    await workshop.fed(*(price(f"A-{number}", "1.00", version=5) for number in range(19)), mode=Mode.FULL)
    await workshop.withdraw()
    assert await workshop.last("A-0") != (0, None)
    assert (await workshop.last("A-19"))[1] is None
    assert await Rebuilds(workshop.pool).missing(Facet.PRICE, "", after=("", "", ""), limit=9) == []


async def test_a_rebuild_of_one_supplier_leaves_the_others_and_the_alarm(engines: Engines, workshop: Workshop) -> None:
    await workshop.fed(price("A-1", "1.00"))
    known = KnownTopics(workshop.bus, workshop.pool)
    await known.look()
    await remake(engines, workshop.bus, PRICES)
    await known.look()
    assert await rebuilt(workshop, "zeta") == (0, 0)
    assert await known.check() == "the price topic lost records: mallgate catalog rebuild price"
    assert await rebuilt(workshop, SUPPLIER) == (1, 0)
    assert await rebuilt(workshop) == (1, 0)
    assert await known.check() == "no topic is missing, and none has lost records"


async def test_who_asks_twice_has_one_rebuild(workshop: Workshop) -> None:
    rebuilds = Rebuilds(workshop.pool)
    both = await asyncio.gather(*(rebuilds.start(Facet.PRICE, "", rate=9.0, actor="ann") for _ in range(2)))
    assert len({found.id for found, _ in both}) == 1
    assert sorted(added for _, added in both) == [False, True]
