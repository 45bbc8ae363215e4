"""One engine process as the program sees it: started under a process guard, signalled, awaited.

Nothing here is bound to an event loop, so that an engine may be started in one loop and stopped in another.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from signal import SIGKILL, Signals
from typing import IO, cast

import orjson

from gateway.embedded.identity import User, engine_environment

# How long a killed process may take to be gone: the kernel may be writing its pages out.
KILL_SECONDS = 20.0

_FIRST_FOLDER = 100
"""Descriptor of the first folder opened for an engine; low numbers are taken by what it opens itself."""

_GUARD = Path(__file__).with_name("process_guard.py")


@dataclass(frozen=True, slots=True)
class Command:
    """What to run under a process guard.

    argv: the program by absolute path, and its arguments; directory: where it runs; environment: added to what every
    engine is told, on no command line, since it may hold passwords; input: the file it reads as standard input; user:
    whom to become, None to stay; folders: opened for it, to be named by `folder`; stop_signal: the signal it gets when
    the
    asking process is gone.
    """

    argv: Sequence[str]
    directory: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    input: str = os.devnull
    user: User | None = None
    folders: Sequence[str] = ()
    stop_signal: int = SIGKILL


def folder(number: int) -> str:
    """Path of the n-th folder of a command, from 0, for its own process and what that starts.

    It does not lead through the directories above, which an engine's user need not be allowed to pass.
    """
    return f"/proc/self/fd/{_FIRST_FOLDER + number}"


class GuardedProcess:
    """A running engine. `pid` is the engine's own first process."""

    def __init__(self, guard: subprocess.Popen[bytes], pid: int) -> None:
        self._guard = guard
        self._commands = cast("IO[bytes]", guard.stdin)  # both are pipes, see _launch
        self._replies = cast("IO[bytes]", guard.stdout)
        self.pid = pid

    @property
    def running(self) -> bool:
        """Whether anything of the engine is left."""
        return self._guard.poll() is None

    async def signal(self, signum: Signals, *, tree: bool = False) -> None:
        """Signal the engine's first process, or all its processes; sent on return. An ended engine hears nothing."""
        await asyncio.to_thread(self._signal, f"{'tree' if tree else 'engine'} {signum.value}\n".encode())

    async def ended(self, seconds: float) -> int | None:
        """The exit status, or None when the engine still runs after so many seconds."""
        try:
            status = await asyncio.to_thread(self._guard.wait, seconds)
        except subprocess.TimeoutExpired:
            return None
        self._commands.close()
        self._replies.close()
        return status

    def _signal(self, line: bytes) -> None:
        try:
            self._commands.write(line)
            self._replies.readline()
        except (BrokenPipeError, ValueError):
            return  # it has ended, and its pipes with it


@asynccontextmanager
async def run_guarded(command: Command, log: Path, *, lock: int | None = None) -> AsyncIterator[GuardedProcess | None]:
    """Start a command; None when it could not be started, and the log tells why.

    It outlives the block, unless the block raises or is cancelled. The descriptor `lock` stays open for as long as
    anything of the command is left.
    """
    launching = asyncio.ensure_future(asyncio.to_thread(_launch, command, log, lock))
    try:
        await asyncio.shield(launching)
        yield launching.result()
    except BaseException:
        if process := await launching:
            await process.signal(SIGKILL, tree=True)
            await process.ended(KILL_SECONDS)
        raise


def _launch(command: Command, log: Path, lock: int | None) -> GuardedProcess | None:
    specified = {name: value for name, value in asdict(command).items() if name != "environment"}
    specification = orjson.dumps(specified | {"asker": os.getpid()}).decode()
    with log.open("ab") as output:
        guard = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-I", "-S", str(_GUARD), specification],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env={**engine_environment(os.environ), **command.environment},
            pass_fds=() if lock is None else (lock,),
            start_new_session=True,
            bufsize=0,  # a write to a process guard that has ended fails at once, not again when the pipe is closed
        )
    if pid := cast("IO[bytes]", guard.stdout).readline():
        return GuardedProcess(guard, int(pid))
    guard.communicate()
    return None
