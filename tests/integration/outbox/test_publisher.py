"""The outbox on real Kafka and PostgreSQL: what was committed arrives, in order per key, whatever fails meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from structlog.testing import capture_logs

from gateway.deadletters import DeadLetter, record
from gateway.embedded import Engines
from gateway.kafka import DEADLETTERS, ORDER_EVENTS, REPORTS, Bus, Record
from gateway.outbox import OutboxMessage, Publisher, enqueue, publisher
from gateway.sdk.errors import Issue
from gateway.store import Pool, Row, transaction
from gateway.telemetry import metrics
from tests.eventually import eventually

MIB = 1024 * 1024


def message(
    value: bytes | None = b"{}", *, topic: str = REPORTS, key: bytes | None = b"acme", id_: str = "1"
) -> OutboxMessage:
    return OutboxMessage(topic, key, value, (("ce_id", id_.encode()), ("gw-supplier", b"acme")))


async def decided(pool: Pool, messages: Sequence[OutboxMessage]) -> None:
    async with transaction(pool) as connection:
        await enqueue(connection, messages)


@asynccontextmanager
async def publishing(pool: Pool, bus: Bus, owner: str = "here", *, term: float = 1.0) -> AsyncIterator[None]:
    """A process that publishes for the length of the block, and then dies without a word."""
    async with bus.producer(owner) as producer:
        task = asyncio.create_task(Publisher(pool, producer, owner=owner, lease_term=term).run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def remaining(pool: Pool) -> int:
    async with transaction(pool) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM outbox WHERE refused IS NULL"))


async def drained(pool: Pool) -> None:
    async def empty() -> bool:
        return await remaining(pool) == 0

    await eventually(empty)


async def records(bus: Bus, topic: str = REPORTS) -> list[Record]:
    found: list[Record] = []
    for partition in await bus.end_offsets(topic):
        async for some in bus.scan(topic, partition):
            found += some
    return found


async def test_what_was_decided_arrives_and_leaves_the_outbox(pool: Pool, bus: Bus) -> None:
    await decided(pool, [message("价格".encode(), id_="äö")])
    async with publishing(pool, bus):
        await drained(pool)
    (arrived,) = await records(bus)
    assert (arrived.key, arrived.value) == (b"acme", "价格".encode())
    assert dict(arrived.headers) == {"ce_id": "äö".encode(), "gw-supplier": b"acme"}


async def test_what_was_rolled_back_never_arrives(pool: Pool, bus: Bus) -> None:
    async def undone() -> None:
        async with transaction(pool) as connection:
            await enqueue(connection, [message(b"undone")])
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        await undone()
    await decided(pool, [message(b"done")])
    async with publishing(pool, bus):
        await drained(pool)
    assert [one.value for one in await records(bus)] == [b"done"]


async def test_messages_without_key_or_value_arrive_too(pool: Pool, bus: Bus) -> None:
    await decided(pool, [message(None), message(b"no key", key=None), message(b"", key=b"")])
    async with publishing(pool, bus):
        await drained(pool)
    arrived = {(one.key, one.value) for one in await records(bus)}
    assert arrived == {(b"acme", None), (None, b"no key"), (b"", b"")}


async def test_each_key_arrives_oldest_first(pool: Pool, bus: Bus) -> None:
    keys = [b"a", b"b", b"c", b"d", b"e"]
    async with publishing(pool, bus):
        for number in range(0, 300, 20):
            chunk = range(number, number + 20)
            await decided(pool, [message(b"%d" % one, key=keys[one % 5]) for one in chunk])
        await drained(pool)
    arrived = await records(bus)
    assert len(arrived) == 300
    for key in keys:
        numbers = [int(one.value or b"") for one in arrived if one.key == key]
        assert numbers == sorted(numbers)


async def test_a_decision_that_commits_late_is_not_passed_over(pool: Pool, bus: Bus) -> None:
    """Its id is lower than one that was published before it could be seen."""
    async with publishing(pool, bus):
        async with transaction(pool) as late:
            await enqueue(late, [message(b"late", key=b"one")])
            await decided(pool, [message(b"early", key=b"other")])
            await drained(pool)
        await drained(pool)
    assert {one.value for one in await records(bus)} == {b"early", b"late"}


async def test_more_than_a_batch_of_large_messages_arrives(pool: Pool, bus: Bus) -> None:
    for number in range(12):
        await decided(pool, [message(bytes([number]) * MIB, topic=DEADLETTERS, key=None)])
    async with publishing(pool, bus):
        await drained(pool)
    assert sorted(one.value[0] for one in await records(bus, DEADLETTERS) if one.value) == list(range(12))


def too_large(key: bytes = b"acme", seed: int = 1) -> OutboxMessage:
    return message(random.Random(seed).randbytes(3 * MIB), key=key, id_="large")


async def stopped_behind(pool: Pool, key: bytes) -> int:
    async with transaction(pool) as connection:
        return int(
            await connection.fetchval("SELECT count(*) FROM outbox WHERE refused IS NULL AND key = $1", key) or 0
        )


async def refused(pool: Pool) -> list[Row]:
    async with transaction(pool) as connection:
        return await connection.fetch(
            "SELECT id, octet_length(value) AS size, refused FROM outbox WHERE refused IS NOT NULL ORDER BY id"
        )


async def refusals(pool: Pool, count: int) -> None:
    async def noted() -> bool:
        return len(await refused(pool)) == count

    await eventually(noted)


async def values_of(bus: Bus, topic: str = REPORTS) -> list[bytes | None]:
    return [one.value for one in await records(bus, topic)]


async def arrived(bus: Bus, *values: bytes, topic: str = REPORTS) -> None:
    async def there() -> bool:
        return set(values) <= set(await values_of(bus, topic))

    await eventually(there)


async def test_a_message_that_kafka_refuses_stops_its_key_and_no_other(pool: Pool, bus: Bus) -> None:
    order = message(b"an order", topic=ORDER_EVENTS, key=b"acme")
    others = [message(b"other", key=b"bolt"), message(b"no key", key=None), order]
    with capture_logs() as logs:
        async with publishing(pool, bus):
            await decided(pool, [message(b"before"), too_large(), message(b"after"), *others])
            await arrived(bus, b"before", b"other", b"no key")
            await arrived(bus, b"an order", topic=ORDER_EVENTS)
            await decided(pool, [message(b"later"), message(b"bolt's", key=b"bolt")])
            await arrived(bus, b"bolt's")
    assert await stopped_behind(pool, b"acme") == 2
    assert {b"after", b"later"}.isdisjoint(await values_of(bus))
    (kept,) = await refused(pool)
    assert kept["size"] == 3 * MIB
    assert "MessageSizeTooLarge" in kept["refused"]
    said = [log for log in logs if log["event"] == "outbox.refused"]
    assert [(log["id"], log["topic"]) for log in said] == [(kept["id"], REPORTS)]


async def test_a_key_goes_on_in_order_once_its_refused_message_is_gone(pool: Pool, bus: Bus) -> None:
    async with publishing(pool, bus):
        await decided(pool, [too_large(), message(b"1"), message(b"2"), message(b"other", key=b"bolt")])
        await arrived(bus, b"other")
        await refusals(pool, 1)
        async with transaction(pool) as connection:
            await connection.execute("DELETE FROM outbox WHERE refused IS NOT NULL")
        await drained(pool)
    assert [value for value in await values_of(bus) if value in (b"1", b"2")] == [b"1", b"2"]


async def test_a_refusal_that_is_taken_back_is_tried_again_before_what_waits_behind_it(pool: Pool, bus: Bus) -> None:
    async with publishing(pool, bus):
        await decided(pool, [too_large(), message(b"behind"), message(b"other", key=b"bolt")])
        await arrived(bus, b"other")
        await refusals(pool, 1)
        async with transaction(pool) as connection:  # as if the topic's limit had been raised
            await connection.execute("UPDATE outbox SET refused = NULL, value = 'mended' WHERE refused IS NOT NULL")
        await drained(pool)
    assert [value for value in await values_of(bus) if value in (b"mended", b"behind")] == [b"mended", b"behind"]


async def test_several_refused_among_many_cost_the_others_nothing(pool: Pool, bus: Bus) -> None:
    many = [message(b"%d" % number, key=b"k%d" % number) for number in range(60)]
    for place in (10, 30, 31):
        many[place] = too_large(b"k%d" % place, seed=place)
    await decided(pool, many)
    async with publishing(pool, bus):
        await drained(pool)
    assert len(await refused(pool)) == 3
    assert len(set(await values_of(bus))) == 57


async def test_a_row_that_is_no_message_stops_its_key_and_no_other(pool: Pool, bus: Bus) -> None:
    async with transaction(pool) as connection:
        for key, headers in ((b"acme", '{"ce_id": 5}'), (b"bolt", '["no", "names"]'), (b"cord", '{"ce_id": 1e400}')):
            await connection.execute(
                "INSERT INTO outbox (topic, key, value, headers) VALUES ($1, $2, 'x', $3::text::jsonb)",
                REPORTS,
                key,
                headers,
            )
    await decided(pool, [message(b"after"), message(b"other", key=b"core")])
    async with publishing(pool, bus):
        await arrived(bus, b"other")
        await refusals(pool, 3)
    assert [row["refused"].partition(":")[0] for row in await refused(pool)] == ["headers are no texts"] * 3
    assert await values_of(bus) == [b"other"]


async def test_a_topic_that_is_not_there_waits_alone(pool: Pool, bus: Bus) -> None:
    """Of a newer release, or deleted by mistake: its messages wait, all others leave."""
    with capture_logs() as logs:
        async with publishing(pool, bus):
            await decided(pool, [message(b"nowhere", topic="mall.of-another-release.v1"), message(b"report")])
            await arrived(bus, b"report")

            async def said() -> bool:
                return any(log["event"] == "outbox.waiting" and "another-release" in log["unit"] for log in logs)

            await eventually(said, within=60.0)
            await decided(pool, [message(b"an order", topic=ORDER_EVENTS), message(b"next")])
            await arrived(bus, b"next")
            await arrived(bus, b"an order", topic=ORDER_EVENTS)
    assert await remaining(pool) == 1


async def test_what_is_decided_is_published_without_waiting_for_the_next_look(
    pool: Pool, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "POLL_SECONDS", 3600.0)
    async with publishing(pool, bus):
        for number in range(5):
            await decided(pool, [message(b"%d" % number)])
            await drained(pool)
    assert await values_of(bus) == [b"0", b"1", b"2", b"3", b"4"]


async def test_what_no_notice_told_of_is_found_all_the_same(pool: Pool, bus: Bus) -> None:
    async with publishing(pool, bus):
        await decided(pool, [message(b"first")])
        await drained(pool)
        async with transaction(pool) as connection:
            await connection.execute("ALTER TABLE outbox DISABLE TRIGGER outbox_written")
        await decided(pool, [message(b"silent")])
        await drained(pool)
    assert await values_of(bus) == [b"first", b"silent"]


async def test_the_age_of_what_waits_is_told_by_topic(pool: Pool, bus: Bus) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO leases (name, owner, epoch, until) VALUES ('outbox', 'stuck', 1, 'infinity')"
        )
    await decided(pool, [message(), message(b"an order", topic=ORDER_EVENTS)])
    async with transaction(pool) as connection:
        await connection.execute("UPDATE outbox SET created_at = now() - interval '1 hour' WHERE topic = $1", REPORTS)

    async def told() -> bool:
        ages = [
            metrics.REGISTRY.get_sample_value("mallgate_outbox_oldest_seconds", {"topic": topic}) or 0.0
            for topic in (REPORTS, ORDER_EVENTS)
        ]
        return ages[0] >= 3600 > ages[1]

    async with publishing(pool, bus):
        await eventually(told)


async def test_what_nobody_publishes_is_counted_all_the_same(pool: Pool, bus: Bus) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            "INSERT INTO leases (name, owner, epoch, until) VALUES ('outbox', 'stuck', 1, 'infinity')"
        )
    await decided(pool, [message(), message()])

    async def counted() -> bool:
        return metrics.REGISTRY.get_sample_value("mallgate_outbox_pending") == 2

    async with publishing(pool, bus):
        await eventually(counted)


async def test_two_processes_publish_everything_once(pool: Pool, bus: Bus) -> None:
    async with publishing(pool, bus, "first"), publishing(pool, bus, "second"):
        for number in range(40):
            await decided(pool, [message(b"%d" % number, key=b"%d" % (number % 7))])
        await drained(pool)
    assert sorted(int(one.value or b"") for one in await records(bus)) == list(range(40))


async def test_a_process_that_dies_before_the_delete_makes_a_repeat_not_a_loss(pool: Pool, bus: Bus) -> None:
    await decided(pool, [message(b"once or twice", id_="the-same")])
    async with transaction(pool) as holding:
        await holding.execute("SELECT FROM outbox FOR UPDATE")  # the delete waits for this

        async def sent() -> bool:
            return len(await records(bus)) == 1

        async with publishing(pool, bus, "dying"):
            await eventually(sent)
    async with publishing(pool, bus, "next"):
        await drained(pool)
    first, second = await records(bus)
    assert first[4:] == second[4:]  # key, value and headers, the identity among them


async def test_a_process_that_lost_the_lease_deletes_nothing(pool: Pool, bus: Bus) -> None:
    """What it sent before it was frozen may be sent again by the next owner; it must not vanish from under that."""
    async with publishing(pool, bus, "frozen", term=60.0):  # which does not ask for its lease meanwhile
        await decided(pool, [message(b"before")])
        await drained(pool)
        async with transaction(pool) as connection:
            await connection.execute("UPDATE leases SET epoch = epoch + 1, until = 'infinity' WHERE name = 'outbox'")
        with capture_logs() as logs:
            await decided(pool, [message(b"after")])

            async def noticed() -> bool:
                return any(log["event"] == "lease.lost" for log in logs) or await remaining(pool) == 0

            await eventually(noticed)
        assert await remaining(pool) == 1
    assert {one.value for one in await records(bus)} == {b"before", b"after"}


async def test_a_dead_letter_arrives_with_its_original_bytes(pool: Pool, bus: Bus) -> None:
    poison = DeadLetter(
        stage="feeds.read",
        issues=(Issue("poison_pill"),),
        original=b"\x00\xff" * 1000,
        topic="gateway.feeds.bulk.v1",
        partition=1,
        offset=5,
        key=b"\x00key",
    )
    async with transaction(pool) as connection:
        await record(connection, [poison])
    async with publishing(pool, bus):
        await drained(pool)
    (arrived,) = await records(bus, DEADLETTERS)
    headers = dict(arrived.headers)
    assert (arrived.key, arrived.value) == (poison.key, poison.original)
    assert headers["gw-dlq-id"] == str(poison.id).encode()
    assert (headers["gw-dlq-topic"], headers["gw-dlq-offset"]) == (b"gateway.feeds.bulk.v1", b"5")


@pytest.mark.crash
async def test_kafka_frozen_past_the_deadline_only_delays(pool: Pool, bus: Bus, engines: Engines) -> None:
    async with publishing(pool, bus):
        await decided(pool, [message(b"before")])
        await drained(pool)
        with capture_logs() as logs:
            await engines.kafka.freeze()
            try:
                await decided(pool, [message(b"meanwhile")])

                async def noticed() -> bool:
                    return any(log["event"] == "outbox.waiting" for log in logs)

                await eventually(noticed)
            finally:
                await engines.kafka.thaw()
        await drained(pool)
    assert {one.value for one in await records(bus)} == {b"before", b"meanwhile"}


@pytest.mark.crash
async def test_postgresql_restarted_only_delays(pool: Pool, bus: Bus, engines: Engines) -> None:
    async with publishing(pool, bus):
        await decided(pool, [message(b"before")])
        await drained(pool)
        await engines.postgres.stop()
        await engines.postgres.start()
        await decided(pool, [message(b"after")])
        await drained(pool)
    assert {one.value for one in await records(bus)} == {b"before", b"after"}
