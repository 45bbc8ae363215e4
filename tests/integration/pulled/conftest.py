"""One program and one simulated supplier, both real, on engines with a database and a prefix of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.server import open_simulator
from contrib.simulators.jd_vop.simulator import Simulator
from gateway.embedded import Engines
from tests.engines import fresh_database, fresh_prefix
from tests.program import Program, running
from tests.pulling import Operator, differences, latest, row_of, truths
from tests.reader import Books, Entry, read_books


@dataclass
class Ground:
    """Where programs and simulators of one test meet."""

    engines: Engines
    database: str
    prefix: str
    directory: Path

    @asynccontextmanager
    async def simulator(self, **config: Any) -> AsyncIterator[Simulator]:
        """A supplier that keeps a file of its calls."""
        log = self.directory / f"calls-{len([*self.directory.iterdir()])}.jsonl"
        async with open_simulator(Config(**{"skus": 120, "log": log, **config})) as simulator:
            yield simulator

    @asynccontextmanager
    async def program(self, **environment: str) -> AsyncIterator[Program]:
        """A gateway that takes requests."""
        async with running(
            self.engines.kafka_bootstrap, self.database, self.prefix, environment=environment
        ) as program:
            await program.started()
            yield program

    @asynccontextmanager
    async def swept(self, simulator: Simulator, **changes: Any) -> AsyncIterator[Operator]:
        """A gateway that has pulled supplier `jd` as a whole."""
        async with self.program() as program:
            operator = Operator(program.admin_url)
            await operator.declare(jd=row_of(simulator, **changes))
            await operator.until_swept("jd")
            await operator.until_finished()
            yield operator

    async def latest(self, supplier: str = "jd") -> dict[str, dict[str, Entry]]:
        """The last record of every key, by facet and sku."""
        return await latest(self.engines.kafka_bootstrap, self.prefix, supplier)

    async def wrong(self, simulator: Simulator, supplier: str = "jd") -> list[str]:
        """Where the topics do not say what is so at the supplier."""
        return differences(await self.latest(supplier), truths(simulator))

    async def books(self) -> Books:
        """The tables in one snapshot."""
        return await read_books(self.database)


@pytest.fixture
def ground(engines: Engines, database: str, topic_prefix: str, tmp_path: Path) -> Ground:
    """Engines, an empty database, a prefix that no topic has, a directory."""
    return Ground(engines, database, topic_prefix, tmp_path)


@pytest.fixture(scope="module")
async def shared(engines: Engines, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ground]:
    """The same for a whole module, whose tests have suppliers of their own."""
    async with fresh_database(engines, template) as database, fresh_prefix(engines) as prefix:
        yield Ground(engines, database, prefix, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
async def operator(shared: Ground) -> AsyncIterator[Operator]:
    """The operator of one program for a whole module."""
    async with shared.program() as program:
        yield Operator(program.admin_url)
