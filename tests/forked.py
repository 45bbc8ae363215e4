"""Programs started by `tests.fork_server`, seen as `asyncio.subprocess.Process` shows its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class ForkedProcess:
    """A started program. returncode: None until it has ended, negative for a signal."""

    pid: int
    stdout: asyncio.StreamReader
    stderr: asyncio.StreamReader
    _end: asyncio.Task[int]

    @property
    def returncode(self) -> int | None:
        return self._end.result() if self._end.done() else None

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal. Raises ProcessLookupError when it has ended."""
        if self._end.done():
            raise ProcessLookupError
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Wait for its end; its exit status."""
        return await asyncio.shield(self._end)


@cache
def server() -> socket.socket:
    """The socket of a server of this process's own, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def close() -> None:
        ours.close()
        process.wait()

    atexit.register(close)
    return ours


async def start_forked(
    arguments: Sequence[str], environment: Mapping[str, str], *, directory: Path = ROOT
) -> ForkedProcess:
    """Start `mallgate` with these arguments and nothing else in its environment; what it writes can be read."""
    ends, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ends.setblocking(False)
    stdout, out = await _pipe()
    stderr, err = await _pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    with ExitStack() as stack:
        stack.enter_context(theirs)
        for descriptor in (nothing, out, err):
            stack.callback(os.close, descriptor)
        request = {"arguments": arguments, "environment": dict(environment), "directory": str(directory)}
        given = [nothing, out, err, theirs.fileno()]
        await asyncio.to_thread(socket.send_fds, server(), [orjson.dumps(request)], given)
    pid = int(await asyncio.get_running_loop().sock_recv(ends, 32))
    return ForkedProcess(pid, stdout, stderr, asyncio.create_task(_ended(ends)))


@dataclass(frozen=True)
class Ended:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


async def run_forked(arguments: Sequence[str], environment: Mapping[str, str], *, directory: Path = ROOT) -> Ended:
    """Run `mallgate` to its end."""
    process = await start_forked(arguments, environment, directory=directory)
    out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
    return Ended(await process.wait(), out.decode(), err.decode())


async def _pipe() -> tuple[asyncio.StreamReader, int]:
    """What reads a new pipe, and the descriptor that is written to."""
    read, written = os.pipe()
    reader = asyncio.StreamReader(limit=2**20)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(read, "rb"))
    return reader, written


async def _ended(ends: socket.socket) -> int:
    with ends:
        return int(await asyncio.get_running_loop().sock_recv(ends, 32))
