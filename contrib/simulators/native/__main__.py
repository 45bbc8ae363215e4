"""`python -m contrib.simulators.native`: work until told to stop. The first line on stdout, in JSON, says for whom."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

import orjson
import uvloop

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.native.config import Config
from contrib.simulators.native.vendor import KINDS, open_vendor


def parse(arguments: list[str] | None = None) -> tuple[Config, list[Rule]]:
    """The configuration and the faults that a command line orders."""
    parser = argparse.ArgumentParser("python -m contrib.simulators.native", description=Config.__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--key", default=os.environ.get("NATIVE_KEY", ""), help="by default NATIVE_KEY's value")
    for name in ("seed", "most"):
        parser.add_argument(f"--{name}", type=int)
    for name in ("poll_seconds", "retry_seconds", "step_seconds"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=float)
    parser.add_argument("--fault", action="append", default=[], type=_rule, help='{"kind":"no_ack","times":1}')
    found = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    faults = found.pop("fault")
    return Config(**found), faults


def _rule(text: str) -> Rule:
    rule = Rule(**orjson.loads(text))
    if rule.kind not in KINDS:
        raise ValueError(f"{rule.kind} is none of {', '.join(sorted(KINDS))}")
    return rule


async def work(config: Config, faults: list[Rule]) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_vendor(config) as vendor:
        for rule in faults:
            vendor.faults.add(rule)
        print(orjson.dumps({"url": config.url, "seed": config.seed}).decode(), flush=True)
        await stop.wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(*parse()))
