"""Taking feeds: a receipt only once everything is durable, and one feed per idempotency key."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from gateway.feeds.admit import IdempotencyInProgressError, IdempotencyReusedError, Receipt, Submission
from gateway.feeds.chunk import Lane, Mode
from gateway.kafka import BULK, EXPRESS, KafkaUnavailableError
from gateway.store import transaction
from schemas.base import written
from schemas.catalog import Facet
from tests.integration.feeds.workshop import Workshop, price, submission
from tests.reader import read_topics

LINES = [price(f"A-{number}", "10.00") for number in range(3)]
SILENT = timedelta(minutes=1)


async def chunks_on(workshop: Workshop, topic: str) -> int:
    return len((await read_topics(workshop.engines.kafka_bootstrap, workshop.prefix, [topic]))[topic])


async def state_of(workshop: Workshop, feed_no: int) -> str:
    [state] = [feed["state"] for feed in (await workshop.books()).feeds if feed["feed_no"] == feed_no]
    return str(state)


async def died(workshop: Workshop, *, key: str) -> int:
    """The number of a feed whose request died right after its row was there."""
    number = await workshop.admission.next_feed_no()
    await workshop.admission.open(submission(number, LINES, key=key))
    return number


@pytest.mark.parametrize(("records", "lane", "topic"), [(200, Lane.EXPRESS, EXPRESS), (201, Lane.BULK, BULK)])
async def test_a_receipt_means_that_every_chunk_is_on_its_topic(
    workshop: Workshop, records: int, lane: Lane, topic: str
) -> None:
    receipt = await workshop.push(*(price(f"A-{number}", "10.00") for number in range(records)))
    [feed] = (await workshop.books()).feeds
    assert (feed["feed_no"], feed["state"], feed["records"]) == (receipt.feed_no, "produced", records)
    assert feed["chunks"] == await chunks_on(workshop, topic)
    status = await workshop.reports.feed(receipt.feed_no, "acme")
    assert status is not None
    assert status.lane == lane


async def test_the_same_request_again_is_the_same_feed_and_produces_nothing(workshop: Workshop) -> None:
    first = await workshop.push(*LINES, key="k")
    assert await workshop.push(*LINES, key="k") == Receipt(first.feed_no, duplicate=True)
    await workshop.work()
    assert await workshop.push(*LINES, key="k") == Receipt(first.feed_no, duplicate=True)
    assert await chunks_on(workshop, EXPRESS) == 1
    assert (await workshop.books()).outcomes() == {"normalized": 3}


async def test_the_same_bytes_without_a_key_are_another_feed(workshop: Workshop) -> None:
    first, second = await workshop.fed(*LINES), await workshop.fed(*LINES)
    assert first < second
    assert (await workshop.books()).outcomes(second) == {"unchanged": 3}


@pytest.mark.parametrize(
    "other",
    [
        lambda pushed: replace(pushed, body_sha256=b"\x00" * 32),
        lambda pushed: replace(pushed, facet=Facet.STOCK),
        lambda pushed: replace(pushed, mode=Mode.VALIDATE),
    ],
    ids=["another body", "another facet", "another mode"],
)
async def test_a_key_used_for_something_else_is_refused_and_nothing_is_taken(workshop: Workshop, other) -> None:
    await workshop.push(*LINES, key="k")
    pushed = submission(await workshop.admission.next_feed_no(), LINES, key="k")
    with pytest.raises(IdempotencyReusedError):
        await workshop.admission.admit(other(pushed))
    assert len((await workshop.books()).feeds) == 1
    assert await chunks_on(workshop, EXPRESS) == 1


async def test_an_expired_key_is_free_again(workshop: Workshop) -> None:
    first = await workshop.push(*LINES, key="k")
    await workshop.execute("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'")
    second = await workshop.push(price("B", "1.00"), key="k")
    assert (second.duplicate, second.feed_no > first.feed_no) == (False, True)


async def test_of_two_requests_at_once_with_one_key_one_is_taken(workshop: Workshop) -> None:
    answers = await asyncio.gather(*(workshop.push(*LINES, key="k") for _ in range(4)), return_exceptions=True)
    taken = [answer for answer in answers if isinstance(answer, Receipt) and not answer.duplicate]
    others = [answer for answer in answers if answer not in taken]
    assert len(taken) == 1
    assert all(
        isinstance(answer, IdempotencyInProgressError) or answer == Receipt(taken[0].feed_no, duplicate=True)
        for answer in others
    )
    await workshop.work()
    assert (await workshop.books()).outcomes() == {"normalized": 3}


async def test_a_feed_resumed_with_half_its_chunks_taken_comes_out_whole(workshop: Workshop) -> None:
    lines = [price(f"A-{number}", "10.00") for number in range(1_500)]
    number = await workshop.admission.next_feed_no()
    pushed = submission(number, lines, key="k")
    head, *_ = pushed.chunks
    await workshop.admission.admit(replace(pushed, chunks=[head]))
    await workshop.execute("UPDATE feeds SET state = 'incomplete', chunks = 2 WHERE feed_no = $1", number)
    await workshop.work()
    assert await state_of(workshop, number) == "incomplete"
    assert await workshop.push(*lines, key="k") == Receipt(number)
    await workshop.work()
    assert await state_of(workshop, number) == "done"
    assert (await workshop.books()).outcomes(number) == {"normalized": 1_500}
    assert len(await workshop.prices()) == 1_500


async def test_a_resumed_feed_was_received_when_it_was_first_and_says_so_in_the_same_words(workshop: Workshop) -> None:
    number, zone = await workshop.admission.next_feed_no(), timezone(timedelta(hours=8))
    pushed = replace(submission(number, LINES, key="k"), received_at=datetime.now(zone))
    assert await workshop.admission.open(pushed) == pushed
    await workshop.execute("UPDATE feeds SET state = 'incomplete' WHERE feed_no = $1", number)
    again = await workshop.admission.open(replace(pushed, received_at=datetime.now(zone)))
    assert isinstance(again, Submission)
    assert written(again.received_at) == pushed.received_at.isoformat()


async def test_a_dead_request_is_resumed_once_it_has_been_silent_and_not_before(workshop: Workshop) -> None:
    feed_no = await died(workshop, key="k")
    with pytest.raises(IdempotencyInProgressError):
        await workshop.push(*LINES, key="k")
    await workshop.execute("UPDATE feeds SET touched_at = now() - $1::interval", SILENT)
    assert await workshop.push(*LINES, key="k") == Receipt(feed_no)
    await workshop.work()
    assert await state_of(workshop, feed_no) == "done"


async def test_while_kafka_is_away_there_is_no_receipt_and_the_same_key_resumes_the_feed(workshop: Workshop) -> None:
    await workshop.engines.kafka.freeze()
    try:
        with pytest.raises(KafkaUnavailableError):
            await workshop.push(*LINES, key="k")
        [feed] = (await workshop.books()).feeds
        assert feed["state"] == "incomplete"
    finally:
        await workshop.engines.kafka.thaw()
    assert await workshop.push(*LINES, key="k") == Receipt(feed["feed_no"])
    await workshop.work()
    assert await state_of(workshop, feed["feed_no"]) == "done"
    assert (await workshop.books()).outcomes() == {"normalized": 3}


async def test_pushes_that_wait_for_the_row_of_their_key_keep_no_other_supplier_out(workshop: Workshop) -> None:
    await workshop.push(*LINES, key="held")
    admission = workshop.admission
    async with transaction(workshop.pool) as holding:
        await holding.execute("SELECT FROM idempotency_keys FOR UPDATE")
        repeats = [submission(await admission.next_feed_no(), LINES, key="held") for _ in range(30)]
        waiting = [asyncio.create_task(admission.open(each)) for each in repeats]
        other = submission(await admission.next_feed_no(), LINES, key="free")
        opened = await admission.open(replace(other, supplier="bolt"))
        assert not any(task.done() for task in waiting)
        assert opened == replace(other, supplier="bolt")
    await asyncio.gather(*waiting)
