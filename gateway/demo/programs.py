"""The programs of `contrib` that play the demo's outside world, in processes of their own, which end with the demo.

The gateway imports none of their code, and an installed wheel holds none: the demo then does without.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from signal import SIGKILL
from typing import Any

import orjson

from gateway.embedded.process import KILL_SECONDS, Command, GuardedProcess, run_guarded
from gateway.sdk.errors import GatewayError

PACKAGE = "contrib"
ONE_OF_THEM = Path("mall", "__main__.py")
START_SECONDS = 30.0
LOOK_SECONDS = 0.02


class ProgramError(GatewayError):
    """A program of the demo did not do its part."""


class Program:
    """A running program. log: what it says on both outputs."""

    def __init__(self, module: str, process: GuardedProcess, log: Path) -> None:
        self._module = module
        self._process = process
        self._log = log

    async def first_line(self) -> dict[str, Any]:
        """The JSON object that it says first, once it is there. Raises ProgramError."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while self._process.running:
                    line, whole, _ = self._log_text().partition("\n")
                    if whole and line.startswith("{"):
                        return _object(line)
                    await asyncio.sleep(LOOK_SECONDS)
        raise self._failed()

    async def last_line(self, seconds: float) -> dict[str, Any]:
        """The JSON object that it says last, once it has ended. Raises ProgramError, also after so many seconds."""
        ended = await self._process.ended(seconds) is not None
        line = self._log_text().rstrip("\n").rpartition("\n")[2]
        if not ended or not line.startswith("{"):
            raise self._failed()
        return _object(line)

    def _log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def _failed(self) -> ProgramError:
        return ProgramError(f"{self._module}: {self._log} ends with: {self._log_text()[-500:].strip() or 'nothing'}")


def programs_root() -> Path | None:
    """The folder that the programs are run from; None where they are not installed."""
    found = find_spec(PACKAGE)
    places = (found.submodule_search_locations if found else None) or ()
    return next((place.parent for place in map(Path, places) if (place / ONE_OF_THEM).is_file()), None)


@asynccontextmanager
async def running(
    root: Path, module: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """A program beside the block, and never longer than this process.

    root: as `programs_root` has it; environment: what stands on no command line. Raises ProgramError.
    """
    command = Command([sys.executable, "-m", module, *arguments], str(root), environment or {})
    async with run_guarded(command, _emptied(log)) as process:
        if process is None:
            raise ProgramError(f"{module} was not started, see {log}")
        try:
            yield Program(module, process, log)
        finally:
            await process.signal(SIGKILL, tree=True)  # what it keeps is on disk before anybody is told of it
            await process.ended(KILL_SECONDS)


def _emptied(log: Path) -> Path:
    """A log without what another program said in it."""
    log.unlink(missing_ok=True)
    return log


def _object(line: str) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(line)
    return found
