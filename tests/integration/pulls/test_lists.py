"""What a list keeps of its pages in PostgreSQL, and what sweeps take of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import chain

import pytest

from gateway.pulls import listing_queries as queries
from gateway.store import Connection, connect


@pytest.fixture
async def tables(database: str) -> AsyncIterator[Connection]:
    """The tables, empty."""
    async with connect(database, name="tests") as connection:
        yield connection


async def listed(tables: Connection, number: int, *pages: Sequence[str]) -> int:
    """A list of these pages; how many skus its row tells."""
    await tables.execute(queries.FORGET_SKUS, "jd")
    await tables.fetchrow(queries.BEGIN, "jd", number, 1, {"price": number - 1})
    skus = 0
    for place, page in enumerate(pages, start=1):
        added = await tables.fetchval(queries.ADD_SKUS, number, page)
        row = await tables.fetchrow(queries.ADD_PAGE, number, {"page": place}, added, None, place == len(pages))
        assert row is not None
        assert row["ended"] == (place == len(pages))
        skus = row["skus"]
    return skus


async def batches(tables: Connection, feed_no: int) -> list[list[str]]:
    rows = await tables.fetch("SELECT batch_no, skus FROM pull_batches WHERE feed_no = $1 ORDER BY batch_no", feed_no)
    assert [row["batch_no"] for row in rows] == [*range(len(rows))]
    return [row["skus"] for row in rows]


async def test_every_sku_is_taken_once_in_the_order_of_the_list_and_no_question_is_wasted(tables: Connection) -> None:
    pages: tuple[list[str], ...] = (["9", "1", "9", "5"], ["5", "1", "3"], [], ["2", "10", "9"])
    assert await listed(tables, 10, *pages) == 6
    await tables.execute(queries.TAKE_SKUS, 3, 10, 4)
    await tables.execute(queries.TAKE_SKUS, 4, 10, 100)
    assert await batches(tables, 3) == [["9", "1", "5", "3"], ["2", "10"]]
    assert await batches(tables, 4) == [["9", "1", "5", "3", "2", "10"]]


async def test_a_page_that_is_read_again_after_a_crash_adds_nothing(tables: Connection) -> None:
    assert await listed(tables, 10, ["1", "2"], ["1", "2"], ["3"]) == 3


async def test_a_second_list_adds_what_the_first_did_not_show_and_takes_nothing_away(tables: Connection) -> None:
    await listed(tables, 10, ["1", "2", "3", "4", "5"])
    await tables.execute(queries.TAKE_SKUS, 3, 10, 2)
    assert await listed(tables, 20, ["7", "5", "6"], ["8", "1"]) == 5
    await tables.execute(queries.TAKE_OTHER_SKUS, 3, 20, 2)
    found = await batches(tables, 3)
    assert found[:3] == [["1", "2"], ["3", "4"], ["5"]]
    assert sorted(chain(*found[3:])) == ["6", "7", "8"]
    before = await batches(tables, 3)
    await tables.execute(queries.TAKE_OTHER_SKUS, 3, 20, 2)
    assert await batches(tables, 3) == before


async def test_a_new_list_takes_the_place_of_the_one_before(tables: Connection) -> None:
    await listed(tables, 10, ["1", "2"])
    await listed(tables, 20, ["3"])
    assert [row["sku"] for row in await tables.fetch("SELECT sku FROM listing_skus")] == ["3"]
    row = await tables.fetchrow(queries.NEWEST, "jd")
    assert row is not None
    assert (row["listing_no"], row["pages"], row["skus"], row["failure"]) == (20, 1, 1, None)


async def test_numbers_that_a_list_kept_are_used_no_more_once_the_database_was_put_back(tables: Connection) -> None:
    await listed(tables, 10, ["1"])
    row = await tables.fetchrow(queries.NEWEST_THAT_KEEPS_NUMBERS, "jd")
    assert row is not None
    assert row["numbers"] == {"price": 9}
    await tables.execute("INSERT INTO lost_numbers (first, last) VALUES (11, 20)")
    assert await tables.fetchrow(queries.NEWEST_THAT_KEEPS_NUMBERS, "jd") is None
    await tables.execute(queries.USE_NUMBER, 10, "price")
    assert await tables.fetchval("SELECT numbers FROM listings") == {}
