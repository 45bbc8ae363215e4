"""PostgreSQL put back to an older copy: what is said from then on still wins, and the topics stay true."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from gateway.embedded import Engines
from gateway.kafka import BULK, EXPRESS, client_options
from tests.crash.site import Site
from tests.history import BITS, Pushed, last_is_newest, no_phantoms, repeats_are_the_same
from tests.program import Program
from tests.reader import Books, Entry, partitions_under
from tests.vendor import Vendor, declared, prices

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]

ALL, SOME = 1_500, 300


async def copied(source: Path, target: Path) -> None:
    """A data directory of a stopped server as another, with its owner and rights."""
    process = await asyncio.create_subprocess_exec("cp", "-a", str(source), str(target))
    assert await process.wait() == 0


@asynccontextmanager
async def stopped(engines: Engines) -> AsyncIterator[Path]:
    """PostgreSQL's data directory while nobody serves it."""
    await engines.postgres.stop()
    try:
        yield engines.postgres._data
    finally:
        await engines.postgres.start()


async def put_back(copy: Path, data: Path) -> None:
    set_aside(data)
    await copied(copy, data)


def set_aside(data: Path) -> None:
    shutil.rmtree(data)


async def forget_chunks(site: Site) -> None:
    """What retention does to the feeds topics in a week."""
    partitions = await partitions_under(site.engines.kafka_bootstrap, site.prefix)
    admin = AIOKafkaAdminClient(**client_options(site.engines.kafka_bootstrap))
    await admin.start()
    try:
        everything = RecordsToDelete(before_offset=-1)  # up to the end
        for topic in (EXPRESS, BULK):
            await admin.delete_records(dict.fromkeys(partitions[site.prefix + topic], everything))
    finally:
        await admin.close()


async def ended(program: Program) -> None:
    program.signal(signal.SIGTERM)
    assert await program.ended() == 0


def last_of(entries: list[Entry]) -> dict[bytes, Entry]:
    """The record each key ends on."""
    return {entry.key or b"": entry for entry in entries}


@pytest.mark.parametrize("chunks_kept", [True, False], ids=["chunks kept", "chunks past retention"])
async def test_after_a_restore_new_feeds_win_and_what_was_lost_is_taken_from_the_topics(
    site: Site, tmp_path: Path, chunks_kept: bool
) -> None:
    copy = tmp_path / "copy"
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        pushes = [await Vendor(program.url, keys).push(prices(ALL, price="10.00"), key="1", wait=30)]
        await ended(program)
    async with stopped(site.engines) as data:
        await copied(data, copy)
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        pushes.append(await vendor.push(prices(ALL, price="20.00"), key="2", wait=30))
        pushes.append(await vendor.push(prices(SOME, price="30.00"), key="3", wait=30))
        await site.settled(vendor)
        await ended(program)
    before = last_of(await site.prices())
    async with stopped(site.engines) as data:
        await put_back(copy, data)
    if not chunks_kept:
        await forget_chunks(site)
    async with site.running() as program:
        await program.started()
        assert program.events("feed_no.raised")
        vendor = Vendor(program.url, keys)
        pushes.append(await vendor.push(prices(SOME // 2, price="40.00"), key="4", wait=30))
        await vendor.settled(site.engines.kafka_bootstrap, site.database, site.prefix)
    topic, books = await site.prices(), await site.books()
    after, newest = last_of(topic), pushes[-1]
    assert newest.feed_no is not None
    assert newest.feed_no > max(entry.version for entry in before.values()) >> BITS
    renewed = {key for key, entry in after.items() if entry.version >> BITS == newest.feed_no}
    assert len(renewed) == SOME // 2
    assert {key: after[key].value for key in after.keys() - renewed} == {
        key: before[key].value for key in before.keys() - renewed
    }
    assert books.outcomes(newest.feed_no) == {"normalized": SOME // 2}
    assert [*last_is_newest(topic, books), *no_phantoms(pushes, topic), *repeats_are_the_same(topic)] == []
    if chunks_kept:
        assert outcomes_of(books, pushes) == [len(push.lines) for push in pushes]


def outcomes_of(books: Books, pushes: list[Pushed]) -> list[int]:
    """Outcomes by push."""
    return [sum(books.outcomes(push.feed_no).values()) for push in pushes]


async def test_after_a_restore_the_same_prices_again_are_recognised(site: Site, tmp_path: Path) -> None:
    """What was believed from the topics is known as if it had never been lost."""
    copy = tmp_path / "copy"
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        await ended(program)
    async with stopped(site.engines) as data:
        await copied(data, copy)
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        await vendor.push(prices(ALL, price="20.00"), key="1", wait=30)
        await site.settled(vendor)
        await ended(program)
    published = await site.prices()
    async with stopped(site.engines) as data:
        await put_back(copy, data)
    await forget_chunks(site)
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        await vendor.settled(site.engines.kafka_bootstrap, site.database, site.prefix)
        again = await vendor.push(prices(ALL, price="20.00"), key="2", wait=30)
    assert (await site.books()).outcomes(again.feed_no) == {"unchanged": ALL}
    assert await site.prices() == published


async def test_a_program_under_which_the_database_is_put_back_ends_and_starts_anew(site: Site, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        vendor = Vendor(program.url, keys)
        pushes = [await vendor.push(prices(SOME, price="10.00"), key="1", wait=30)]
        async with stopped(site.engines) as data:
            await copied(data, copy)
        pushes.append(await vendor.push_until_taken(prices(SOME, price="20.00"), key="2"))
        await site.settled(vendor)
        async with stopped(site.engines) as data:
            await put_back(copy, data)
        assert await program.ended() == 1
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        pushes.append(await vendor.push(prices(SOME, price="30.00"), key="3", wait=30))
        await vendor.settled(site.engines.kafka_bootstrap, site.database, site.prefix)
    topic, books = await site.prices(), await site.books()
    assert books.outcomes(pushes[-1].feed_no) == {"normalized": SOME}
    assert [*last_is_newest(topic, books), *no_phantoms(pushes, topic), *repeats_are_the_same(topic)] == []
