"""Carries the faults out. SIGKILL and SIGSTOP go only to processes that this run started."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from random import Random

import asyncpg

from gateway.embedded import Engine, Engines
from gateway.telemetry.failpoints import POINTS
from tests.chaos.fleet import Fleet, Seat
from tests.chaos.plan import Fault
from tests.chaos.recorder import Recorder
from tests.eventually import eventually

BACKENDS = """
    SELECT pid FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND application_name LIKE 'mallgate%' AND pid <> pg_backend_pid()
     ORDER BY pid
"""

FEEDS, AT_MOST = 3, 15.0
"""Feeds that have to be taken between two faults, and the seconds that are waited for them."""

MOST_BACKENDS = 3
"""Connections that one fault meets."""


class Breaker:
    """Brings the planned faults about, each at its time; two never meet the same engine or program at once."""

    def __init__(self, engines: Engines, fleet: Fleet, recorder: Recorder) -> None:
        self._engines = engines
        self._fleet = fleet
        self._recorder = recorder
        self._taken = 0
        self._locks = {name: asyncio.Lock() for name in ("kafka", "postgres")}

    async def run(self, faults: list[Fault]) -> None:
        """All of them; returns when the last one is over and what it broke is mended."""
        at = 0.0
        async with asyncio.TaskGroup() as group:
            for fault in faults:
                if fault.at > at:
                    await asyncio.sleep(fault.at - at)
                    await self._something_taken()
                at = fault.at
                group.create_task(self._carry_out(fault))

    async def _something_taken(self) -> None:
        """Wait until feeds were taken since the fault before: on a busy machine nothing would be under way."""
        goal = self._taken + FEEDS

        async def enough() -> bool:
            return len(self._recorder.numbers) >= goal

        with suppress(TimeoutError):
            await eventually(enough, within=AT_MOST)
        self._taken = len(self._recorder.numbers)

    async def _carry_out(self, fault: Fault) -> None:
        match fault.target:
            case "gateway":
                rng = Random(fault.draw)
                await self._gateway(fault, rng.choice(self._fleet.seats), rng)
            case "backend":
                await self._backends(fault, Random(fault.draw))
            case "kafka":
                await self._engine(fault, self._engines.kafka)
            case "postgres":
                await self._engine(fault, self._engines.postgres)

    def _note(self, fault: Fault, **details: object) -> None:
        self._recorder.record("fault", kind=fault.kind, hold=fault.hold, **details)

    async def _gateway(self, fault: Fault, seat: Seat, rng: Random) -> None:
        match fault.kind:
            case "gateway killed":
                self._note(fault, seat=seat.number)
                await self._fleet.again(seat, fault.hold)
            case "gateway killed at a point":
                point, nth = rng.choice(POINTS), rng.randint(1, 6)
                self._note(fault, seat=seat.number, point=point, nth=nth)
                await self._fleet.again(seat, 0.0, self._fleet.arming(point, nth))
            case "gateway ended":
                self._note(fault, seat=seat.number)
                await self._fleet.end(seat)
            case _:
                self._note(fault, seat=seat.number)
                await self._fleet.freeze(seat, fault.hold)

    async def _engine(self, fault: Fault, engine: Engine) -> None:
        async with self._locks[engine.name]:
            self._note(fault)
            match fault.kind.rsplit(" ", 1)[1]:
                case "frozen":
                    await engine.freeze()
                    try:
                        await asyncio.sleep(fault.hold)
                    finally:
                        await engine.thaw()
                    return
                case "killed":
                    await engine.kill()
                case _:
                    await engine.stop()
            await asyncio.sleep(fault.hold)
            await engine.start()

    async def _backends(self, fault: Fault, rng: Random) -> None:
        """Single connections of the gateway stop answering, or end, while PostgreSQL goes on for all others."""
        async with self._locks["postgres"]:
            found = await _backends(self._engines.database_url)
            chosen = rng.sample(found, min(len(found), rng.randint(1, MOST_BACKENDS)))
            self._note(fault, backends=len(chosen))
            if fault.kind == "backends ended":
                _signal(chosen, signal.SIGTERM)
                return
            _signal(chosen, signal.SIGSTOP)
            try:
                await asyncio.sleep(fault.hold)
            finally:
                _signal(chosen, signal.SIGCONT)


async def _backends(url: str) -> list[int]:
    with suppress(OSError, asyncpg.PostgresError, TimeoutError):
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return [row["pid"] for row in await connection.fetch(BACKENDS)]
        finally:
            await connection.close()
    return []


def _signal(backends: list[int], number: signal.Signals) -> None:
    for backend in backends:
        with suppress(ProcessLookupError):
            os.kill(backend, number)
