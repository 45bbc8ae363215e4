"""What one feed, key or partition suffers reaches no other, and ends no process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.feeds import finish
from gateway.feeds.chunk import Lane
from gateway.feeds.contents import Contents
from gateway.feeds.finish import Finisher
from gateway.feeds.missing_chunks import MissingChunks
from gateway.feeds.passes import GRACE
from gateway.feeds.process import Step
from gateway.feeds.rebuilds import RebuildRunner, Rebuilds
from gateway.feeds.withdraw import Withdrawer
from gateway.feeds.worker import lane_reader
from gateway.kafka import REPORTS
from gateway.sdk.errors import ServiceUnavailableError
from gateway.sdk.problems import PROBLEMS
from gateway.store import transaction
from schemas.catalog import Facet
from schemas.envelope import key_of
from tests.eventually import eventually
from tests.integration.feeds.workshop import SEAL, Workshop, price

BAD = b'{"sku":"B","price":"1e3"}'


async def poison(workshop: Workshop, table: str, condition: str) -> None:
    """Have PostgreSQL refuse rows of a table for a reason of their own. condition: on NEW."""
    await workshop.execute(
        f"CREATE FUNCTION refuse_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$"
    )
    await workshop.execute(
        f"CREATE TRIGGER poison BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_{table}()"
    )


async def cure(workshop: Workshop, table: str) -> None:
    await workshop.execute(f"DROP TRIGGER poison ON {table}")


async def state(workshop: Workshop, feed_no: int) -> str:
    return (await workshop.feed(feed_no)).state


async def taken(workshop: Workshop) -> None:
    """Take what waits on the feeds topics, and finish nothing."""
    for record in await workshop.waiting():
        assert await workshop.processor.process(record) is Step.TAKEN


@asynccontextmanager
async def alive(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """A loop at work for the length of the block, at whose end it must still be."""
    task = asyncio.ensure_future(work())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_feed_with_a_code_of_another_release_is_closed_reported_and_shown(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = await workshop.push(price("A", "10.00"), BAD)
    await taken(workshop)
    warnings = {"warning_of_a_newer_release": 1}
    await workshop.execute("UPDATE feed_chunks SET outcomes = 'nrz', warnings = $1", warnings)
    monkeypatch.delitem(PROBLEMS, "invalid_decimal")  # only the newer release has it
    await workshop.finisher.sweep()
    feed = await workshop.feed(receipt.feed_no)
    assert (feed.state, feed.counts) == ("done", {"normalized": 1, "rejected": 1, "z": 1})
    assert feed.warnings == warnings
    async with transaction(workshop.pool) as connection:
        report = orjson.loads(await connection.fetchval("SELECT value FROM outbox WHERE topic = $1", REPORTS))
    assert [problem["code"] for problem in report["problems"]] == ["invalid_decimal"]
    assert report["counts"] == {"normalized": 1, "rejected": 1}


async def test_a_feed_that_cannot_be_closed_keeps_no_other_open(workshop: Workshop) -> None:
    first, second = [(await workshop.push(price(sku, "10.00"))).feed_no for sku in ("A", "B")]
    await taken(workshop)
    await poison(workshop, "feeds", f"NEW.feed_no = {first}")
    finisher = workshop.finisher
    with capture_logs() as logs:
        for _ in range(3):
            await finisher.sweep()
    assert [await state(workshop, feed_no) for feed_no in (first, second)] == ["produced", "done"]
    assert [log["unit"] for log in logs if log["event"] == "finish.set_aside"] == [f"feed {first}"]
    assert [aside.unit for aside in finisher.supervisor.set_aside()] == [f"feed {first}"]


async def test_a_feed_that_cannot_be_closed_ends_no_loop_and_is_closed_once_it_can_be(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "SWEEP_SECONDS", 0.2)
    first, second = [(await workshop.push(price(sku, "10.00"))).feed_no for sku in ("A", "B")]
    await taken(workshop)
    await poison(workshop, "feeds", f"NEW.feed_no = {first}")
    finisher = workshop.finisher

    async def done(feed_no: int) -> bool:
        return await state(workshop, feed_no) == "done"

    async with alive(finisher.run):
        await finisher.touched(first)
        await finisher.touched(second)
        await eventually(lambda: done(second))
        await cure(workshop, "feeds")
        await eventually(lambda: done(first))


async def test_a_feed_whose_row_is_held_keeps_no_other_open(workshop: Workshop) -> None:
    first, second = [(await workshop.push(price(sku, "10.00"))).feed_no for sku in ("A", "B")]
    third = (await workshop.push(price("C", "10.00"))).feed_no
    await taken(workshop)
    await workshop.execute("UPDATE feeds SET state = 'admitted', touched_at = now() - $1::interval", 2 * GRACE)
    await workshop.execute("UPDATE feeds SET chunks = 2 WHERE feed_no = $1", third)
    async with transaction(workshop.pool) as holding:
        await holding.execute("SELECT FROM feeds WHERE feed_no = $1 FOR UPDATE", first)
        with suppress(ServiceUnavailableError):  # of the one that is held
            await workshop.finisher.sweep()
        assert [await state(workshop, feed_no) for feed_no in (second, third)] == ["done", "incomplete"]
    await workshop.finisher.sweep()
    assert await state(workshop, first) == "done"


async def test_a_feed_that_cannot_withdraw_keeps_no_other_from_it(workshop: Workshop) -> None:
    first, second = [await workshop.fed(price(sku, "10.00")) for sku in ("A", "B")]
    await workshop.execute("UPDATE feeds SET state = 'withdrawing', mode = 'full', withdrawn = 0, counts = NULL")
    await poison(workshop, "feeds", f"NEW.feed_no = {first}")
    withdrawer = Withdrawer(workshop.pool, workshop.producer)

    async def done() -> bool:
        return await state(workshop, second) == "done"

    async with alive(withdrawer.run):
        await eventually(done)
    assert await state(workshop, first) == "withdrawing"
    assert [aside.unit for aside in withdrawer.supervisor.set_aside()] == [f"feed {first}"]


async def test_a_hold_that_cannot_be_ended_keeps_no_other_open(workshop: Workshop) -> None:
    first, second = [await workshop.fed(price(sku, "10.00")) for sku in ("A", "B")]
    hold = {"absent": 1, "active": 2, "limit": 0.2, "sample": [], "at": "2026-01-01T00:00:00+00:00"}
    await workshop.execute("UPDATE feeds SET state = 'held', mode = 'full', hold = $1, counts = NULL", hold)
    await poison(workshop, "feeds", f"NEW.feed_no = {first}")
    await workshop.finisher.sweep()
    assert [await state(workshop, feed_no) for feed_no in (first, second)] == ["held", "done"]


async def test_a_hold_whose_time_cannot_be_read_keeps_no_other_open(workshop: Workshop) -> None:
    first, second = [await workshop.fed(price(sku, "10.00")) for sku in ("A", "B")]
    hold = {"absent": 1, "active": 2, "limit": 0.2, "sample": []}
    await workshop.execute("UPDATE feeds SET state = 'held', mode = 'full', hold = $1, counts = NULL", hold)
    await workshop.execute("UPDATE feeds SET hold = hold || $1 WHERE feed_no = $2", {"at": 1764400000.5}, first)
    await workshop.execute("UPDATE feeds SET cancel_requested_at = now() WHERE feed_no = $1", second)
    await workshop.finisher.sweep()
    assert await state(workshop, second) == "cancelled"


async def test_a_rebuild_of_a_facet_of_another_release_keeps_no_other_from_its_end(workshop: Workshop) -> None:
    await workshop.execute("ALTER TABLE rebuilds DROP CONSTRAINT rebuilds_facet_check")
    rebuilds = Rebuilds(workshop.pool)
    newer, _ = await rebuilds.start(Facet.STOCK, "acme", rate=100.0, actor="ann")
    await workshop.execute("UPDATE rebuilds SET facet = 'video'")
    known, _ = await rebuilds.start(Facet.PRICE, "acme", rate=100.0, actor="ann")
    contents = Contents(workshop.bus, workshop.pool, workshop.profiles, SEAL)
    runner = RebuildRunner(workshop.pool, workshop.producer, contents, nobody, topic_is_there, owner="here")

    async def done() -> bool:
        found = {each.id: (each.facet, each.state) for each in await rebuilds.newest()}
        return found == {newer.id: ("video", "running"), known.id: ("price", "done")}

    async with alive(runner.run):
        await eventually(done)
        assert [aside.unit for aside in runner.supervisor.set_aside()] == [f"job {newer.id}"]


async def nobody(*_: object) -> bool:
    """Whom a rebuild may ask for what is nowhere."""
    return False


async def topic_is_there(_: str) -> None:
    """Nothing has to be made."""


async def test_a_feed_whose_missing_chunk_cannot_be_counted_keeps_no_other_waiting(workshop: Workshop) -> None:
    first, second = [(await workshop.push(price(sku, "10.00"))).feed_no for sku in ("A", "B")]
    for record in await workshop.waiting():  # nothing tells whose they were
        assert await workshop.processor.process(record._replace(value=b"garbage", headers=())) is Step.TAKEN
    await poison(workshop, "feed_chunks", f"NEW.feed_no = {first}")
    missing = MissingChunks(workshop.pool, workshop.bus, workshop._touched)
    await missing.round()
    await missing.round()
    await workshop.finisher.sweep()
    assert [await state(workshop, feed_no) for feed_no in (first, second)] == ["produced", "done"]
    await cure(workshop, "feed_chunks")
    await looked_until_done(workshop, missing, first)


async def looked_until_done(workshop: Workshop, missing: MissingChunks, feed_no: int) -> None:
    async def done() -> bool:
        await missing.round()
        await workshop.finisher.sweep()
        return await state(workshop, feed_no) == "done"

    await eventually(done)


async def test_a_key_that_is_held_keeps_the_keeper_from_its_own_partition_alone(workshop: Workshop) -> None:
    skus = [f"A-{number}" for number in range(9)]
    await workshop.fed(*(price(sku, "10.00") for sku in skus))
    old = {entry.key: entry for entry in await workshop.prices()}
    await workshop.fed(*(price(sku, "11.00") for sku in skus))
    held = old[key_of("acme", skus[0], "*")]
    others = [each for each in old.values() if each.partition != held.partition]
    assert others

    async def mended() -> bool:
        ends = {entry.key: orjson.loads(entry.value or b"{}") for entry in await workshop.prices()}
        return all(ends[each.key]["agreement_price"] == "11.00" for each in others)

    async with transaction(workshop.pool) as holding:
        await holding.execute("SELECT FROM feed_state WHERE sku = $1 FOR UPDATE", skus[0])
        async with workshop.keeping():
            await workshop.append(held)
            await workshop.append(*others)
            await eventually(mended, within=20.0)  # the server ends a transaction that is idle for longer
            assert not await workshop.is_true()
    async with workshop.keeping():
        await eventually(workshop.is_true)


async def test_a_chunk_that_cannot_be_taken_stops_its_partition_alone(workshop: Workshop) -> None:
    first = (await workshop.push(price("A", "10.00"))).feed_no
    await poison(workshop, "feed_chunks", f"NEW.feed_no = {first}")
    worker = lane_reader(Lane.EXPRESS, workshop.bus, workshop.pool, workshop.processor)

    async def published(*skus: str) -> bool:
        return set(skus) <= set(await workshop.on_sale())

    async def aside() -> bool:
        return len(worker.supervisor.set_aside()) == 1

    async with alive(worker.run):
        await eventually(aside)
        names = [f"B-{number}" for number in range(3)]
        for name in names:  # chunks without a key go to each partition in turn
            await workshop.push(price(name, "10.00"))

        async def some() -> bool:
            return bool(set(names) & set(await workshop.on_sale()))

        await eventually(some)
        await cure(workshop, "feed_chunks")
        await eventually(lambda: published("A", *names))


@pytest.mark.parametrize(
    "held", ["SELECT FROM feed_state WHERE sku = 'A' FOR UPDATE", "SELECT FROM feeds WHERE feed_no = 2 FOR UPDATE"]
)
async def test_a_row_that_somebody_holds_keeps_no_other_feed_of_its_partition(workshop: Workshop, held: str) -> None:
    assert await workshop.fed(price("A", "10.00")) == 1
    worker, deferred = lane_reader(Lane.EXPRESS, workshop.bus, workshop.pool, workshop.processor), workshop.deferred
    feeds = [(await workshop.push(price("A", "11.00"))).feed_no]
    names = [f"B-{number}" for number in range(20)]  # chunks without a key go to each partition in turn
    feeds += [(await workshop.push(price(name, "10.00"))).feed_no for name in names]

    async def published() -> bool:
        return set(names) <= set(await workshop.on_sale())

    async def taken_late() -> bool:
        await workshop.finisher.sweep()
        return {await state(workshop, feed_no) for feed_no in feeds} == {"done"}

    async with alive(worker.run):
        async with transaction(workshop.pool) as holding:
            await holding.execute(held)
            async with alive(deferred.run):
                await eventually(published, within=25.0)  # the server ends a transaction that is idle for longer
            assert (await workshop.on_sale())["A"] == "10.00"
        async with alive(deferred.run):
            await eventually(taken_late)
    assert (await workshop.on_sale())["A"] == "11.00"


async def test_what_was_set_aside_is_shown_with_its_feed(workshop: Workshop) -> None:
    feed_no = (await workshop.push(price("A", "10.00"))).feed_no
    await taken(workshop)
    await poison(workshop, "feeds", "true")
    finisher = Finisher(workshop.pool)
    await finisher.sweep()
    (aside,) = finisher.supervisor.set_aside()
    assert str(aside).startswith(f"finish: feed {feed_no}: RaiseError")
    assert aside.seconds < timedelta(minutes=1).total_seconds()
