"""What a contestant costs: processor time and peak memory of its process and all processes below it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.5


def tree(pid: int) -> list[psutil.Process]:
    """The process and everything below it."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time of the tree so far."""
    total = 0.0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def peak_bytes(pid: int) -> int:
    """Largest resident size that one process has ever had, as the kernel has it; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@asynccontextmanager
async def peaks(pid: int) -> AsyncIterator[dict[int, int]]:
    """Peak bytes by pid of every process that the tree has while the block runs, filled in as it goes."""
    found: dict[int, int] = {}

    def look() -> None:
        with suppress(psutil.NoSuchProcess):
            for process in tree(pid):
                found[process.pid] = max(peak_bytes(process.pid), found.get(process.pid, 0))

    async def sample() -> None:
        while True:
            look()
            await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    try:
        yield found
        look()
    finally:
        sampling.cancel()
