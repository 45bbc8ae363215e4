"""The suppliers that the demo pulls from: simulators in processes of their own, which end with the demo.

The gateway imports none of their code, and an installed wheel holds none: the demo then does without.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from signal import SIGKILL

import orjson

from gateway.embedded.process import KILL_SECONDS, Command, leashed
from gateway.sdk.errors import GatewayError

MODULE = "contrib.simulators.jd_vop"
START_SECONDS = 30.0


class SimulatorStartError(GatewayError):
    """A simulated supplier did not start."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated supplier. url: its base URL; secrets: what its row must hold to be let in."""

    url: str
    secrets: Mapping[str, str] = field(repr=False)


def simulators_root() -> Path | None:
    """The folder that the simulators are run from; None where they are not installed."""
    found = find_spec(MODULE.partition(".")[0])
    places = (found.submodule_search_locations if found else None) or ()
    module = Path(*MODULE.split(".")[1:], "__main__.py")
    return next((Path(place).parent for place in places if Path(place, module).is_file()), None)


@asynccontextmanager
async def simulated(root: Path, name: str, directory: Path, *, skus: int) -> AsyncIterator[Simulated]:
    """A supplier of so many skus beside the block, and never longer than this process. It changes nothing by itself.

    root: as `simulators_root` has it; directory: for its log. Raises SimulatorStartError.
    """
    login = {
        "client_id": name,
        "client_secret": secrets.token_hex(16),
        "username": f"{name}-buyer",
        "password": secrets.token_hex(8),
    }
    options = {"skus": skus, "port": 0, "repeat_share": 0, **login}
    words = [word for option, value in options.items() for word in (f"--{option.replace('_', '-')}", str(value))]
    log = directory / f"{name}.log"
    log.unlink(missing_ok=True)
    async with leashed(Command([sys.executable, "-m", MODULE, *words], str(root)), log) as process:
        if process is None:
            raise SimulatorStartError(f"{name}, see {log}")
        try:
            yield Simulated(await _url(log, lambda: process.running), login)
        finally:
            await process.signal(SIGKILL, tree=True)  # it keeps nothing that an orderly end could save
            await process.ended(KILL_SECONDS)


async def _url(log: Path, running: Callable[[], bool]) -> str:
    """What its first line says, once it is there."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_SECONDS):
            while running():
                line, whole, _ = _said(log).partition("\n")
                if whole and line.startswith("{"):
                    url: str = orjson.loads(line)["url"]
                    return url
                await asyncio.sleep(0.02)
    raise SimulatorStartError(f"{log} ends with: {_said(log)[-500:].strip() or 'nothing'}")


def _said(log: Path) -> str:
    return log.read_text(errors="replace")
