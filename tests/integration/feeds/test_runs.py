"""Pulled exchanges: a run is a feed, a page orders its items, a refused sku is told of by itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.deadletters import DeadLetters, LetterSummary, Replays
from gateway.deadletters.patch import Patch
from gateway.feeds import produce
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import Lane
from gateway.feeds.passes import GRACE
from gateway.feeds.recover import raise_feed_no
from gateway.feeds.replay import FeedReplays
from gateway.feeds.report import FeedStatus
from gateway.feeds.runs import Run
from gateway.feeds.versions import version_of
from gateway.kafka import BULK, EXPRESS, PRICES, Position
from gateway.sdk.exchange import Exchange
from gateway.store import acquired, transaction
from gateway.suppliers import SupplierCache
from schemas.catalog import Facet
from tests.eventually import eventually
from tests.integration.feeds.workshop import SEAL, Workshop, answered, cut

LONG_AGO = "UPDATE feeds SET touched_at = now() - $2::interval WHERE feed_no = $1"


async def status_of(workshop: Workshop, run: Run) -> FeedStatus:
    found = await workshop.reports.feed(run.feed_no, "acme")
    assert found is not None
    return found


async def rows(workshop: Workshop, run: Run) -> list[dict[str, Any]]:
    return [row async for chunk in workshop.reports.rows(run.feed_no) for row in chunk]


async def letters(workshop: Workshop) -> dict[str | None, LetterSummary]:
    return {letter.sku: letter for letter in (await DeadLetters(workshop.pool).list()).rows}


def replays(workshop: Workshop) -> Replays:
    applier = Applier(dict.fromkeys(Lane, workshop.producer))
    stage = FeedReplays(applier, workshop.producer, workshop.profiles, SupplierCache(workshop.pool), SEAL)
    return Replays(workshop.pool, stage.handlers(), stage.predictors(), owner="tests")


async def test_a_run_is_a_feed_that_ends_with_a_report(pulled: Workshop) -> None:
    run = await pulled.opened()
    assert (await status_of(pulled, run)).state == "admitted"
    first = await pulled.next_page(answered(A="10.00", B="1e3"))
    await pulled.runs.send(run, first, [0])
    second = await pulled.next_page(answered(C="30.00"))
    await pulled.runs.send(run, second, [4096])
    assert {record.topic for record in await pulled.waiting()} == {BULK}
    await pulled.work()
    assert (await status_of(pulled, run)).state == "admitted"
    await pulled.close(run, 2, records=2)
    status = await status_of(pulled, run)
    assert (status.state, status.origin, status.mode, status.records) == ("done", "sweep", "full", 2)
    assert status.counts == {"normalized": 2, "rejected": 1}
    assert [(row["sku"], row["outcome"]) for row in await rows(pulled, run)] == [("B", "rejected")]
    assert await pulled.last("A") == (version_of(first.page_no, 0), "10.00")
    assert await pulled.last("C") == (version_of(second.page_no, 0), "30.00")
    assert {entry.headers["gw-feed"] for entry in await pulled.prices()} == {b"%d" % run.feed_no}
    assert run.feed_no in pulled.touched


async def test_of_a_run_that_found_nothing_there_is_a_report_too(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.close(run, 0)
    status = await status_of(pulled, run)
    assert (status.state, status.counts) == ("done", {})


async def test_a_page_beats_what_was_read_anew_before_its_question_left(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.runs.reread(await pulled.next_run(), [answered(A="10.00")])
    page = await pulled.next_page(answered(A="11.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    assert await pulled.last("A") == (version_of(page.page_no, 0), "11.00")


async def test_a_page_loses_to_what_was_read_anew_after_its_question_left(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="10.00"))
    newer = await pulled.next_run()
    await pulled.runs.reread(newer, [answered(A="11.00")])
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    await pulled.close(run, 1)
    assert await pulled.last("A") == (version_of(newer.feed_no, 0), "11.00")
    assert (await status_of(pulled, run)).counts == {"stale": 1}
    assert await seen(pulled, "A") == (newer.feed_no, "n")


async def test_a_reread_is_an_express_feed_of_its_own(pulled: Workshop) -> None:
    run = await pulled.next_run()
    await pulled.runs.reread(run, [answered(**{f"A-{number}": "10.00"}) for number in range(201)])
    assert {record.topic for record in await pulled.waiting()} == {EXPRESS}
    await pulled.work()
    status = await status_of(pulled, run)
    assert (status.state, status.origin, status.mode) == ("done", "reread", "upsert")
    assert status.counts == {"normalized": 201}


async def test_a_reread_that_was_answered_with_nothing_is_done(pulled: Workshop) -> None:
    run = await pulled.next_run()
    await pulled.runs.reread(run, [])
    await pulled.work()
    assert (await status_of(pulled, run)).state == "done"


async def test_a_page_that_is_sent_again_counts_once(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="10.00"), answered(B="20.00"))
    for _ in range(2):
        await pulled.runs.send(run, page, [0])
    await pulled.work()
    await pulled.close(run, 1)
    assert (await status_of(pulled, run)).counts == {"normalized": 2}


@pytest.mark.parametrize("sent", [True, False])
async def test_numbers_of_an_attempt_that_crashed_do_not_keep_a_run_from_its_end(
    pulled: Workshop, *, sent: bool
) -> None:
    run = await pulled.opened()
    if sent:
        await pulled.runs.send(run, await pulled.next_page(answered(A="10.00")), [0])
        await pulled.work()
    page = await pulled.next_page(answered(A="11.00", B="20.00"))
    await pulled.runs.send(run, page, [0, 1])
    await pulled.work()
    await pulled.close(run, 2, records=1)
    status = await status_of(pulled, run)
    assert (status.state, status.chunks_done) == ("done", 2)
    assert status.counts == {"normalized": 3 if sent else 2}
    assert await pulled.last("A") == (version_of(page.page_no, 0), "11.00")


async def test_a_batch_that_came_to_nothing_still_takes_its_numbers(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.runs.send(run, await pulled.next_page(), [0, 1])
    await pulled.close(run, 2)
    status = await status_of(pulled, run)
    assert (status.state, status.counts) == ("done", {})


async def test_a_pushed_chunk_without_records_is_still_a_poison_pill(workshop: Workshop) -> None:
    await workshop.processor.process(await workshop.chunk(7))
    assert [letter["code"] for letter in (await workshop.books()).letters] == ["poison_pill"]


async def test_a_run_that_was_given_up_stays_so_and_what_it_said_stands(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.runs.send(run, await pulled.next_page(answered(A="10.00")), [0])
    async with transaction(pulled.pool) as connection:
        await pulled.runs.abandon(connection, run, "the list was cut off")
        await pulled.runs.open(connection, run)
    await pulled.close(run, 1)
    assert (await status_of(pulled, run)).state == "incomplete"
    assert (await pulled.last("A"))[1] == "10.00"


async def test_a_run_whose_supplier_hangs_is_not_taken_for_dead(
    pulled: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(produce, "LIFE_SECONDS", 0.0)
    run = await pulled.opened()
    await pulled.execute(LONG_AGO, run.feed_no, GRACE + timedelta(minutes=1))
    await pulled.runs.touch(run)
    await pulled.finisher.sweep()
    assert (await status_of(pulled, run)).state == "admitted"


async def test_a_run_taken_for_dead_goes_on_when_it_is_resumed(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.execute(LONG_AGO, run.feed_no, GRACE + timedelta(minutes=1))
    await pulled.finisher.sweep()
    assert (await status_of(pulled, run)).state == "incomplete"
    async with transaction(pulled.pool) as connection:
        await pulled.runs.open(connection, run)
    assert (await status_of(pulled, run)).state == "admitted"


async def test_a_refused_sku_has_a_dead_letter_and_its_replay_judges_that_sku_alone(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="1e3", B="1e3", C="30.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    found = await letters(pulled)
    assert {(sku, letter.feed_no, letter.page_no) for sku, letter in found.items()} == {
        (sku, run.feed_no, page.page_no) for sku in ("A", "B")
    }
    await pulled.runs.reread(await pulled.next_run(), [answered(C="31.00")])
    await pulled.work()
    service, letter = replays(pulled), found["A"]
    original = (await DeadLetters(pulled.pool).show(letter.id)).original
    mended = Patch(content=original.replace(b'{"A":{"price":"1e3"}', b'{"A":{"price":"100"}'))
    assert (await service.predict(letter.id)).outcome == "rejected"
    assert (await service.replay(letter.id, actor="tests", reason="mended", patch=mended)).outcome == "normalized"
    version, amount = await pulled.last("A")
    assert (version > version_of(page.page_no, 0), amount) == (True, "100")
    assert (await pulled.last("C"))[1] == "31.00"
    assert (await service.replay(found["B"].id, actor="tests", reason="again")).outcome == "rejected"
    assert {sku: letter.state for sku, letter in (await letters(pulled)).items()} == {"A": "replayed", "B": "open"}


async def test_what_another_patch_published_and_never_committed_is_another_version(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.runs.send(run, await pulled.next_page(answered(A="1e3")), [0])
    await pulled.work()
    letter, service = (await letters(pulled))["A"], replays(pulled)
    row = await DeadLetters(pulled.pool).show(letter.id)
    applier = Applier(dict.fromkeys(Lane, pulled.producer))
    stage = FeedReplays(applier, pulled.producer, pulled.profiles, SupplierCache(pulled.pool), SEAL)

    async def die_before_the_commit() -> None:
        async with transaction(pulled.pool) as connection:
            await stage.replay(connection, replace(row, patched=answered(A="12.00")))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await die_before_the_commit()
    patch = Patch(content=answered(A="13.00"))
    assert (await service.replay(letter.id, actor="tests", reason="mended", patch=patch)).outcome == "normalized"
    lost, taken = [entry for entry in await pulled.prices() if b":A:" in (entry.key or b"")]
    assert lost.version < taken.version
    assert await pulled.last("A") == (taken.version, "13.00")
    [key] = (await pulled.reports.item("acme", Facet.PRICE, "A") or {})["keys"]
    assert (key["feed"], key["version"]) == (run.feed_no, taken.version)
    await pulled.runs.reread(await pulled.next_run(), [answered(A="14.00")])
    await pulled.work()
    assert (await pulled.last("A"))[1] == "14.00"


async def test_a_record_that_says_nothing_of_a_letters_sku_any_more_is_rejected_again(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.runs.send(run, await pulled.next_page(answered(A="1e3", B="20.00")), [0])
    await pulled.work()
    silent = Patch(content=answered(["A", "B"], B="21.00"))
    letter = (await letters(pulled))["A"]
    result = await replays(pulled).replay(letter.id, actor="tests", reason="mended", patch=silent)
    assert (result.outcome, [issue.code for issue in result.issues]) == ("rejected", ["not_answered"])
    assert (await pulled.last("B"))[1] == "20.00"


async def test_a_patch_of_an_exchange_keeps_what_was_asked(pulled: Workshop) -> None:
    run = await pulled.opened()
    await pulled.runs.send(run, await pulled.next_page(answered(A="1e3", B="20.00")), [0])
    await pulled.work()
    letter, service = (await letters(pulled))["A"], replays(pulled)
    for other in (answered(C="0.01"), answered(A="5.00", B="20.00", C="0.01"), answered(A="5.00"), b'{"sku":"A"}'):
        patch = Patch(content=other)
        foretold = await service.predict(letter.id, patch)
        replayed = await service.replay(letter.id, actor="tests", reason="oops", patch=patch)
        assert [issue.code for issue in replayed.issues] == ["patch_other_key"]
        assert foretold == replayed
    assert {entry.key for entry in await pulled.prices()} == {b"acme:B:*"}


async def test_refusals_of_two_pages_of_a_run_never_share_a_dead_letter(pulled: Workshop) -> None:
    run = await pulled.opened()
    for number in range(2):
        await pulled.runs.send(run, await pulled.next_page(answered(A="1e3")), [number])
    await pulled.work()
    assert len((await pulled.books()).letters) == 2


async def test_an_unreadable_exchange_marks_every_sku_it_asked_about(pulled: Workshop) -> None:
    await pulled.runs.reread(await pulled.next_run(), [answered(A="10.00", B="20.00")])
    await pulled.work()
    run = await pulled.opened()
    page = await pulled.next_page(
        Exchange(("A", "B"), {"rows": b"<html>"}).encode(), Exchange(("C",), {"rows": b"<html>"}).encode()
    )
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    assert [await seen(pulled, sku) for sku in ("A", "B")] == [(page.page_no, "r")] * 2
    assert [(row["sku"], row["issues"][0]["code"]) for row in await rows(pulled, run)] == [
        (None, "contract_error"),
        ("C", "contract_error"),
    ]
    assert set(await letters(pulled)) == {None, "C"}
    item = await pulled.reports.item("acme", Facet.PRICE, "A")
    assert item is not None
    assert (item["keys"][0]["last_seen_feed"], item["keys"][0]["last_outcome"]) == (run.feed_no, "rejected")


async def test_an_exchange_too_large_for_kafka_does_not_stop_its_run(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(Exchange(("A",), {"rows": b" " * (4 * 1024 * 1024)}).encode(), answered(B="20.00"))
    await pulled.runs.send(run, page, [0, 1])
    await pulled.work()
    await pulled.close(run, 2)
    assert (await status_of(pulled, run)).counts == {"normalized": 1, "rejected": 1}
    assert [(row["sku"], row["issues"][0]["code"]) for row in await rows(pulled, run)] == [("A", "line_too_long")]


async def test_a_sku_tells_of_the_run_that_named_it_not_of_its_page(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="10.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    item = await pulled.reports.item("acme", Facet.PRICE, "A")
    assert item is not None
    [key] = item["keys"]
    assert (key["feed"], key["last_seen_feed"], key["version"]) == (
        run.feed_no,
        run.feed_no,
        version_of(page.page_no, 0),
    )


async def test_a_late_append_is_answered_from_the_archived_chunk_of_a_page(pulled: Workshop) -> None:
    await pulled.runs.reread(await pulled.next_run(), [answered(A="9.00")])
    await pulled.work()
    run = await pulled.opened()
    page = await pulled.next_page(answered(Z="1.00"), answered(A="10.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    old, new = [entry for entry in await pulled.prices() if entry.key == b"acme:A:*"]
    state = await pulled.state("A")
    await cut(pulled, PRICES, Position(state["partition"], state["offset"]))
    async with pulled.keeping():
        await pulled.append(old)
        await eventually(lambda: ends_on(pulled, version_of(page.page_no, 1), "10.00"))
    last = [entry for entry in await pulled.prices() if entry.key == b"acme:A:*"][-1]
    assert (last.value, last.headers) == (new.value, new.headers)
    assert state["version"] == version_of(page.page_no, 1)


async def test_a_late_append_behind_an_unchanged_page_is_answered_in_the_name_of_its_run(pulled: Workshop) -> None:
    for amount in ("9.00", "10.00"):
        await pulled.runs.reread(await pulled.next_run(), [answered(A=amount)])
        await pulled.work()
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="10.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    old, *_ = await pulled.prices()
    async with pulled.keeping():
        await pulled.append(old)
        await eventually(lambda: ends_on(pulled, version_of(page.page_no, 0), "10.00"))
    assert (await pulled.prices())[-1].headers["gw-feed"] == b"%d" % run.feed_no


async def test_a_database_that_lost_a_run_numbers_above_its_pages(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="10.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.execute("TRUNCATE feeds CASCADE")
    await pulled.execute("ALTER SEQUENCE feed_no RESTART")
    assert await raise_feed_no(pulled.bus, pulled.pool, SEAL) == page.page_no > run.feed_no
    await pulled.work()
    status = await status_of(pulled, run)
    assert (status.state, status.origin, status.mode) == ("incomplete", "sweep", "full")


async def test_the_catalog_alone_is_enough_to_number_above_a_page(pulled: Workshop) -> None:
    run = await pulled.opened()
    page = await pulled.next_page(answered(A="10.00"))
    await pulled.runs.send(run, page, [0])
    await pulled.work()
    await pulled.execute("ALTER SEQUENCE feed_no RESTART")
    assert await raise_feed_no(pulled.bus, pulled.pool, SEAL) == page.page_no > run.feed_no


async def ends_on(workshop: Workshop, version: int, amount: str) -> bool:
    return await workshop.last("A") == (version, amount)


async def seen(workshop: Workshop, sku: str) -> tuple[int, str]:
    """The number of the feed or page that named a price last, and the mark of what became of it."""
    async with acquired(workshop.pool) as connection:
        row = await connection.fetchrow("SELECT seen, seen_outcome::text FROM feed_state WHERE sku = $1", sku)
    assert row is not None
    return row["seen"], row["seen_outcome"]
