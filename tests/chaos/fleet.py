"""The gateway's processes: killed, frozen and armed by the faults, and always started again."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import Bootstrap
from tests.chaos.recorder import Recorder
from tests.program import Program, fault, running

ENVIRONMENT: Mapping[str, str] = {
    "MALLGATE_LEASE_SECONDS": "4",
    "MALLGATE_FEEDS_RATE_PER_MINUTE": "60000",
    "MALLGATE_DRAIN_TIMEOUT": "8",
}

GAVE_UP = 1
"""Status of a program that was starting when an engine went away; whoever runs it starts it again."""

TAIL = 12
"""Lines of its log that tell why a program ended."""


@dataclass
class Seat:
    """A place for one process. wanted: that its end is no fault of its own; frozen: it answers nobody."""

    number: int
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    program: Program | None = None
    wanted: bool = False
    frozen: bool = False
    mark: Path | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Fleet:
    """Programs on one pair of engines, each restarted when it ends.

    programs: all that ever ran; ended: one just has; environment: of each, beside the usual one.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        database: str,
        directory: Path,
        recorder: Recorder,
        size: int,
        environment: Mapping[str, str],
    ) -> None:
        self._where = (bootstrap, database, "")
        self._directory = directory
        self._environment = {**ENVIRONMENT, **environment}
        self._recorder = recorder
        self._marks = itertools.count(1)
        self.seats = [Seat(number) for number in range(size)]
        self.programs: list[Program] = []
        self.ended = asyncio.Event()
        self._watches: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start every program, one after the other, and watch over them."""
        for seat in self.seats:
            await self._start(seat, {})
            assert seat.program is not None
            await seat.program.started(within=120)
            self._watches.append(asyncio.create_task(self._watch(seat)))

    async def stop(self) -> None:
        """End every program."""
        for watch in self._watches:
            watch.cancel()
        for seat in self.seats:
            await seat.stack.aclose()

    def urls(self) -> list[str]:
        """The vendors' API of the programs that took requests and were not ended since."""
        return [each.url for each in self._serving()]

    def admin_urls(self) -> list[str]:
        """/admin/v1 of the same."""
        return [each.admin_url for each in self._serving()]

    def _serving(self) -> list[Program]:
        programs = [seat.program for seat in self.seats if not seat.frozen]
        return [each for each in programs if each and each.url and each.process.returncode is None]

    async def _start(self, seat: Seat, arming: Mapping[str, str]) -> None:
        stack = AsyncExitStack()
        seat.wanted = seat.frozen = False
        seat.stack, seat.mark = stack, Path(arming["MALLGATE_FAULT_MARK"]) if arming else None
        seat.program = await stack.enter_async_context(
            running(*self._where, environment={**self._environment, **arming})
        )
        self.programs.append(seat.program)

    async def _watch(self, seat: Seat) -> None:
        """Start the program again whenever it has ended."""
        arming: dict[str, str] = {}
        while True:
            program = seat.program
            assert program is not None
            await program.process.wait()
            async with seat.lock:
                if seat.program is program:
                    await self._note_end(seat, program)
                    await seat.stack.aclose()
                    await self._start(seat, arming)

    async def _note_end(self, seat: Seat, program: Program) -> None:
        await asyncio.sleep(0.1)  # the last lines of its log are still being read
        at_its_point = seat.mark is not None and seat.mark.exists()
        printed = [line for line in program.log if line["event"] == "unreadable"]  # why it ended, before it let go
        log = [str(line)[:600] for line in (*printed[-TAIL:], *program.log[-TAIL:])]
        status = program.process.returncode
        gave_up = status == GAVE_UP and not program.url
        wanted = seat.wanted or at_its_point or gave_up
        self._recorder.record("program.ended", status=status, wanted=wanted, log=log)
        self.ended.set()

    async def again(self, seat: Seat, after: float, arming: Mapping[str, str] | None = None) -> None:
        """Kill the program of a seat and start another one after so many seconds."""
        async with seat.lock:
            seat.wanted = True
            assert seat.program is not None
            await seat.program.kill()
            self._recorder.record("program.ended", status=seat.program.process.returncode, wanted=True, log=[])
            self.ended.set()
            await asyncio.sleep(after)
            await seat.stack.aclose()
            await self._start(seat, arming or {})

    async def end(self, seat: Seat) -> None:
        """Ask the program of a seat to end; it is started again once it has."""
        seat.wanted = True
        assert seat.program is not None
        if seat.program.process.returncode is None:
            seat.program.signal(signal.SIGTERM)

    def arming(self, point: str, nth: int) -> dict[str, str]:
        """What makes a program die when it reaches a point for the nth time."""
        return fault(point, "kill", self._directory / f"mark-{next(self._marks)}", nth=nth)

    async def freeze(self, seat: Seat, seconds: float) -> None:
        """SIGSTOP the program of a seat for so long."""
        async with seat.lock:
            program = seat.program
            assert program is not None
            if program.process.returncode is not None:
                return
            seat.frozen = True
            program.signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(seconds)
            finally:
                seat.frozen = False
                if program.process.returncode is None:
                    program.signal(signal.SIGCONT)
