"""A catalog topic that is away: its chunks wait, everything else goes on, and nothing of them is lost."""

from __future__ import annotations

import os
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from structlog.testing import capture_logs

from gateway.deadletters import Filter, Selection
from gateway.feeds import deferred as deferring
from gateway.feeds import keys
from gateway.feeds.chunk import Mode
from gateway.feeds.missing_chunks import MissingChunks
from gateway.feeds.passes import GRACE
from gateway.feeds.versions import version_of
from gateway.kafka import (
    CATALOG_TOPIC,
    EXPRESS,
    PRICES,
    STOCKS,
    KafkaRefusedError,
    KafkaUnavailableError,
    Message,
    Position,
    TopicUnavailableError,
)
from gateway.store import acquired, transaction
from schemas.catalog import Facet
from schemas.envelope import ItemKey
from tests.eventually import eventually
from tests.integration.feeds.away import deferred, gone, made_again, none_deferred, record
from tests.integration.feeds.test_walls import alive, state
from tests.integration.feeds.workshop import Workshop, cut, price


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for what may be taken without long rests."""
    monkeypatch.setattr(deferring, "POLL_SECONDS", 0.1)


async def tried_again(workshop: Workshop) -> None:
    """Wait until the next chunk tries the topic of prices."""

    async def due() -> bool:
        return not workshop.bus.blocked(PRICES)

    await eventually(due)


@pytest.mark.parametrize("missing", list(Facet))
async def test_feeds_of_other_facets_go_on_while_a_catalog_topic_is_deleted(workshop: Workshop, missing: Facet) -> None:
    await gone(workshop, CATALOG_TOPIC[missing])
    feeds = {
        facet: [(await workshop.push(record(facet, sku), facet=facet)).feed_no for sku in ("A", "B")] for facet in Facet
    }
    with capture_logs() as logs:
        await workshop.work()
    for facet, numbers in feeds.items():
        assert {await state(workshop, number) for number in numbers} == {"produced" if facet is missing else "done"}
    assert {row["feed_no"] for row in await deferred(workshop)} == set(feeds[missing])
    assert await workshop.waiting() == []
    said = [(log["event"], log["topic"]) for log in logs if log["event"].startswith("topic.")]
    assert said == [("topic.away", CATALOG_TOPIC[missing])]
    assert {log["event"] for log in logs}.isdisjoint({"chunk.failed", "chunk.refused"})
    assert not (await workshop.books()).letters

    await made_again(workshop)
    await none_deferred(workshop, workshop.deferred)
    for number in feeds[missing]:
        feed = await workshop.feed(number)
        assert (feed.state, feed.counts) == ("done", {"normalized": 1})
    assert workshop.bus.away() == {}
    assert not (await workshop.books()).letters


async def test_what_is_deferred_is_told_and_told_no_more_once_it_is_taken(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    await workshop.push(price("A", "10.00"))
    await workshop.work()
    loop = workshop.deferred

    async def told() -> bool:
        return await loop.check() == f"topic {PRICES} is away: it does not exist; chunks waiting: 1"

    async def well() -> bool:
        return await loop.check() == "none away"

    async with alive(loop.run):
        await eventually(told)
        await made_again(workshop)
        await eventually(well)


async def test_a_state_that_is_taken_late_does_not_overwrite_a_newer_one(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    older = (await workshop.push(price("A", "10.00"), price("B", "20.00"))).feed_no
    await workshop.work()
    await made_again(workshop)
    await tried_again(workshop)
    newer = await workshop.fed(price("A", "11.00"))
    assert await state(workshop, newer) == "done"
    await none_deferred(workshop, workshop.deferred)
    assert await workshop.on_sale() == {"A": "11.00", "B": "20.00"}
    assert (await workshop.feed(older)).counts == {"normalized": 1, "stale": 1}
    assert await workshop.is_true()


async def test_a_full_feed_waits_for_older_feeds_that_are_deferred_however_long(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    older = (await workshop.push(price("A", "10.00"))).feed_no
    await workshop.work()
    newer = (await workshop.push(price("B", "20.00"), mode=Mode.FULL)).feed_no
    await workshop.work()
    await workshop.execute("UPDATE feeds SET touched_at = now() - $1::interval", 2 * GRACE)
    await workshop.execute("UPDATE deferred_chunks SET since = now() - $1::interval", 2 * GRACE)
    [second] = [row for row in await deferred(workshop) if row["feed_no"] == newer]

    await made_again(workshop)
    await tried_again(workshop)
    newest = await workshop.bus.read(second["topic"], second["partition"], second["offset"])
    assert newest is not None
    await workshop.processor.process(newest, deferred=True)
    await workshop.execute("UPDATE feeds SET touched_at = now() - $1::interval", 2 * GRACE)
    await workshop.execute("UPDATE feed_chunks SET decided_at = now() - $1::interval", 2 * GRACE)
    assert (await workshop.feed(newer)).waits_for == older
    await workshop.brake(1.0)
    assert not await workshop.finisher.finish(newer)

    await none_deferred(workshop, workshop.deferred)
    await workshop.finisher.finish(newer)
    await workshop.withdraw()
    assert await workshop.on_sale() == {"B": "20.00"}
    assert [await state(workshop, feed_no) for feed_no in (older, newer)] == ["done", "done"]


async def test_a_chunk_that_is_deferred_is_not_missing(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    await workshop.work()
    missing = MissingChunks(workshop.pool, workshop.bus, workshop._touched)
    for _ in range(4):
        await missing.round()
    assert (await workshop.books()).chunks == []
    await made_again(workshop)
    await none_deferred(workshop, workshop.deferred)
    assert (await workshop.feed(feed_no)).counts == {"normalized": 1}


async def test_a_feed_is_cancelled_while_its_topic_is_away(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    cancelled, other = [(await workshop.push(price(sku, "10.00"))).feed_no for sku in ("A", "B")]
    await workshop.work()
    await workshop.reports.cancel(cancelled, "acme")

    async def ended() -> bool:
        await workshop.finisher.sweep()
        return await state(workshop, cancelled) == "cancelled"

    async with alive(workshop.deferred.run):
        await eventually(ended)
    assert (await workshop.feed(cancelled)).counts == {"cancelled": 1}
    assert [row["feed_no"] for row in await deferred(workshop)] == [other]


async def test_a_chunk_that_kafka_deleted_while_it_waited_ends_with_a_reason(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    await workshop.work()
    [row] = await deferred(workshop)
    await cut(workshop, EXPRESS, Position(row["partition"], row["offset"]))
    await made_again(workshop)
    await none_deferred(workshop, workshop.deferred)
    feed = await workshop.feed(feed_no)
    assert (feed.state, feed.counts) == ("done", {"rejected": 1})
    [problem] = [each for rows in [rows async for rows in workshop.reports.rows(feed_no)] for each in rows]
    assert problem["issues"][0]["actual"] == f"the chunk was deleted while it waited for the topic {PRICES}"


async def test_a_place_where_another_record_lies_by_now_is_not_taken_for_the_chunk(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    await workshop.work()
    other = await workshop.chunk(999_999, price("B", "20.00"))  # as of a feeds topic that was made anew
    place = (other.partition, other.offset)
    await workshop.execute('UPDATE deferred_chunks SET partition = $1, "offset" = $2', *place)
    await made_again(workshop)
    await none_deferred(workshop, workshop.deferred)
    assert (await workshop.feed(feed_no)).counts == {"rejected": 1}
    assert await workshop.on_sale() == {}


async def test_several_processes_take_each_chunk_once(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    feeds = [(await workshop.push(price(f"A-{number}", "10.00"))).feed_no for number in range(40)]
    await workshop.work()
    assert len(await deferred(workshop)) == 40
    await made_again(workshop)
    await none_deferred(workshop, workshop.deferred, workshop.deferred)
    assert {(await workshop.feed(feed_no)).state for feed_no in feeds} == {"done"}
    assert len(await workshop.prices()) == 40


async def test_a_topic_that_may_not_be_written_costs_no_record(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(producer: AIOKafkaProducer, batch: Any, topic: str, *, partition: int) -> Any:
        if topic == workshop.prefix + PRICES:
            raise TopicAuthorizationFailedError(topic)
        return await send_batch(producer, batch, topic, partition=partition)

    send_batch = AIOKafkaProducer.send_batch
    monkeypatch.setattr(AIOKafkaProducer, "send_batch", refused)
    prices = [(await workshop.push(*(price(sku, "10.00") for sku in skus))).feed_no for skus in ("ABCD", "E")]
    stock = (await workshop.push(record(Facet.STOCK, "A"), facet=Facet.STOCK)).feed_no
    await workshop.work()
    assert {row["feed_no"] for row in await deferred(workshop)} == set(prices)
    assert await state(workshop, stock) == "done"
    assert not (await workshop.books()).letters
    assert "TopicAuthorizationFailed" in workshop.bus.away()[PRICES].why
    monkeypatch.setattr(AIOKafkaProducer, "send_batch", send_batch)
    await none_deferred(workshop, workshop.deferred)
    assert [(await workshop.feed(feed_no)).counts["normalized"] for feed_no in prices] == [4, 1]
    assert not (await workshop.books()).letters


async def test_a_feed_says_how_many_of_its_chunks_are_deferred(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    await workshop.work()
    feed = await workshop.feed(feed_no)
    assert (feed.state, feed.chunks_done, feed.chunks_deferred, feed.counts) == ("produced", 0, 1, {})


async def test_letters_of_other_topics_are_replayed_beside_those_that_wait(workshop: Workshop) -> None:
    bad = [orjson.dumps({"sku": f"P-{number}", "price": "1e3"}) for number in range(8)]
    await workshop.fed(*bad)
    await workshop.push(b'{"sku":"S","state":"?"}', facet=Facet.STOCK)
    await workshop.work()
    await workshop.execute(
        "UPDATE dead_letters SET original = CASE facet WHEN 'stock' THEN $1 "
        'ELSE convert_to(format(\'{"sku":"%s","price":"10.00"}\', sku), \'UTF8\') END',
        record(Facet.STOCK, "S"),
    )
    await gone(workshop, PRICES)
    replays = workshop.replays()
    job = await replays.plan(Selection(matching=Filter(supplier="acme")), actor="tests", reason="mended", rate=1000.0)
    await replays.start(job, actor="tests")

    async def mended(count: int) -> bool:
        return (await replays.progress(job)).outcomes == {"normalized": count}

    with capture_logs() as logs:
        async with alive(replays.run):
            await eventually(lambda: mended(1))
            await made_again(workshop)
            await eventually(lambda: mended(9), within=60)
    assert len([log for log in logs if log["event"] == "replay_letter.waiting"]) == 1


async def test_what_a_deferred_chunk_may_have_published_is_coming(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    feed_no = (await workshop.push(price("A", "10.00"), price("B", "10.00"))).feed_no
    await workshop.work()
    of_it, behind = version_of(feed_no, 1), version_of(feed_no, 2)
    async with transaction(workshop.pool) as connection:
        facts = (await keys.facts_of(connection, {ItemKey("acme", "B", "*"): {of_it, behind}})).popitem()[1]
    assert (facts[of_it].deferred, facts[behind].deferred) == (True, False)


async def test_a_replay_waits_for_its_topic_and_its_letter_stays_open(workshop: Workshop) -> None:
    await workshop.fed(b'{"sku":"B","price":"1e3"}')
    await gone(workshop, PRICES)
    await workshop.execute("UPDATE dead_letters SET original = $1", price("B", "10.00"))
    async with acquired(workshop.pool) as connection:
        letter = await connection.fetchval("SELECT id FROM dead_letters")
    replays = workshop.replays()
    with pytest.raises(TopicUnavailableError, match=PRICES):
        await replays.replay(letter, actor="tests", reason="mended")
    assert [each["state"] for each in (await workshop.books()).letters] == ["open"]
    await made_again(workshop)
    await tried_again(workshop)
    assert (await replays.replay(letter, actor="tests", reason="mended")).outcome == "normalized"


async def test_withdrawals_of_a_topic_that_is_away_wait_and_others_go_on(workshop: Workshop) -> None:
    await workshop.brake(1.0)
    for facet in (Facet.PRICE, Facet.STOCK):
        await workshop.push(record(facet, "A"), facet=facet)
        await workshop.work()
    fulls = {
        facet: (await workshop.push(record(facet, "B"), facet=facet, mode=Mode.FULL)).feed_no
        for facet in (Facet.PRICE, Facet.STOCK)
    }
    await workshop.work()
    await gone(workshop, PRICES)
    withdrawer = workshop.withdrawer

    async def done() -> bool:
        return await state(workshop, fulls[Facet.STOCK]) == "done"

    async def both() -> bool:
        return await state(workshop, fulls[Facet.PRICE]) == "done"

    with capture_logs() as logs:
        async with alive(withdrawer.run):
            await eventually(done)
            assert await state(workshop, fulls[Facet.PRICE]) == "withdrawing"
            await made_again(workshop)
            await eventually(both)
    assert len([log for log in logs if log["event"] == "withdrawal.waiting"]) <= 1


async def test_a_send_to_a_deleted_topic_fails_soon_and_the_next_one_at_once(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    with pytest.raises(TopicUnavailableError, match="it does not exist"):
        await workshop.producer.send([Message(PRICES, b"key", b"value")], deadline=9.0)
    assert workshop.producer.blocked(PRICES)
    assert [place.partition >= 0 for place in await workshop.producer.send([Message(STOCKS, b"k", b"v")])] == [True]


async def test_a_record_that_is_too_long_for_a_topic_that_is_back_keeps_no_other_from_it(workshop: Workshop) -> None:
    await gone(workshop, PRICES)
    with pytest.raises(TopicUnavailableError):
        await workshop.producer.send([Message(PRICES, b"key", b"value")])
    await made_again(workshop)
    await tried_again(workshop)
    with pytest.raises(KafkaRefusedError):
        await workshop.producer.send([Message(PRICES, b"key", os.urandom(3 * 1024 * 1024))])
    assert len(await workshop.producer.send([Message(PRICES, b"key", b"value")])) == 1


async def test_a_feeds_topic_that_is_deleted_is_told_from_kafka(workshop: Workshop) -> None:
    await gone(workshop, EXPRESS)
    with pytest.raises(TopicUnavailableError, match=EXPRESS):
        await workshop.push(price("A", "10.00"))
    many = [price(f"A-{number}", "10.00") for number in range(300)]
    bulk = (await workshop.push(*many)).feed_no
    await workshop.work()
    assert (await workshop.feed(bulk)).counts == {"normalized": 300}


async def test_a_topic_that_is_back_is_noticed_though_nobody_sends_to_it(workshop: Workshop) -> None:
    await gone(workshop, STOCKS)
    with pytest.raises(KafkaUnavailableError):
        await workshop.producer.send([Message(STOCKS, b"key", b"value")])
    await made_again(workshop)

    async def noticed() -> bool:
        return workshop.bus.away() == {}

    async with alive(workshop.bus.watch):
        await eventually(noticed)
