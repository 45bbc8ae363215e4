"""Several workers look like one process from outside, and none is left when their parent is gone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.embedded import Engines
from tests.eventually import eventually
from tests.program import KEY, Program, running

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]

ASKED = 200
"""Requests on connections of their own: the kernel gives each worker some."""


@asynccontextmanager
async def workers(
    engines: Engines, database: str, prefix: str, **environment: str | None
) -> AsyncIterator[tuple[Program, list[psutil.Process]]]:
    """A program with two workers that both take requests, and these."""
    async with running(
        engines.kafka_bootstrap, database, prefix, environment={"MALLGATE_WORKERS": "2", **environment}
    ) as program:

        async def all_serve() -> bool:
            assert program.process.returncode is None, program.log[-5:]
            return len(program.events("process.started")) == 3  # theirs, and their parent's

        await eventually(all_serve, within=90.0)
        yield program, psutil.Process(program.process.pid).children()


async def status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(f"{url}/v1/feeds") as response:
        return response.status


async def answered(session: aiohttp.ClientSession, url: str) -> float:
    """How many of our requests were answered, by the metrics that any worker shows."""
    async with session.get(f"{url}/metrics") as response:
        families = text_string_to_metric_families(await response.text())
    counted = (sample for family in families for sample in family.samples)
    return sum(
        sample.value
        for sample in counted
        if sample.name == "mallgate_http_requests_total" and sample.labels["route"] == "/v1/feeds"
    )


async def gone(processes: list[psutil.Process], url: str) -> bool:
    """Whether none of the processes is left, and nobody listens."""
    if any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
        return False
    host, _, port = url.removeprefix("http://").partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def test_counters_of_all_workers_are_counted_and_never_run_backwards(
    engines: Engines, database: str, topic_prefix: str
) -> None:
    async with (
        workers(engines, database, topic_prefix) as (program, _),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session,
    ):
        seen = [0.0]

        async def looked() -> float:
            seen.append(await answered(session, program.ops_url))
            return seen[-1]

        for _ in range(ASKED):
            assert await status(session, program.url) == 401
            await looked()

        async def whole() -> bool:
            return await looked() == ASKED

        await eventually(whole)
        assert seen == sorted(seen)


@pytest.mark.parametrize("begun", [True, False])
async def test_no_worker_is_left_when_the_parent_is_killed(
    engines: Engines, database: str, topic_prefix: str, *, begun: bool
) -> None:
    async with running(
        engines.kafka_bootstrap, database, topic_prefix, environment={"MALLGATE_WORKERS": "2"}
    ) as program:

        def children() -> list[psutil.Process]:
            return psutil.Process(program.process.pid).children()

        async def there() -> bool:
            return len(program.events("process.started")) == 3 if begun else len(children()) == 2

        await eventually(there, within=90.0)
        left = children()
        program.signal(signal.SIGKILL)
        await program.process.wait()
        url = program.url or "http://127.0.0.1:1"
        await eventually(lambda: gone(left, url), within=60.0)


async def test_workers_start_with_their_secret_key_in_a_file(
    engines: Engines, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret.key"
    file.write_text(KEY)
    file.chmod(0o600)
    given = {"MALLGATE_SECRET_KEY": None, "MALLGATE_SECRET_KEY_FILE": str(file)}
    async with workers(engines, database, topic_prefix, **given) as (program, processes):
        assert len(processes) == 2
        program.signal(signal.SIGTERM)
        assert await program.ended() == 0
        assert await gone(processes, program.url)


async def test_all_end_when_one_does(engines: Engines, database: str, topic_prefix: str) -> None:
    async with workers(engines, database, topic_prefix) as (program, processes):
        processes[0].kill()
        assert await program.ended() != 0
        assert await gone(processes, program.url)
