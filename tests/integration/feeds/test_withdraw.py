"""Full feeds: what they do not name is withdrawn, exactly that, and only when they surely name everything else."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gateway.feeds import withdraw
from gateway.feeds.chunk import Mode
from gateway.feeds.closing import CANCELLED
from gateway.feeds.finish import Finisher
from gateway.feeds.passes import GRACE, INCOMPLETE, UNREADABLE
from gateway.feeds.versions import WITHDRAWAL, version_of
from gateway.kafka import CATALOG_TOPIC, REPORTS
from gateway.store import transaction
from schemas.catalog import Facet
from schemas.envelope import decode
from tests.eventually import eventually
from tests.history import last_is_newest, repeats_are_the_same
from tests.integration.feeds.workshop import NOON, SUPPLIER, Workshop, price, submission
from tests.reader import read_topics

NO_SKU = b'{"price":"10.00"}'
BAD = b'{"sku":"A-1","price":"1e3"}'


def skus(*numbers: int, amount: str = "10.00") -> list[bytes]:
    return [price(f"A-{number}", amount) for number in numbers]


async def full(workshop: Workshop, *lines: bytes) -> int:
    """Push a full feed, see its records done and withdraw what it leaves; its number."""
    feed_no = await workshop.fed(*lines, mode=Mode.FULL)
    await workshop.withdraw()
    return feed_no


async def test_a_full_feed_withdraws_exactly_what_it_does_not_name(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    feed_no = await full(workshop, *skus(*range(9)))
    assert set(await workshop.on_sale()) == {f"A-{number}" for number in range(9)}
    [gone] = [entry for entry in await workshop.prices() if entry.value is None]
    assert (gone.key, gone.version) == (b"acme:A-9:*", version_of(feed_no, WITHDRAWAL))
    envelope = decode(gone.headers.items())
    assert (envelope.feed_no, envelope.supplier, envelope.time) == (feed_no, SUPPLIER, NOON)
    state = await workshop.state("A-9")
    assert (state["version"], state["withdrawn"]) == (gone.version, True)
    assert (state["partition"], state["offset"]) == (gone.partition, gone.offset)
    feed = await workshop.feed(feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw, feed.hold) == ("done", 1, None, None)


async def test_its_report_says_how_much_was_withdrawn_once_that_is_done(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    feed_no = await workshop.fed(*skus(*range(8)), mode=Mode.FULL)
    assert (await workshop.feed(feed_no)).state == "withdrawing"
    assert [report["feed"] for report in await reports(workshop)] == [str(feed_no - 1)]
    await workshop.withdraw()
    told = (await reports(workshop))[-1]
    assert (told["feed"], told["state"], told["withdrawn"], told["counts"]["unchanged"]) == (str(feed_no), "done", 2, 8)


async def reports(workshop: Workshop) -> list[dict[str, Any]]:
    async with transaction(workshop.pool) as connection:
        rows = await connection.fetch("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", REPORTS)
    return [orjson.loads(row["value"]) for row in rows]


async def test_every_area_of_an_absent_sku_is_withdrawn_and_only_areas_that_are_absent(workshop: Workshop) -> None:
    await workshop.brake(1.0)
    areas = [price("A", "1.00", area=area) for area in ("110000", "120000", "130000")]
    await workshop.fed(*areas, price("B", "1.00", area="110000"), price("B", "1.00"))
    await full(workshop, *areas[:2])
    assert {entry.key for entry in await workshop.prices() if entry.value is None} == {
        b"acme:A:130000",
        b"acme:B:110000",
        b"acme:B:*",
    }


async def test_other_facets_and_suppliers_are_left_alone(workshop: Workshop) -> None:
    await workshop.brake(1.0)
    number = await workshop.admission.next_feed_no()
    await workshop.admission.admit(submission(number, [b'{"sku":"A-1","shelf":"on"}'], facet=Facet.LISTING))
    await workshop.fed(*skus(0, 1))
    await workshop.execute(
        "INSERT INTO feed_state (facet, supplier, sku, area, version, hash, seen) SELECT '$', 'b', 'A-1', '*', 1, '', 1"
    )
    await full(workshop, *skus(0))
    topics = await read_topics(workshop.engines.kafka_bootstrap, workshop.prefix)
    gone = {entry.key for topic in CATALOG_TOPIC.values() for entry in topics[topic] if entry.value is None}
    assert gone == {b"acme:A-1:*"}


async def test_many_keys_are_withdrawn_in_batches(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdraw, "BATCH", 7)
    await workshop.brake(1.0)
    await workshop.fed(*skus(*range(50)))
    feed_no = await full(workshop, *skus(*range(0, 50, 5)))
    assert set(await workshop.on_sale()) == {f"A-{number}" for number in range(0, 50, 5)}
    assert (await workshop.feed(feed_no)).withdrawn == 40
    assert last_is_newest(await workshop.prices(), await workshop.books()) == []


async def test_several_processes_withdraw_together_and_nothing_twice(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdraw, "BATCH", 3)
    await workshop.brake(1.0)
    await workshop.fed(*skus(*range(40)))
    feed_no = await workshop.fed(*skus(0), mode=Mode.FULL)
    async with asyncio.TaskGroup() as group:
        working = [group.create_task(workshop.withdrawer.run()) for _ in range(3)]

        async def done() -> bool:
            return (await workshop.feed(feed_no)).state == "done"

        await eventually(done)
        for task in working:
            task.cancel()
    assert (await workshop.feed(feed_no)).withdrawn == 39
    assert len([entry for entry in await workshop.prices() if entry.value is None]) == 39


async def test_a_running_finisher_wakes_the_one_who_withdraws(workshop: Workshop) -> None:
    woken = asyncio.Event()
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(9)), mode=Mode.FULL)
    for record in await workshop.waiting():
        await workshop.processor.process(record)
    assert await Finisher(workshop.pool, woken.set).finish(receipt.feed_no)
    assert woken.is_set()


async def test_a_withdrawn_key_comes_back_with_the_next_feed_that_names_it(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    await full(workshop, *skus(*range(9)))
    feed_no = await workshop.fed(price("A-9", "10.00"))
    assert (await workshop.books()).outcomes(feed_no) == {"normalized": 1}
    assert (await workshop.on_sale())["A-9"] == "10.00"
    assert (await workshop.state("A-9"))["withdrawn"] is False


async def test_a_source_version_from_before_the_withdrawal_does_not_bind_what_comes_after(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(9)), price("A-9", "10.00", version=7))
    await full(workshop, *skus(*range(9)))
    await workshop.fed(price("A-9", "12.00", version=1))
    assert (await workshop.on_sale())["A-9"] == "12.00"


async def test_an_older_feed_that_arrives_late_does_not_bring_back_what_was_withdrawn(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    late = await workshop.admission.next_feed_no()
    await full(workshop, *skus(*range(9)))
    await workshop.admission.admit(submission(late, [price("A-9", "11.00")]))
    await workshop.work()
    assert (await workshop.books()).outcomes(late) == {"stale": 1}
    assert "A-9" not in await workshop.on_sale()
    assert (await workshop.state("A-9"))["withdrawn"] is True


async def test_a_full_feed_keeps_what_a_newer_feed_has_named_before_it_was_done(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(7)), mode=Mode.FULL)
    waiting = await workshop.waiting()
    await workshop.push(*skus(7), price("A-8", "oops"), price("new", "1.00"))
    for record in await workshop.waiting():
        if record not in waiting:
            await workshop.processor.process(record)
    await workshop.work()
    await workshop.withdraw()
    assert (await workshop.feed(receipt.feed_no)).withdrawn == 1
    assert set(await workshop.on_sale()) == {*(f"A-{number}" for number in range(9)), "new"}


async def test_of_two_full_feeds_the_older_that_is_done_last_withdraws_nothing_of_the_newer(workshop: Workshop) -> None:
    await workshop.brake(1.0)
    await workshop.fed(*skus(*range(4)))
    older = await workshop.admission.next_feed_no()
    newer = await full(workshop, *skus(0, 1), price("new", "1.00"))
    assert (await workshop.feed(newer)).withdrawn == 2
    await workshop.admission.admit(submission(older, skus(2, 3), mode=Mode.FULL))
    await workshop.work()
    await workshop.withdraw()
    assert (await workshop.feed(older)).withdrawn == 0
    assert set(await workshop.on_sale()) == {"A-0", "A-1", "new"}


async def test_a_rejected_record_keeps_its_sku_on_sale(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    feed_no = await full(workshop, *skus(0, *range(2, 9)), BAD)
    assert (await workshop.feed(feed_no)).withdrawn == 1
    assert set(await workshop.on_sale()) == {f"A-{number}" for number in range(9)}


async def test_one_record_whose_sku_cannot_be_read_ends_withdrawal(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    feed_no = await full(workshop, *skus(*range(9)), NO_SKU)
    feed = await workshop.feed(feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, UNREADABLE)
    assert len(await workshop.on_sale()) == 10


async def test_a_feed_with_a_flaw_withdraws_nothing(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(9)), mode=Mode.FULL)
    await workshop.execute("UPDATE feeds SET flaw = 'a page was cut short' WHERE feed_no = $1", receipt.feed_no)
    await workshop.work()
    await workshop.withdraw()
    feed = await workshop.feed(receipt.feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, "a page was cut short")


async def test_a_cancelled_full_feed_withdraws_nothing(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(9)), mode=Mode.FULL)
    await workshop.reports.cancel(receipt.feed_no, SUPPLIER)
    await workshop.work()
    await workshop.withdraw()
    feed = await workshop.feed(receipt.feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("cancelled", 0, CANCELLED)
    assert len(await workshop.on_sale()) == 10


async def test_cancelled_while_it_withdraws_it_stops(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdraw, "BATCH", 3)
    await workshop.brake(1.0)
    await workshop.fed(*skus(*range(10)))
    feed_no = await workshop.fed(*skus(0), mode=Mode.FULL)
    withdrawer = workshop.withdrawer
    assert await withdrawer.round()
    assert await workshop.reports.cancel(feed_no, SUPPLIER) == "withdrawing"
    assert await withdrawer.round()
    assert not await withdrawer.round()
    feed = await workshop.feed(feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("cancelled", 3, CANCELLED)
    assert len(await workshop.on_sale()) == 7


async def test_a_full_feed_whose_request_saw_no_202_waits_for_its_repeat(workshop: Workshop) -> None:
    """All its chunks took effect, but nobody was told: the vendor will say it again."""
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(9)), key="k", mode=Mode.FULL)
    await workshop.execute(
        "UPDATE feeds SET state = 'incomplete', produced_at = NULL WHERE feed_no = $1", receipt.feed_no
    )
    await workshop.work()
    assert (await workshop.feed(receipt.feed_no)).state == "incomplete"
    again = await workshop.push(*skus(*range(9)), key="k", mode=Mode.FULL)
    assert (again.feed_no, again.duplicate) == (receipt.feed_no, False)
    await workshop.work()
    await workshop.withdraw()
    assert (await workshop.feed(receipt.feed_no)).withdrawn == 1


async def test_a_full_feed_that_nobody_completes_is_done_and_withdraws_nothing(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(9)), mode=Mode.FULL)
    await workshop.execute(
        "UPDATE feeds SET state = 'admitted', touched_at = now() - 2 * $1::interval WHERE feed_no = $2",
        GRACE,
        receipt.feed_no,
    )
    await workshop.work()
    await workshop.withdraw()
    feed = await workshop.feed(receipt.feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, INCOMPLETE)
    assert len(await workshop.on_sale()) == 10


async def test_a_first_full_feed_has_nothing_to_withdraw(workshop: Workshop) -> None:
    feed_no = await workshop.fed(*skus(0, 1), mode=Mode.FULL)
    feed = await workshop.feed(feed_no)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, None)


async def test_upserts_and_validations_withdraw_nothing_and_say_nothing_of_it(workshop: Workshop) -> None:
    await workshop.brake(1.0)
    await workshop.fed(*skus(*range(4)))
    for mode in (Mode.UPSERT, Mode.VALIDATE):
        feed = await workshop.feed(await workshop.fed(*skus(0), mode=mode))
        assert (feed.state, feed.withdrawn, feed.flaw) == ("done", None, None)
    assert not await workshop.withdrawer.round()
    assert {report["withdrawn"] for report in await reports(workshop)} == {None}
    assert len(await workshop.on_sale()) == 4


async def test_the_keeper_leaves_withdrawals_alone_and_answers_what_comes_behind_them(workshop: Workshop) -> None:
    async with workshop.keeping():
        await workshop.fed(*skus(*range(10)))
        [old] = [entry for entry in await workshop.prices() if entry.key == b"acme:A-9:*"]
        await full(workshop, *skus(*range(9)))
        await eventually(workshop.is_true, within=30)
        assert len(await workshop.prices()) == 11
        await workshop.append(old)
        await eventually(workshop.is_true, within=30)
    assert (await workshop.last("A-9"))[1] is None
    assert "A-9" not in await workshop.on_sale()
    assert repeats_are_the_same(await workshop.prices()) == []
