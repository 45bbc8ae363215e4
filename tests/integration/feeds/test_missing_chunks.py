"""Chunks that nobody can read, or that never come: their feeds end all the same, and say why."""

from __future__ import annotations

import pytest

from gateway.deadletters import DeadLetters, LetterSummary, Patch, Replays
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import Mode
from gateway.feeds.missing_chunks import MissingChunks
from gateway.feeds.process import Step
from gateway.feeds.replay import FeedReplays
from gateway.feeds.seal import GW_SEAL, ChunkSeal, seal_of
from gateway.kafka import EXPRESS, Headers, Message
from gateway.suppliers import SupplierCache
from tests.integration.feeds.workshop import SEAL, Workshop, price

GARBAGE = b"\x00garbage"


def sealed(headers: Headers) -> Headers:
    """The headers of a chunk with a seal over other bytes, as if the gateway itself had cut it wrongly."""
    own = tuple(each for each in headers if each[0] != GW_SEAL)
    return (*own, (GW_SEAL, seal_of(bytes(32), own, GARBAGE)))


async def damaged(workshop: Workshop, *, headers: bool) -> None:
    """Have the one chunk that waits come with other bytes, and with its headers or without."""
    [record] = await workshop.waiting()
    broken = record._replace(value=GARBAGE, headers=sealed(record.headers) if headers else ())
    assert await workshop.processor.process(broken) is Step.TAKEN


async def looked(workshop: Workshop) -> None:
    """Look twice for chunks that are missing, then sweep."""
    missing = MissingChunks(workshop.pool, workshop.bus, workshop._touched)
    await missing.round()
    await missing.round()
    await workshop.finisher.sweep()


@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.FULL, Mode.VALIDATE])
async def test_a_feed_whose_chunk_cannot_be_read_ends_and_withdraws_nothing(workshop: Workshop, mode: Mode) -> None:
    await workshop.fed(price("A", "10.00"), price("B", "10.00"))
    receipt = await workshop.push(price("A", "11.00"), mode=mode)
    await damaged(workshop, headers=True)
    await workshop.finisher.sweep()
    await workshop.withdraw()
    feed = await workshop.feed(receipt.feed_no)
    assert (feed.state, feed.counts) == ("done", {"rejected": 1})
    assert (feed.flaw is not None) == (mode is Mode.FULL)
    assert [row["code"] for row in await workshop.reports.top_problems(receipt.feed_no)] == ["poison_pill"]
    assert await workshop.on_sale() == {"A": "10.00", "B": "10.00"}
    assert receipt.feed_no in workshop.touched


@pytest.mark.parametrize("mode", [Mode.UPSERT, Mode.FULL])
async def test_a_feed_whose_chunk_tells_nothing_of_itself_ends_once_all_that_waited_is_taken(
    workshop: Workshop, mode: Mode
) -> None:
    await workshop.fed(price("A", "10.00"), price("B", "10.00"))
    receipt = await workshop.push(price("A", "11.00"), mode=mode)
    await looked(workshop)
    assert (await workshop.feed(receipt.feed_no)).state == "produced"
    await damaged(workshop, headers=False)
    await looked(workshop)
    await workshop.withdraw()
    feed = await workshop.feed(receipt.feed_no)
    assert (feed.state, feed.counts) == ("done", {"rejected": 1})
    assert (feed.flaw is not None) == (mode is Mode.FULL)
    assert await workshop.on_sale() == {"A": "10.00", "B": "10.00"}


async def test_a_chunk_that_comes_again_and_can_be_read_takes_its_place(workshop: Workshop) -> None:
    receipt = await workshop.push(price("A", "11.00"))
    [record] = await workshop.waiting()
    await damaged(workshop, headers=True)
    await workshop.producer.send([Message(EXPRESS, None, record.value, record.headers)])
    await workshop.work()
    assert (await workshop.books()).outcomes(receipt.feed_no) == {"normalized": 1}
    assert await workshop.on_sale() == {"A": "11.00"}
    await workshop.producer.send([Message(EXPRESS, None, GARBAGE, sealed(record.headers))])
    await workshop.work()
    assert (await workshop.books()).outcomes(receipt.feed_no) == {"normalized": 1}


