"""How a long-running command ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

log = structlog.get_logger(__name__)

INTERRUPTED = 130


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, asked)
    return stop


@asynccontextmanager
async def leaving_within(seconds: float, stop: asyncio.Event) -> AsyncIterator[None]:
    """End this process when the block has not ended so long after `stop`, whatever it still waits for.

    Nothing is lost by that: what was promised is durable, and what was not is done again.
    """
    limit = asyncio.create_task(_limit(seconds, stop))
    try:
        yield
    finally:
        limit.cancel()


async def _limit(seconds: float, stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(seconds)
    log.warning("process.left", after_seconds=seconds, tasks=sorted(task.get_name() for task in asyncio.all_tasks()))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
