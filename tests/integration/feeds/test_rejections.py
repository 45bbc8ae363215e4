"""A supplier whose records are rejected without end fills no database, and stops no feed but its own broken one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.feeds.chunk import Mode
from gateway.feeds.rejections import LEAST
from tests.integration.feeds.workshop import SUPPLIER, Workshop, price

BAD = b'{"sku":"B","price":"1e3"}'


async def narrowed(workshop: Workshop, records: int) -> int:
    """A revision of the supplier that may have this many small records rejected in a day."""
    config = await workshop.suppliers.revision(SUPPLIER, 1)
    assert config is not None
    limits = config.limits.model_copy(update={"rejected_bytes_per_day": records * LEAST})
    await workshop.suppliers.apply([config.model_copy(update={"limits": limits})], actor="test")
    return 2


async def process(workshop: Workshop, feed: int, chunk: int, *records: bytes, **head: Any) -> None:
    await workshop.processor.process(
        await workshop.chunk(feed, *records, chunk_no=chunk, first_record=100 * chunk, revision=2, **head)
    )


async def test_a_feed_that_uses_the_quota_up_is_stopped_and_says_why(workshop: Workshop) -> None:
    await narrowed(workshop, 2)
    await process(workshop, 7, 0, BAD, BAD)
    await process(workshop, 7, 1, price("A", "1.00"), BAD)
    await process(workshop, 7, 2, price("A", "2.00"), BAD)
    books = await workshop.books()
    assert books.outcomes(7) == {"normalized": 1, "rejected": 3, "cancelled": 2}
    assert [letter["original"] for letter in books.letters] == [BAD] * 3
    codes = [row["code"] for row in await workshop.reports.top_problems(7)]
    assert set(codes) == {"invalid_decimal", "rejections_quota"}


async def test_a_good_feed_goes_on_beside_a_stopped_one(workshop: Workshop) -> None:
    await narrowed(workshop, 1)
    await process(workshop, 7, 0, BAD, BAD)
    await process(workshop, 8, 0, price("A", "1.00"))
    await process(workshop, 8, 1, price("B", "1.00"))
    assert (await workshop.books()).outcomes(8) == {"normalized": 2}


async def test_a_record_counts_by_its_length_and_once(workshop: Workshop) -> None:
    await narrowed(workshop, 100)
    long = b'{"sku":"B","price":"1e3","note":"%b"}' % (b"x" * 5_000)
    record = await workshop.chunk(7, BAD, long, revision=2)
    for _ in range(2):
        await workshop.processor.process(record)
    assert (await workshop.reports.rejected_today(SUPPLIER)).bytes == LEAST + len(long)
    assert (await workshop.reports.rejected_today("other")).bytes == 0


@pytest.mark.parametrize("mode", [Mode.VALIDATE, Mode.FULL])
async def test_every_mode_counts(workshop: Workshop, mode: Mode) -> None:
    await narrowed(workshop, 100)
    await process(workshop, 7, 0, BAD, mode=mode)
    spent = await workshop.reports.rejected_today(SUPPLIER)
    assert spent.bytes == LEAST
    assert 0 < spent.seconds <= 86_400
