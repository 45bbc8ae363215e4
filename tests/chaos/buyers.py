"""Cores of the mall that place orders by a plan, and what else somebody writes to the topic of commands."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contrib.journal import open_journal, restore
from contrib.mall.commands import CHINA, headers_of
from contrib.mall.core import COMMANDS, Core, Pace, commands_in, run
from contrib.mall.orders import Command
from contrib.mall.plan import Plan
from gateway.config import Bootstrap
from gateway.kafka import client_options
from tests.chaos.recorder import Recorder

FOR_EVER = 1e9
LINGER = 2.0
AWAY = 1.0
"""Seconds before a core that lost Kafka is started again."""

KILLS = (15.0, 60.0)
"""Seconds that a core lives until it is killed."""

STRAYS = (1.0, 4.0)
"""Seconds between two records that nobody needs."""

DELIVERY = 10.0
"""Seconds that one of them is waited for."""


@dataclass
class Buyer:
    """One core of the mall, which is killed now and then and started again with its journal.

    life: from a command to its deadline; rate: orders that it begins a second; core: the one that lives.
    """

    plans: Sequence[Plan]
    path: Path
    life: timedelta
    rate: float
    bootstrap: Bootstrap
    core: Core | None = None
    _living: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until everything that it placed is answered, whatever happens to it."""
        while True:
            living = self._living = asyncio.create_task(self._live())
            try:
                await asyncio.wait([living])
            finally:
                living.cancel()
            if living.cancelled():
                continue
            error = living.exception()
            if error is None:
                return
            if not isinstance(error, KafkaError | OSError):
                raise error
            await asyncio.sleep(AWAY)

    async def run_killed(self, stopping: asyncio.Event, rng: Random, recorder: Recorder) -> None:
        """Kill it now and then until told to stop."""
        while not stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(rng.uniform(*KILLS)):
                    await stopping.wait()
            living = self._living
            if not stopping.is_set() and living is not None and not living.done() and not living.cancelling():
                recorder.record("fault", kind="core killed", hold=0.0)
                living.cancel()

    def unanswered(self) -> list[str]:
        """What it waits for."""
        return [] if self.core is None else [f"{each.id} has no answer" for each in self.core.unanswered]

    def placed(self) -> list[Command]:
        """Everything in its journal."""
        return commands_in(restore(self.path))

    async def _live(self) -> None:
        entries = restore(self.path)
        async with open_journal(self.path) as journal:
            self.core = Core(self.plans, commands_in(entries), journal, self.life)
            pace = Pace(self.rate, FOR_EVER, LINGER)
            await run(self.core, client_options(self.bootstrap), "", pace)


class Garbage(NamedTuple):
    """A record that is no command."""

    key: bytes
    value: bytes


@dataclass
class Strays:
    """Records that are no use: garbage, none of ours, commands once more, and others under an id that was used."""

    bootstrap: Bootstrap
    buyers: Sequence[Buyer]
    rng: Random

    async def run(self, stopping: asyncio.Event) -> None:
        """One now and then until told to stop. Whether it was taken shows on the topic."""
        makers = (self._garbage, self._unknown_supplier, self._impossible, self._again, self._again, self._conflict)
        async with AIOKafkaProducer(**client_options(self.bootstrap), acks="all") as producer:
            for number in itertools.count(1):
                if stopping.is_set():
                    return
                await self._send(producer, self.rng.choice(makers)(number))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.rng.uniform(*STRAYS)):
                        await stopping.wait()

    async def _send(self, producer: AIOKafkaProducer, stray: Command | Garbage | None) -> None:
        if stray is None:
            return
        key = stray.key if isinstance(stray, Garbage) else stray.order_no.encode()
        headers = [] if isinstance(stray, Garbage) else headers_of(stray)
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(DELIVERY):
                await producer.send_and_wait(COMMANDS, stray.value, key, headers=headers)

    def _garbage(self, number: int) -> Garbage:
        values = (b"", b"oops", b'{"command_id": ', b"[1, 2]", b"\xff\xfe", b'{"order_no": "nobody"}')
        return Garbage(f"garbage-{number}".encode(), self.rng.choice(values))

    def _unknown_supplier(self, number: int) -> Command | None:
        return self._stray(number, {"supplier": "nobody"})

    def _impossible(self, number: int) -> Command | None:
        """With a revision that no order has."""
        return self._stray(number, {"revision": -1})

    def _again(self, _: int) -> Command | None:
        return self._any()

    def _conflict(self, _: int) -> Command | None:
        """The id of a command, with another deadline."""
        later = datetime.now(CHINA) + timedelta(days=2)
        return self._changed({"deadline": later.isoformat()})

    def _stray(self, number: int, change: Mapping[str, Any]) -> Command | None:
        """A command of an order of its own that is like another one but for a change."""
        name = f"STRAY-{number}"
        return self._changed({"command_id": str(uuid5(NAMESPACE_URL, name)), "order_no": name, **change})

    def _changed(self, change: Mapping[str, Any]) -> Command | None:
        command = self._any()
        if command is None:
            return None
        content = {**command.content, **change}
        return Command(orjson.dumps(content), content)

    def _any(self) -> Command | None:
        placed = [command for buyer in self.buyers if buyer.core is not None for command in buyer.core.placed]
        return self.rng.choice(placed) if placed else None
