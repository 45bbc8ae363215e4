"""Full feeds and what is older: they decide last, and nothing older puts back on sale what they withdrew."""

from __future__ import annotations

import asyncio

import pytest

from gateway.feeds.chunk import Mode
from gateway.feeds.passes import GRACE
from tests.integration.feeds.workshop import Workshop, price, submission

BAD_A = b'{"sku":"A","price":"1e3"}'


@pytest.fixture(autouse=True)
async def free(workshop: Workshop) -> None:
    """No brake holds."""
    await workshop.brake(1.0)


async def full(workshop: Workshop, *lines: bytes) -> int:
    feed_no = await workshop.fed(*lines, mode=Mode.FULL)
    await workshop.withdraw()
    return feed_no


async def test_a_full_feed_waits_for_an_older_feed_and_says_so(workshop: Workshop) -> None:
    older = await workshop.push(price("A", "1.00"), price("B", "1.00"))
    [chunk] = await workshop.waiting()
    newer = await workshop.push(price("B", "2.00"), mode=Mode.FULL)
    for record in await workshop.waiting():
        if record != chunk:
            await workshop.processor.process(record)
    await workshop.finisher.sweep()
    waiting = await workshop.feed(newer.feed_no)
    assert (waiting.state, waiting.waits_for) == ("produced", older.feed_no)
    await workshop.processor.process(chunk)
    await workshop.finisher.sweep()
    await workshop.finisher.sweep()
    await workshop.withdraw()
    assert (await workshop.feed(newer.feed_no)).waits_for is None
    assert await workshop.on_sale() == {"B": "2.00"}
    assert await workshop.is_true()


async def test_an_upload_that_is_slower_than_the_full_feed_puts_nothing_on_sale(workshop: Workshop) -> None:
    await workshop.fed(price("A", "1.00"))
    slow = await workshop.admission.next_feed_no()
    await full(workshop, price("B", "2.00"))
    await workshop.admission.admit(submission(slow, [price("A", "9.00"), price("B", "9.00"), price("C", "9.00")]))
    await workshop.work()
    assert await workshop.on_sale() == {"B": "2.00"}
    assert (await workshop.feed(slow)).counts == {"stale": 3}


async def test_an_older_feed_that_never_comes_to_its_end_is_waited_for_no_longer_than_its_grace(
    workshop: Workshop,
) -> None:
    await workshop.fed(price("A", "1.00"))
    older = await workshop.push(price("C", "1.00"))
    await workshop.execute("UPDATE feeds SET state = 'incomplete', chunks = 2 WHERE feed_no = $1", older.feed_no)
    newer = await workshop.fed(price("B", "1.00"), mode=Mode.FULL)
    assert (await workshop.feed(newer)).waits_for == older.feed_no
    await workshop.execute(
        "UPDATE feeds SET touched_at = now() - $1::interval WHERE feed_no = $2", GRACE, older.feed_no
    )
    await workshop.finisher.sweep()
    await workshop.withdraw()
    assert await workshop.on_sale() == {"B": "1.00"}


async def test_a_key_named_in_a_rejected_record_is_kept_though_it_is_known_only_afterwards(workshop: Workshop) -> None:
    await workshop.push(price("A", "1.00", area="110000"), price("B", "1.00"))
    [chunk] = await workshop.waiting()
    await workshop.push(BAD_A, price("B", "2.00"), mode=Mode.FULL)
    for record in [each for each in await workshop.waiting() if each != chunk] + [chunk]:
        await workshop.processor.process(record)
    await workshop.finisher.sweep()
    await workshop.finisher.sweep()
    await workshop.withdraw()
    assert await workshop.on_sale() == {"A": "1.00", "B": "2.00"}


async def test_a_held_full_feed_leaves_no_horizon_until_it_is_released(workshop: Workshop) -> None:
    await workshop.brake(0.0)
    await workshop.fed(price("A", "1.00"))
    early, late = [await workshop.admission.next_feed_no() for _ in range(2)]
    held = await workshop.fed(price("B", "2.00"), mode=Mode.FULL)
    assert (await workshop.feed(held)).state == "held"
    await workshop.admission.admit(submission(early, [price("C", "1.00")]))
    await workshop.work()
    assert "C" in await workshop.on_sale()
    await workshop.holds.release(held, actor="tests", reason="tests")
    await workshop.admission.admit(submission(late, [price("D", "1.00")]))
    await workshop.work()
    await workshop.withdraw()
    assert await workshop.on_sale() == {"B": "2.00"}


async def test_a_higher_version_of_the_supplier_wins_whenever_it_comes_and_is_published_above_the_lower(
    workshop: Workshop,
) -> None:
    slow = await workshop.admission.next_feed_no()
    await workshop.fed(price("A", "3.00", version=3))
    await workshop.admission.admit(submission(slow, [price("A", "7.00", version=7)]))
    await workshop.work()
    assert await workshop.on_sale() == {"A": "7.00"}
    assert await workshop.is_true()
    await full(workshop, price("B", "1.00"))
    assert await workshop.on_sale() == {"B": "1.00"}
    assert await workshop.is_true()


async def test_chunks_that_reject_each_others_keys_do_not_block_each_other(workshop: Workshop) -> None:
    areas = [price("A", "1.00", area=f"{number}") for number in range(9, 0, -1)]
    await workshop.fed(*areas, price("B", "1.00"))
    bad_b = b'{"sku":"B","price":"1e3"}'
    for _ in range(5):
        await workshop.push(price("B", "2.00"), BAD_A)
        await workshop.push(*areas, bad_b)
    chunks = await workshop.waiting()
    by_partition: dict[tuple[str, int], list[int]] = {}
    for place, record in enumerate(chunks):
        by_partition.setdefault((record.topic, record.partition), []).append(place)

    async def take(places: list[int]) -> None:
        for place in places:
            await workshop.processor.process(chunks[place])

    await asyncio.gather(*map(take, by_partition.values()))
    await workshop.finisher.sweep()
    assert {feed["state"] for feed in (await workshop.books()).feeds} == {"done"}
