"""Full feeds whose program dies or freezes: in the end everything that is absent is withdrawn, and nothing else."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import orjson
import pytest

from tests.crash.site import Site
from tests.eventually import eventually
from tests.history import Pushed
from tests.program import fault
from tests.reader import Entry
from tests.vendor import Keys, Vendor, declared, prices

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]

ALL, KEPT = 3_000, 700
"""More than two batches are withdrawn."""


async def stocked(site: Site) -> tuple[Keys, Pushed]:
    """A supplier with ALL prices in the mall, whose full feeds nothing holds."""
    async with site.running() as program:
        await program.started()
        keys = await declared(program.admin_url, "acme", brakes={"withdraw": 1.0})
        return keys, await Vendor(program.url, keys).push(prices(ALL, price="10.00"), key="all", wait=60)


async def withdrawn(vendor: Vendor, push: Pushed) -> int:
    """How many keys a full feed says it withdrew."""
    _, _, body = await vendor.request("GET", f"/v1/feeds/{push.feed_no}")
    count: int = orjson.loads(body)["withdrawn"]
    return count


def on_sale(entries: list[Entry]) -> set[str]:
    """Skus that the topic does not end on null for."""
    last = {entry.key: entry.value for entry in entries}
    return {orjson.loads(value)["sku"] for value in last.values() if value is not None}


def named(count: int) -> set[str]:
    return {f"A-{number:06d}" for number in range(count)}


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("point", ["withdraw.before", "withdraw.after"])
async def test_a_program_killed_while_it_withdraws_is_finished_by_the_next(
    site: Site, tmp_path: Path, point: str, nth: int
) -> None:
    mark = tmp_path / "mark"
    keys, first = await stocked(site)
    async with site.running(environment=fault(point, "kill", mark, nth=nth)) as program:
        await program.started()
        push = await Vendor(program.url, keys).push(prices(KEPT, price="10.00"), key="full", wait=0, mode="full")
        assert await program.ended() == -signal.SIGKILL
    assert mark.read_text() == f"{point}\n"
    assert push.acked
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        await site.settled(vendor)
        assert await withdrawn(vendor, push) == ALL - KEPT
    assert on_sale(await site.prices()) == named(KEPT)
    assert await site.judged([first, push]) == []


@pytest.mark.parametrize(
    "point", ["admit.after_commit", "produce.after", "publish.after", "state.before_commit", "state.after_commit"]
)
async def test_a_full_feed_whose_program_is_killed_before_it_is_done_withdraws_all_the_same(
    site: Site, tmp_path: Path, point: str
) -> None:
    mark = tmp_path / "mark"
    keys, first = await stocked(site)
    full = prices(KEPT, price="11.00")
    async with site.running(environment=fault(point, "kill", mark)) as program:
        await program.started()
        await Vendor(program.url, keys).push(full, key="full", wait=0, mode="full")
        assert await program.ended() == -signal.SIGKILL
    assert mark.read_text() == f"{point}\n"
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        push = await vendor.push_until_taken(full, key="full", mode="full")
        await site.settled(vendor)
        assert await withdrawn(vendor, push) == ALL - KEPT
    assert on_sale(await site.prices()) == named(KEPT)
    assert await site.judged([first, push]) == []


@pytest.mark.parametrize("point", ["withdraw.before", "withdraw.after"])
async def test_a_frozen_withdrawal_that_wakes_late_takes_nothing_back(site: Site, tmp_path: Path, point: str) -> None:
    """Another process withdraws in its place, and the vendor sells again what was withdrawn, before it wakes."""
    mark = tmp_path / "mark"
    keys, first = await stocked(site)
    async with site.running(environment=fault(point, "stop", mark)) as zombie:
        await zombie.started()
        push = await Vendor(zombie.url, keys, patience=10).push(
            prices(KEPT, price="10.00"), key="full", wait=0, mode="full"
        )
        await eventually(lambda: asyncio.to_thread(mark.exists), within=60)
        async with site.running() as successor:
            await successor.started()
            vendor = Vendor(successor.url, keys)
            await vendor.all_finished()
            again = await vendor.push_until_taken(prices(ALL, price="12.00"), key="again")
            await vendor.all_finished()
            zombie.signal(signal.SIGCONT)
            zombie.signal(signal.SIGTERM)
            await zombie.ended()
            await site.settled(vendor)
    assert on_sale(await site.prices()) == named(ALL)
    assert await site.judged([first, push, again]) == []
