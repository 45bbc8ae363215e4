"""Engines of these tests' own, and programs that hold engines."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest

from gateway.embedded import Engines, open_engines

HOLDER = Path(__file__).with_name("holder.py")
SECONDS = 60.0


@pytest.fixture(scope="package")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    """For tests that do not mind what others put in and leave the engines running."""
    async with open_engines(tmp_path_factory.mktemp("shared")) as opened:
        yield opened


@pytest.fixture
async def engines(shared: Engines) -> AsyncIterator[Engines]:
    """The shared ones, for tests that stop, kill and freeze them: here they are brought back."""
    yield shared
    for engine in (shared.kafka, shared.postgres):
        if engine.running:
            await engine.thaw()
        else:
            await engine.start()


class Deaths:
    """Processes whose end is awaited; watched from before they are ended, so that a pid cannot be mistaken."""

    def __init__(self, pids: list[int]) -> None:
        self._watched: dict[int, int] = {}
        for pid in pids:
            # One that has ended by itself meanwhile, as those that only prepare do, needs no watching.
            with contextlib.suppress(ProcessLookupError):
                self._watched[os.pidfd_open(pid)] = pid

    def survivors(self) -> set[int]:
        """The pids still alive after a generous wait; empty as soon as all are gone."""
        poll = select.poll()
        for descriptor in self._watched:
            poll.register(descriptor, select.POLLIN)
        while self._watched:
            ended = poll.poll(SECONDS * 1000)
            if not ended:
                break
            for descriptor, _ in ended:
                poll.unregister(descriptor)
                os.close(descriptor)
                del self._watched[descriptor]
        return set(self._watched.values())


@dataclass
class Holder:
    """A running `holder.py`."""

    process: subprocess.Popen[str]
    data_dir: Path

    @property
    def output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def until(self, words: str) -> list[str]:
        """Read what it says up to a line; fails when it ends before."""
        lines: list[str] = []
        for line in self.output:
            lines.append(line.strip())
            if lines[-1] == words:
                return lines
        raise AssertionError(f"ended with {self.process.wait()} before {words!r}: {lines}")

    def engine_pids(self) -> list[int]:
        """Every process below it: the guards, the engines, and the engines' own."""
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]


@contextmanager
def hold(data_dir: Path, way: str = "plain", *, wrapper: tuple[str, ...] = ()) -> Iterator[Holder]:
    process = subprocess.Popen(
        [*wrapper, sys.executable, str(HOLDER), way, str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield Holder(process, data_dir)
        finally:
            process.kill()


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Whatever runs with the directory in its command line or as its place."""
    return [process for process in psutil.process_iter() if str(data_dir) in described(process)]


def described(process: psutil.Process) -> str:
    try:
        return " ".join([process.cwd(), *process.cmdline()])
    except psutil.Error:  # gone meanwhile, or none of ours
        return ""
