"""Background tasks of a process, and the time that they get to end well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog

from gateway.sdk.errors import ServiceUnavailableError
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)


class Drain:
    """The time that requests and, after them, chunks under way have together once the process is told to stop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end: float | None = None

    def begin(self) -> None:
        """It runs from now on."""
        self._end = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds left; all of them before it has begun."""
        return self.seconds if self._end is None else max(0.0, self._end - time.monotonic())


@dataclass(frozen=True, slots=True)
class Job:
    """A background task with an owner. stop: asks it to end by itself; without it the task is simply cancelled.

    supervisors: of the units that it works on.
    """

    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    stop: Callable[[], None] | None = None
    supervisors: Sequence[Supervisor[Any]] = ()


@asynccontextmanager
async def working(jobs: Sequence[Job], drain: Drain) -> AsyncIterator[None]:
    """Run jobs beside the block; the end of one ends the block. Afterwards they get what is left to end well."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_endless(job), name=job.name) for job in jobs]
        try:
            yield
        finally:
            stopping = [task for job, task in zip(jobs, tasks, strict=True) if job.stop is not None]
            for job in jobs:
                if job.stop is not None:
                    job.stop()
            if stopping:
                await asyncio.wait(stopping, timeout=drain.left)
            for task in tasks:
                task.cancel()


async def repeat(name: str, look: Callable[[], Awaitable[object]], seconds: float) -> NoReturn:
    """Look, wait so many seconds, look again, until cancelled. While a service is away the next look makes up for it.

    name: of what is looked at, a noun, for the logs. Raises whatever else `look` raises.
    """
    away = False
    while True:
        try:
            await look()
            away = False
        except ServiceUnavailableError as error:
            if not away:
                log.info("job.look_postponed", job=name, error=str(error))
            away = True
        await asyncio.sleep(seconds)


async def _endless(job: Job) -> None:
    await job.run()
    if job.stop is None:
        raise RuntimeError(f"job {job.name} ended by itself")
