"""Serving a simulated supplier on this machine: as a program of its own, or inside the program that tests it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from contrib.journal import background, open_journal, restore
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.simulator import Simulator

HOST = "127.0.0.1"
TICK = 0.05


@asynccontextmanager
async def open_simulator(config: Config) -> AsyncIterator[Simulator]:
    """A supplier that answers at `.url` until the end."""
    effects = restore(config.ledger)
    async with open_journal(config.log) as journal, open_journal(config.ledger) as ledger:
        simulator = Simulator(config, journal, ledger)
        simulator.book.restore(effects)
        simulator.services.restore(each for each in effects if "afsServiceId" in each)
        runner = web.ServerRunner(web.Server(simulator.handle, access_log=None), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, HOST, config.port)
        await site.start()
        simulator.url = f"http://{HOST}:{runner.addresses[0][1]}"
        try:
            async with background(_live(simulator)):
                yield simulator
        finally:
            simulator.closing.set()
            await runner.cleanup()


async def _live(simulator: Simulator) -> None:
    """Make the changes that happen by themselves, as many as are due at every tick."""
    rate, began, done = simulator.config.changes_per_second, time.monotonic(), 0
    if not rate or not simulator.config.skus:
        return
    while True:
        await asyncio.sleep(TICK)
        due = int((time.monotonic() - began) * rate) - done
        simulator.changes.several(due, None)
        done += due
