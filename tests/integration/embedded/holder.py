"""A program that opens engines and holds them until it is ended; the tests run it and kill it in every way.

Writes one word per line as it goes: each stage an engine reaches, then `open`. The way it runs is the first argument.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from gateway.embedded import Step, open_engines


def say(*words: object) -> None:
    print(*words, flush=True)


def show(step: Step) -> None:
    say(step.engine, step.stage)


async def hold(data_dir: Path, *, fork: bool, freeze: bool) -> None:
    async with open_engines(data_dir, progress=show) as engines:
        if freeze:
            await engines.kafka.freeze()
            await engines.postgres.freeze()
        if fork:
            fork_worker()
        say("open")
        await asyncio.Event().wait()


def fork_worker() -> None:
    """A child that inherits every descriptor and outlives its parent, as a worker process may."""
    worker = os.fork()
    if worker == 0:
        signal.pause()
    say("worker", worker)


if __name__ == "__main__":
    way, data_dir = sys.argv[1], Path(sys.argv[2])
    run = uvloop.run if way == "uvloop" else asyncio.run
    run(hold(data_dir, fork=way == "fork", freeze=way == "freeze"))
