"""Engines that a test may break, and a vendor who pushes all the while and never gives up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import orjson

from gateway.embedded import Engines
from tests.eventually import eventually
from tests.history import Pushed, judge
from tests.program import Program, running
from tests.reader import PRICES, Books, Entry, read_books, read_topics
from tests.vendor import NDJSON, Vendor, prices


@dataclass(frozen=True)
class Site:
    """Engines with a database and a topic prefix of this test's own."""

    engines: Engines
    database: str
    prefix: str

    def running(self, *, environment: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Program]:
        """A program on this site for the length of the block."""
        return running(self.engines.kafka_bootstrap, self.database, self.prefix, environment=environment)

    async def prices(self) -> list[Entry]:
        """Every record of the prices topic."""
        return (await read_topics(self.engines.kafka_bootstrap, self.prefix, [PRICES]))[PRICES]

    async def books(self) -> Books:
        """The tables in one snapshot."""
        return await read_books(self.database)

    async def judged(self, pushes: Sequence[Pushed]) -> list[str]:
        """Everything that is wrong with the history."""
        return judge(pushes, await read_topics(self.engines.kafka_bootstrap, self.prefix), await self.books())

    async def settled(self, vendor: Vendor) -> None:
        """Wait until every feed has ended and the prices topic is true."""
        await vendor.all_finished()
        await vendor.settled(self.engines.kafka_bootstrap, self.database, self.prefix)


async def readiness(program: Program) -> bool:
    """What /readyz says."""
    async with aiohttp.ClientSession() as session, session.get(f"{program.ops_url}/readyz") as response:
        return response.status == 200


async def until_ready(program: Program, *, ready: bool = True) -> None:
    """Wait until /readyz says so."""

    async def holds() -> bool:
        return await readiness(program) is ready

    await eventually(holds, within=60)


async def measured(program: Program, name: str) -> float:
    """A number of /metrics, of all its labels together; 0 where there is none."""
    async with aiohttp.ClientSession() as session, session.get(f"{program.ops_url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"mallgate_{name}"))


@dataclass
class Load:
    """Vendors' programs that push feed after feed of the same skus, each under a key until there is a 202.

    pushes: what was taken; refusals: everything else that was answered, by status; without_advice: 503s that did not
    say when to come back.
    """

    vendors: Sequence[Vendor]
    records: int = 300
    pushers: int = 4
    pushes: list[Pushed] = field(default_factory=list)
    refusals: Counter[int] = field(default_factory=Counter)
    without_advice: int = 0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _pushers: list[asyncio.Task[None]] = field(default_factory=list)
    _begun: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Push for the length of the block, or until stopped in it."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.pushers):
                self._pushers.append(group.create_task(self._push_on(self.vendors[number % len(self.vendors)])))
            yield
            self._stopping.set()

    async def stop(self) -> None:
        """Begin nothing new, and see what was begun to its end."""
        self._stopping.set()
        await asyncio.gather(*self._pushers)

    async def taken(self, more: int) -> None:
        """Wait until so many more feeds have been taken."""
        goal = len(self.pushes) + more

        async def holds() -> bool:
            return len(self.pushes) >= goal

        await eventually(holds, within=90)

    async def refused(self, more: int = 1) -> None:
        """Wait until so many more requests were answered with 503."""
        goal = self.refusals[503] + more

        async def holds() -> bool:
            return self.refusals[503] >= goal

        await eventually(holds, within=90)

    async def _push_on(self, vendor: Vendor) -> None:
        while not self._stopping.is_set():
            self._begun += 1
            amount, key = f"{self._begun}.00", f"load-{self._begun}"
            await self._push(vendor, prices(self.records, price=amount), key)

    async def _push(self, vendor: Vendor, lines: list[bytes], key: str) -> None:
        headers = {"Content-Type": NDJSON, "Idempotency-Key": key}
        while True:
            try:
                status, answered, body = await vendor.request(
                    "POST", "/v1/feeds/price", headers=headers, data=b"\n".join(lines) + b"\n"
                )
            except (aiohttp.ClientError, TimeoutError):
                status, answered, body = 0, {}, b""
            if status == 202:
                self.pushes.append(Pushed(lines, acked=True, feed_no=int(orjson.loads(body)["feed"])))
                return
            self.refusals[status] += 1
            self.without_advice += status == 503 and "Retry-After" not in answered
            await asyncio.sleep(0.3)  # a vendor's own patience; nothing here waits for it