def replays(workshop: Workshop) -> Replays:
    applier = Applier(workshop.producers)
    stage = FeedReplays(applier, workshop.producer, workshop.profiles, SupplierCache(workshop.pool), SEAL)
    return Replays(workshop.pool, stage.handlers(), stage.predictors(), owner="tests")


async def letter_of(workshop: Workshop) -> LetterSummary:
    [letter] = (await DeadLetters(workshop.pool).list()).rows
    return letter


async def test_a_chunk_that_an_operator_mended_takes_effect_and_one_that_nobody_can_read_stays(
    workshop: Workshop,
) -> None:
    receipt = await workshop.push(price("A", "11.00"))
    [record] = await workshop.waiting()
    await damaged(workshop, headers=True)
    service, letter = replays(workshop), await letter_of(workshop)
    for patch in (None, Patch(GARBAGE), Patch(b"")):
        foretold = await service.predict(letter.id, patch)
        replayed = await service.replay(letter.id, actor="tests", reason="again", patch=patch)
        assert foretold == replayed
        assert (replayed.outcome, [each.code for each in replayed.issues]) == ("rejected", ["poison_pill"])
    assert (await letter_of(workshop)).state == "open"
    assert await workshop.waiting() == []
    mended = Patch(record.value or b"")
    assert (await service.predict(letter.id, mended)).outcome == "requeued"
    assert (await service.replay(letter.id, actor="tests", reason="mended", patch=mended)).outcome == "requeued"
    await workshop.work()
    assert (await workshop.books()).outcomes(receipt.feed_no) == {"normalized": 1}
    assert await workshop.on_sale() == {"A": "11.00"}
    assert (await letter_of(workshop)).state == "replayed"


@pytest.mark.parametrize("patched", [False, True])
async def test_a_chunk_that_somebody_else_wrote_is_not_let_in_by_a_replay(workshop: Workshop, *, patched: bool) -> None:
    forged = await workshop.chunk(2**38, price("A", "0.01"), seal=ChunkSeal(b"\x01" * 32))
    assert await workshop.processor.process(forged) is Step.TAKEN
    letter = await letter_of(workshop)
    patch = Patch(forged.value or b"") if patched else None
    result = await replays(workshop).replay(letter.id, actor="tests", reason="oops", patch=patch)
    assert (result.outcome, [each.code for each in result.issues]) == ("rejected", ["forged_chunk"])
    assert (await letter_of(workshop)).state == "open"
    assert await workshop.waiting() == []
    assert await workshop.on_sale() == {}


async def test_a_chunk_of_an_adapter_that_is_still_gone_is_not_called_replayed(workshop: Workshop) -> None:
    receipt = await workshop.push(price("A", "10.00"))
    await workshop.execute("""UPDATE supplier_revisions SET config = config || '{"adapter": "gone"}'""")
    await workshop.work()
    service, letter = replays(workshop), await letter_of(workshop)
    assert (await service.replay(letter.id, actor="tests", reason="again")).outcome == "failed"
    assert (await letter_of(workshop)).state == "open"
    await workshop.execute("""UPDATE supplier_revisions SET config = config || '{"adapter": "native"}'""")
    assert (await service.replay(letter.id, actor="tests", reason="it is back")).outcome == "requeued"
    await workshop.work()
    assert (await workshop.books()).outcomes(receipt.feed_no) == {"normalized": 1}


async def test_a_feed_that_is_whole_or_still_under_way_misses_nothing(workshop: Workshop) -> None:
    whole = await workshop.fed(price("A", "10.00"))
    missing = MissingChunks(workshop.pool, workshop.bus, workshop._touched)
    await missing.round()
    waiting = await workshop.push(price("A", "11.00"))
    await missing.round()
    await missing.round()
    await workshop.work()
    books = await workshop.books()
    assert (books.outcomes(whole), books.outcomes(waiting.feed_no)) == ({"normalized": 1}, {"normalized": 1})
