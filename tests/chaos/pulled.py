"""A supplier that is pulled all through the run: its goods change, and in the end the topics say what it offers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import aiohttp

from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.server import open_simulator
from contrib.simulators.jd_vop.simulator import Simulator
from gateway.config import Bootstrap
from tests.chaos.fleet import Fleet
from tests.chaos.recorder import Recorder
from tests.pulling import FACETS, Operator, differences, latest, row_of, truths, under_way

SUPPLIER = "jd"

SKUS = 60
"""Goods that it offers, in all its pools."""

SWEEP = "45s"
"""Every facet is pulled as a whole so often."""


class Pulled:
    """One simulated supplier and the gateway's owner of it, whichever that is."""

    def __init__(
        self, simulator: Simulator, fleet: Fleet, bootstrap: Bootstrap, recorder: Recorder, rng: Random
    ) -> None:
        self._simulator = simulator
        self._fleet = fleet
        self._bootstrap = bootstrap
        self._recorder = recorder
        self._rng = rng
        self._asked_at: datetime | None = None

    async def declare(self) -> None:
        """Have it pulled from now on."""
        row = row_of(self._simulator, pulls=dict.fromkeys(FACETS, SWEEP), brakes={"withdraw": 1.0})
        await Operator(self._fleet.admin_urls()[0]).declare(**{SUPPLIER: row})

    async def run(self, stopping: asyncio.Event) -> None:
        """Change something every now and then until told to stop."""
        while not stopping.is_set():
            self._simulator.changes.several(self._rng.randint(1, 3), None)
            try:
                async with asyncio.timeout(self._rng.uniform(0.5, 2.0)):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def swept(self) -> bool:
        """Whether every facet was pulled as a whole since this was asked first, and all of it took effect.

        Nothing changes now.
        """
        if self._asked_at is None:
            await self._ask("POST", f"suppliers/{SUPPLIER}/pull", {})
            self._asked_at = datetime.now(UTC)
        facets = (await self._status())["facets"]  # first: afterwards none of these feeds begins
        feeds = (await self._ask("GET", f"feeds?limit=200&supplier={SUPPLIER}"))["feeds"]
        waiting = [facet.get("waiting") for facet in facets.values()]
        fresh = all(self._fresh(facets.get(facet, {})) for facet in FACETS)
        return fresh and not any(waiting) and not any(map(under_way, feeds))

    def _fresh(self, facet: dict[str, Any]) -> bool:
        at = facet.get("fresh_at")
        return at is not None and self._asked_at is not None and datetime.fromisoformat(at) > self._asked_at

    async def write_down(self) -> None:
        """Note where the topics do not say what it offers."""
        records = await latest(self._bootstrap, "", SUPPLIER)
        self._recorder.record("pulled", differences=differences(records, truths(self._simulator)))

    async def _status(self) -> dict[str, Any]:
        found = await self._ask("GET", "pulls")
        return next((each for each in found["suppliers"] if each["supplier"] == SUPPLIER), {"facets": {}})

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        """Raises OSError while nobody answers."""
        urls = self._fleet.admin_urls()
        if not urls:
            raise OSError("no program")
        try:
            return await Operator(self._rng.choice(urls)).ask(method, path, body)
        except (aiohttp.ClientError, AssertionError) as error:
            raise OSError(str(error)) from error


@asynccontextmanager
async def open_pulled(fleet: Fleet, bootstrap: Bootstrap, recorder: Recorder, rng: Random) -> AsyncIterator[Pulled]:
    """A supplier that answers until the end of the block."""
    async with open_simulator(Config(skus=SKUS, seed=rng.randrange(1000))) as simulator:
        pulled = Pulled(simulator, fleet, bootstrap, recorder, rng)
        await pulled.declare()
        yield pulled
