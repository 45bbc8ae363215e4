"""Files that are only added to, one line of JSON for each entry, on disk before anything leaves that depends on it.

Those who wait together share one sync, made in a thread, so that thousands of entries a second can be kept for certain.
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
        self._being_written = asyncio.Event()
        self._being_written.set()
        self.syncs = 0

    async def record(self, entry: dict[str, Any]) -> None:
        """Write an entry, and return when it is on disk."""
        self.add(entry)
        await self.settled()

    def add(self, entry: dict[str, Any]) -> None:
        """Let an entry be the next to be written."""
        if self._kept:
            self._lines.append(orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
            self._wake.set()

    async def settled(self) -> None:
        """Return when every entry that has been added is on disk."""
        await (self._written if self._lines else self._being_written).wait()

    async def run(self, file: int) -> None:
        """Write what waits, again and again; ends only when cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "journal") as thread:
            while True:
                await self._wake.wait()
                self._wake.clear()
                lines, self._lines = self._lines, []
                self._being_written, self._written = self._written, asyncio.Event()
                await loop.run_in_executor(thread, _sync, file, b"".join(lines))
                self.syncs += 1
                self._being_written.set()


def restore(path: Path | None) -> list[dict[str, Any]]:
    """The entries that a file holds before it is added to; none for no file.

    What a dying process left unfinished at the end is cut off, so that the next entry has a line of its own.
    """
    if path is None or not path.exists():
        return []
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    os.truncate(path, whole)
    return [orjson.loads(line) for line in content[:whole].splitlines()]


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
