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

from gateway.embedded.errors import DataDirectoryInUseError, DataDirectoryOwnerError, DataDirectoryVersionError
from gateway.embedded.identity import User, open_directory, refuse_foreign_owner

# The layout of an engine's directory, said in a file among its data. 2: a server's user and passwords of its own; data
# without the file comes from servers that other users of the machine could use.
_LAYOUT = "2"
_LAYOUT_FILE = "mallgate.layout"

# How long the engine of a program that has just died may take to end.
_LEAVING_SECONDS = 15.0


@asynccontextmanager
async def claimed(directory: Path) -> AsyncIterator[int]:
    """Hold the directory's lock file for the block; yields its descriptor.

    A process that inherits the descriptor holds the claim on after the block, until it ends.
    Raises DataDirectoryInUseError when a living program holds it, DataDirectoryOwnerError when it is another user's;
    waits for the engine of a dead one to end.
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
    try:
        open_directory(directory)
        return os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError as error:
        raise DataDirectoryOwnerError(str(error)) from error


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


def stamp_layout(data: Path) -> None:
    """Note among fresh data how its directory is laid out."""
    (data / _LAYOUT_FILE).write_text(_LAYOUT)


def refuse_other_layout(data: Path, user: User | None) -> None:
    """Raises DataDirectoryOwnerError and DataDirectoryVersionError for data that is not the user's and not ours."""
    refuse_foreign_owner(data, os.geteuid() if user is None else user[0])
    file = data / _LAYOUT_FILE
    written = file.read_text() if file.exists() else "1"
    if written != _LAYOUT:
        raise DataDirectoryVersionError(f"{data} has layout {written} of mallgate, this one reads {_LAYOUT}")
