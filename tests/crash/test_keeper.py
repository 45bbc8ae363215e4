"""A broker frozen for longer than anybody waits for it, while newer values of the same keys wait: in the end the topic
says the newest of every key, whatever the broker appended when it woke."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from gateway.kafka import client_options
from tests.crash.site import Load, Site, measured, readiness, until_ready
from tests.eventually import eventually
from tests.program import fault
from tests.reader import PRICES, Entry
from tests.vendor import Vendor, declared, prices

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]


async def appended(site: Site, entries: list[Entry]) -> None:
    """Old batches that a broker still had in its hands, in their order."""
    producer = AIOKafkaProducer(**client_options(site.engines.kafka_bootstrap))
    await producer.start()
    try:
        for entry in entries:
            headers = list(entry.headers.items())
            await producer.send_and_wait(
                site.prefix + PRICES, entry.value, entry.key, partition=entry.partition, headers=headers
            )
    finally:
        await producer.stop()


async def test_a_broker_frozen_past_every_deadline_under_load_ends_on_the_newest(site: Site) -> None:
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, await declared(program.admin_url, "acme"))
        load = Load([vendor], pushers=8, records=500)
        async with load.running():
            await load.taken(12)
            await site.engines.kafka.freeze()
            try:
                await load.refused(8)
                assert not await readiness(program)
            finally:
                await site.engines.kafka.thaw()
            await until_ready(program)
            await load.taken(12)
        await site.settled(vendor)
    assert await site.judged(load.pushes) == []
    assert set(load.refusals) <= {503, 409}


async def test_a_broker_that_freezes_between_two_values_of_the_same_keys_ends_on_the_newer(
    site: Site, tmp_path: Path
) -> None:
    """The old values lie in the frozen broker's hands, from a program that is dead by the time it wakes."""
    mark = tmp_path / "mark"
    old, new = prices(1_000, price="10.00"), prices(1_000, price="20.00")
    async with site.running(environment=fault("publish.before", "stop", mark)) as first:
        await first.started()
        keys = await declared(first.admin_url, "acme")
        pushes = [await Vendor(first.url, keys).push(old, key="old", wait=0)]

        async def at_the_point() -> bool:
            return mark.exists()

        async def gave_up() -> bool:
            return await measured(first, "publish_seconds_count") > 0

        await eventually(at_the_point)
        async with site.running() as second:
            await second.started()
            vendor = Vendor(second.url, keys)
            pushes.append(await vendor.push_until_taken(new, key="new"))
            await site.engines.kafka.freeze()
            try:
                first.signal(signal.SIGCONT)
                await eventually(gave_up, within=60)
                await first.kill()
            finally:
                await site.engines.kafka.thaw()
            pushes[0] = await vendor.push_until_taken(old, key="old")
            await site.settled(vendor)
    assert await site.judged(pushes) == []


async def test_old_batches_appended_behind_newer_values_are_answered_by_the_program(site: Site) -> None:
    async with site.running() as program:
        await program.started()
        vendor = Vendor(program.url, await declared(program.admin_url, "acme"))
        pushes = [await vendor.push(prices(1_000, price="10.00"), key="old", wait=30)]
        stale = await site.prices()
        pushes.append(await vendor.push(prices(1_000, price="20.00"), key="new", wait=30))
        await appended(site, stale)
        await site.settled(vendor)
    assert len(await site.prices()) == 4_000
    assert await site.judged(pushes) == []
