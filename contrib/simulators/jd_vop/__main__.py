"""`python -m contrib.simulators.jd_vop`: serve until told to stop. The first line on stdout, in JSON, says where."""

from __future__ import annotations

import argparse
import asyncio
import signal
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson
import uvloop

from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.server import open_simulator

_CHOICES: dict[str, list[str]] = {"expired_as": ["2007", "1004"], "rate_answer": ["429", "3021", "3041"]}

_FILES = frozenset({"log", "ledger"})


def parse(arguments: list[str] | None = None) -> Config:
    """The configuration that a command line gives; there is an option for every field."""
    parser = argparse.ArgumentParser("python -m contrib.simulators.jd_vop", description=Config.__doc__)
    for field in fields(Config):
        option = "--" + field.name.replace("_", "-")
        if isinstance(field.default, bool):
            parser.add_argument(option, action="store_true")
            continue
        kind: Any = Path if field.name in _FILES else type(field.default)
        parser.add_argument(option, type=kind, default=field.default, choices=_CHOICES.get(field.name))
    return Config(**vars(parser.parse_args(arguments)))


async def serve(config: Config) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_simulator(config) as simulator:
        print(orjson.dumps({"url": simulator.url, "skus": config.skus, "seed": config.seed}).decode(), flush=True)
        await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(parse()))
