"""`python -m tests.chaos --minutes 10 --seed 1`: one long run; exit status 1 when a check found something."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import Order, Result, run


async def _run(order: Order, directory: Path) -> Result:
    """Told to end, it takes the programs that it started with it."""
    task = asyncio.ensure_future(run(order, directory))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task


def main() -> int:
    """Run, print the account, and keep the recorded history."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the cores say what they lost; Kafka is away by design
    directory = Path(tempfile.mkdtemp(prefix=f"mallgate-chaos-{asked.seed}-"))
    directory.chmod(0o755)  # PostgreSQL runs as another user
    print(f"chaos in {directory}", flush=True)
    result = asyncio.run(_run(Order(asked.seed, asked.minutes * 60), directory))
    print("\n".join(result.lines()))
    shutil.rmtree(directory / "engines", ignore_errors=True)
    return 0 if result.green else 1


if __name__ == "__main__":
    sys.exit(main())
