"""Contestants are processes of their own, and none outlives the benchmark, however that ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

START_SECONDS = 60.0
STOP_SECONDS = 60.0


class ChildDiedError(Exception):
    """A contestant ended by itself."""


class Child:
    """A running contestant. Its output is always read, so that it never waits for a reader."""

    def __init__(self, process: Process, sign: bytes, count: int) -> None:
        self.pid = process.pid
        self._process = process
        self._sign = sign
        self._missing = count
        self._turn = asyncio.Event()
        self._last: deque[bytes] = deque(maxlen=40)
        self._reading = asyncio.create_task(self._read())

    async def started(self) -> None:
        """Wait for its sign. Raises ChildDiedError with the last of its output, and TimeoutError."""
        async with asyncio.timeout(START_SECONDS):
            await self._turn.wait()
        if self._missing > 0:
            raise ChildDiedError(b"".join(self._last).decode(errors="replace"))

    async def end(self) -> None:
        """Ask it to end; kill it when it does not."""
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        while self._process.stdout is not None and (line := await self._process.stdout.readline()):
            self._last.append(line)
            if self._sign in line:
                self._missing -= 1
            if self._missing <= 0:
                self._turn.set()
        self._turn.set()


@asynccontextmanager
async def running(
    *module: str, sign: bytes, count: int = 1, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Child]:
    """`python -m MODULE ARGUMENTS…` until the end of the block. It has started when `count` lines held the sign."""
    guard = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MALLGATE_")}
    process = await asyncio.create_subprocess_exec(
        *guard,
        sys.executable,
        "-m",
        *module,
        env=inherited | dict(environment or {}),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        limit=2**20,
    )
    child = Child(process, sign, count)
    try:
        await child.started()
        yield child
    finally:
        await child.end()
