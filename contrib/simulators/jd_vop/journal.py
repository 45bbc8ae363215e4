"""The log of calls: one line of JSON for each, on disk before its answer leaves.

Calls that wait together share one sync, made in a thread, so that thousands of them a second can be told for certain.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson


class Journal:
    """A file that is only added to."""

    def __init__(self, *, kept: bool) -> None:
        self._kept = kept
        self._lines: list[bytes] = []
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self.syncs = 0

    async def record(self, entry: dict[str, Any]) -> None:
        """Write an entry, and return when it is on disk."""
        if not self._kept:
            return
        self._lines.append(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
        written = self._written
        self._wake.set()
        await written.wait()

    async def run(self, file: int) -> None:
        """Write what waits, again and again; ends only when cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "journal") as thread:
            while True:
                await self._wake.wait()
                self._wake.clear()
                lines, self._lines = self._lines, []
                written, self._written = self._written, asyncio.Event()
                await loop.run_in_executor(thread, _sync, file, b"".join(lines))
                self.syncs += 1
                written.set()


@asynccontextmanager
async def open_journal(path: Path | None) -> AsyncIterator[Journal]:
    """A journal at the end of this file; without a path it keeps nothing."""
    if path is None:
        yield Journal(kept=False)
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    journal = Journal(kept=True)
    try:
        async with background(journal.run(file)):
            yield journal
    finally:
        os.close(file)


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Something that goes on meanwhile, and ends with it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _sync(file: int, lines: bytes) -> None:
    view = memoryview(lines)
    while view:
        view = view[os.write(file, view) :]
    os.fdatasync(file)
