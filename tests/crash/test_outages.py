"""Kafka or PostgreSQL gone and back under load: no false 202, nothing lost, nobody has to restart the program."""

from __future__ import annotations

import signal

import pytest

from tests.crash.site import Load, Site, until_ready
from tests.vendor import Vendor, declared

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]


@pytest.mark.parametrize("name", ["kafka", "postgres"])
@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_an_engine_that_goes_and_comes_back_under_load_loses_nothing(site: Site, name: str, end: str) -> None:
    engine = getattr(site.engines, name)
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, await declared(program.admin_url, "acme"))
        load = Load([vendor])
        async with load.running():
            await load.taken(8)
            await getattr(engine, end)()
            await until_ready(program, ready=False)
            await load.refused(3)
            await engine.start()
            await until_ready(program)
            await load.taken(8)
        await site.settled(vendor)
        assert program.process.returncode is None
    assert await site.judged(load.pushes) == []
    assert set(load.refusals) <= {503, 409}
    assert load.without_advice == 0


@pytest.mark.parametrize(("name", "gone", "back"), [("kafka", "stop", "start"), ("postgres", "freeze", "thaw")])
async def test_a_program_told_to_end_while_an_engine_is_away_ends_well(
    site: Site, name: str, gone: str, back: str
) -> None:
    engine = getattr(site.engines, name)
    async with site.running(environment={"MALLGATE_DRAIN_TIMEOUT": "3"}) as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        load = Load([Vendor(program.url, keys)])
        async with load.running():
            await load.taken(3)
            await getattr(engine, gone)()
            try:
                await until_ready(program, ready=False)
                program.signal(signal.SIGTERM)
                assert await program.ended(within=30) == 0
            finally:
                await getattr(engine, back)()
            async with site.running() as successor:
                await successor.started()
                vendor = Vendor(successor.url, keys)
                load.vendors[0].url = successor.url
                await load.taken(3)
                await load.stop()
                await site.settled(vendor)
    assert await site.judged(load.pushes) == []


async def test_a_program_killed_and_another_started_under_load_share_the_work(site: Site) -> None:
    async with site.running() as first, site.running() as second:
        await first.started()
        await second.started()
        keys = await declared(first.admin_url, "acme")
        vendors = [Vendor(second.url, keys), Vendor(first.url, keys)]
        load = Load(vendors)
        async with load.running():
            await load.taken(8)
            await first.kill()
            vendors[1].url = second.url
            await load.taken(4)
            async with site.running() as third:
                await third.started()
                vendors[1].url = third.url
                await until_ready(third)
                await load.taken(8)
                await load.stop()
                await site.settled(vendors[0])
    assert await site.judged(load.pushes) == []
