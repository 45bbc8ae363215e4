"""The directory of one engine: claimed by one running engine at a time, and made whole or not at all."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.embedded.errors import DataDirectoryInUseError

# How long the engine of a program that has just died may take to end.
_LEAVING_SECONDS = 15.0


@asynccontextmanager
async def claimed(directory: Path) -> AsyncIterator[int]:
    """Hold the directory's lock file for the block; yields its descriptor.

    A process that inherits the descriptor holds the claim on after the block, until it ends.
    Raises DataDirectoryInUseError when a living program holds it; waits for the engine of a dead one to end.
    """
    descriptor = _open_lock(directory)
    try:
        deadline = time.monotonic() + _LEAVING_SECONDS
        while not _try_lock(descriptor):
            owner = int(os.pread(descriptor, 32, 0) or b"0")
            if _alive(owner) or time.monotonic() > deadline:
                raise DataDirectoryInUseError(f"{directory}, by process {owner}")
            await asyncio.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _open_lock(directory: Path) -> int:
    directory.mkdir(parents=True, exist_ok=True)
    return os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


@asynccontextmanager
async def made_whole(final: Path) -> AsyncIterator[Path]:
    """A fresh directory beside `final` that takes its place when the block ends well.

    What a crash left of an earlier attempt is swept first.
    """
    fresh = final.with_name(final.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    yield fresh
    fresh.rename(final)
