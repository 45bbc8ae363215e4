"""The real program as a process of its own, for tests that kill, freeze and restart it."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from gateway.config import Bootstrap, kafka_environment
from tests.forked import ForkedProcess, start_forked

KEY = base64.b64encode(b"\x07" * 32).decode()
"""Secret key of every program under test."""

COMMAND = ("run", "--port", "0")

ADMIN_TOKEN = "admin-token-of-the-tests"


@dataclass
class Program:
    """One `mallgate run`. log: every line it has logged.

    url: of the vendors' API, once it takes requests, empty where its roles serve none; admin_url, ops_url: the same.
    """

    process: asyncio.subprocess.Process | ForkedProcess
    log: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    admin_url: str = ""
    ops_url: str = ""
    _started: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Task[None] | None = None

    async def read_log(self) -> None:
        """Take in what it logs until it ends."""
        stream = self.process.stderr
        assert stream is not None
        async for line in stream:
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:
                event = {"event": "unreadable", "line": line.decode(errors="replace")}
            self.log.append(event)
            if event.get("event") == "process.started":
                self.url, self.admin_url, self.ops_url = (event[name] or "" for name in ("url", "admin", "ops"))
                self._started.set()
        self._started.set()

    async def started(self, *, within: float = 60.0) -> None:
        """Wait until it takes requests; fails with its log when it ends instead."""
        async with asyncio.timeout(within):
            await self._started.wait()
        assert self.ops_url, f"the program ended: {self.log[-5:]}"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def ended(self, *, within: float = 60.0) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    async def kill(self) -> None:
        """SIGKILL, also when it is frozen, and wait for the end."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        if self._reading is not None:
            await self._reading

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it logged under one event name."""
        return [event for event in self.log if event.get("event") == name]


@asynccontextmanager
async def running(
    bootstrap: Bootstrap,
    database: str,
    prefix: str,
    *,
    environment: Mapping[str, str | None] | None = None,
    wrapper: Sequence[str] = (),
) -> AsyncIterator[Program]:
    """A program on these services until the block ends, however it ends.

    environment: beside the usual one, None for what is not to be set; wrapper: a command that becomes the program.
    """
    usual: dict[str, str | None] = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MALLGATE_")},
        **kafka_environment(bootstrap),
        "DATABASE_URL": database,
        "MALLGATE_TOPIC_PREFIX": prefix,
        "MALLGATE_PARTITIONS": "3",
        "MALLGATE_SECRET_KEY": KEY,
        "MALLGATE_ADMIN_TOKEN": ADMIN_TOKEN,
        "MALLGATE_DRAIN_TIMEOUT": "10",
        **(environment or {}),
    }
    given = {name: value for name, value in usual.items() if value is not None}
    process = await (_executed(wrapper, given) if wrapper else start_forked(COMMAND, given))
    program = Program(process)
    program._reading = asyncio.create_task(program.read_log())
    try:
        yield program
    finally:
        await program.kill()


async def _executed(wrapper: Sequence[str], environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *wrapper,
        *(sys.executable, "-m", "gateway", *COMMAND),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )


def fault(point: str, act: str, mark: Path, *, nth: int = 1) -> dict[str, str]:
    """Environment that kills or freezes the program when it reaches a point for the n-th time."""
    return {"MALLGATE_FAULT": f"{point}:{nth}={act}", "MALLGATE_FAULT_MARK": str(mark)}
