"""What the embedded engines have in common: the life of a guarded server process, and what its failure means."""

from __future__ import annotations

import asyncio
import errno
import shutil
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from typing import ClassVar

from gateway.embedded.directory import claimed
from gateway.embedded.errors import (
    DiskFullError,
    EngineError,
    EngineStartError,
    PortTakenError,
    UnsupportedPlatformError,
)
from gateway.embedded.ports import LOOPBACK, choose_port, is_free
from gateway.embedded.process import KILL_SECONDS, Command, GuardedProcess, run_guarded
from gateway.embedded.progress import Progress, Stage, Step, silent

_BOOT_SECONDS = 120.0
_PREPARE_SECONDS = 120.0
_STOP_SECONDS = 20.0
_PORT_DRAWS = 5
# Less than this left, and a server that does not start has no other reason worth telling.
_FULL_BYTES = 1 << 20
_TAIL_LINES = 8


class Engine(ABC):
    """A server in a directory of its own, on loopback, that ends with this program. Port and data outlive a stop."""

    name: ClassVar[str]
    stop_signal: ClassVar[Signals]

    def __init__(self, directory: Path, *, port: int | None = None, progress: Progress | None = None) -> None:
        self._directory = directory.absolute()
        self._log = self._directory / f"{self.name}.log"
        self._wanted_port = port
        self._progress = progress or silent
        self._process: GuardedProcess | None = None

    @property
    def port(self) -> int:
        """The port it listens on: the given one, else the one chosen at the first start."""
        if self._wanted_port is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._wanted_port

    @property
    def pid(self) -> int:
        """The server's first process."""
        return self._running().pid

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended since, frozen or not."""
        return self._process is not None and self._process.running

    @property
    def log(self) -> Path:
        """The server's log; the one of the start before stands beside it as `.previous`."""
        return self._log

    async def start(self) -> None:
        """Prepare the directory where needed, start the server, and return when it serves. Raises EngineError."""
        if sys.platform != "linux":
            raise UnsupportedPlatformError
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        with self._reporting_disk_full():
            async with claimed(self._directory) as lock:
                self._keep_previous_log()
                await self._prepare(lock)
                self._process = await self._boot(lock)
        self._report(Stage.READY)

    async def stop(self) -> None:
        """Ask the server to end and see it gone; killed when it takes too long. A stopped one stays stopped."""
        if self._process is None:
            return
        await self._process.signal(SIGCONT, tree=True)
        await self._process.signal(self.stop_signal)
        if await self._process.ended(_STOP_SECONDS) is None:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL for all its processes, as a crash would end them; returns when they are gone."""
        await self._running().signal(SIGKILL, tree=True)
        if await self._running().ended(KILL_SECONDS) is None:
            raise EngineError(f"{self.name} cannot be killed")

    async def freeze(self) -> None:
        """SIGSTOP for all its processes: it keeps its connections and answers nobody."""
        await self._running().signal(SIGSTOP, tree=True)

    async def thaw(self) -> None:
        """Let a frozen server go on."""
        await self._running().signal(SIGCONT, tree=True)

    @abstractmethod
    async def _prepare(self, lock: int) -> None:
        """Make the data directory where there is none. Raises DataDirectoryVersionError when it is not ours."""

    @abstractmethod
    def _serve(self, port: int) -> Command:
        """The command that serves the data directory on the port."""

    @abstractmethod
    def _ready(self, pid: int) -> bool:
        """Whether the server with this first process serves by now."""

    def _running(self) -> GuardedProcess:
        if self._process is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._process

    def _report(self, stage: Stage, done: int = 0, total: int = 0) -> None:
        self._progress(Step(self.name, stage, done, total))

    def _keep_previous_log(self) -> None:
        if self._log.exists():
            self._log.replace(self._log.with_suffix(".log.previous"))

    async def _run(self, command: Command, lock: int) -> None:
        """Run a preparing command to its end."""
        self._report(Stage.PREPARE)
        async with run_guarded(command, self._log, lock=lock) as process:
            if process is None or await process.ended(_PREPARE_SECONDS) != 0:
                raise self._failure()

    async def _boot(self, lock: int) -> GuardedProcess:
        self._report(Stage.BOOT)
        if self._wanted_port is not None:
            return await self._boot_on(self._wanted_port, lock)
        for _ in range(_PORT_DRAWS - 1):
            port = choose_port()
            try:
                process = await self._boot_on(port, lock)
            except PortTakenError:
                continue  # someone was quicker
            self._wanted_port = port
            return process
        self._wanted_port = choose_port()
        return await self._boot_on(self._wanted_port, lock)

    async def _boot_on(self, port: int, lock: int) -> GuardedProcess:
        if not is_free(port):
            raise PortTakenError(f"{LOOPBACK}:{port}, for {self.name}")
        async with run_guarded(self._serve(port), self._log, lock=lock) as process:
            deadline = time.monotonic() + _BOOT_SECONDS
            while process is not None and process.running and time.monotonic() < deadline:
                if self._ready(process.pid):
                    return process
                await asyncio.sleep(0.02)
            raise self._failure()

    def _failure(self) -> EngineError:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return diagnose(self.name, lines, self._log, free=shutil.disk_usage(self._directory).free)

    @contextmanager
    def _reporting_disk_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(str(self._directory)) from error
            raise


# What a server's log says -> what it means for who started it. The order is that of precedence.
_MEANINGS: tuple[tuple[str, type[EngineError]], ...] = (
    ("No space left on device", DiskFullError),
    ("Disk quota exceeded", DiskFullError),
    ("Address already in use", PortTakenError),
)


def diagnose(name: str, lines: list[str], log: Path, *, free: int) -> EngineError:
    """Why a server did not start, from the lines of its log and the bytes left on its disk.

    A full disk may have kept the log itself from being written, hence the second witness.
    """
    text = "\n".join(lines)
    for phrase, error in _MEANINGS:
        if phrase in text:
            return error(f"{name}, see {log}")
    if free < _FULL_BYTES:
        return DiskFullError(f"{name}, see {log}")
    tail = " | ".join(line.strip() for line in lines[-_TAIL_LINES:] if line.strip())
    return EngineStartError(f"{name}, {log} ends with: {tail or 'nothing'}")
