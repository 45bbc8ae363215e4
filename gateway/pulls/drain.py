"""How the work for a supplier comes to its end: what is under way is finished, nothing more is begun.

Work is never cut off in mid-call: an answer that is lost would have to be asked for again.
"""

from __future__ import annotations

import asyncio

from gateway.events import set_within
from gateway.pulls.errors import DrainingError


class Drain:
    """Whether the tasks of one supplier are to come to their end, and what wakes those that rest."""

    def __init__(self) -> None:
        self._begun = False
        self._moved = asyncio.Event()

    @property
    def begun(self) -> bool:
        """Nothing more is to be begun."""
        return self._begun

    def begin(self) -> None:
        """Have every task end after the unit of work that it is at."""
        self._begun = True
        self._moved.set()

    def wake(self) -> None:
        """Have whoever rests go on now: what it waited for may be otherwise."""
        self._moved.set()
        if not self._begun:
            self._moved.clear()

    def check(self) -> None:
        """Between two units of work. Raises DrainingError once there is to be no other.

        Not within a TaskGroup whose other tasks may be in mid-call: it would cancel them. They return instead.
        """
        if self._begun:
            raise DrainingError

    async def rest(self, seconds: float) -> None:
        """Wait so long, or until woken. Raises as `check`."""
        await set_within(self._moved, seconds)
        self.check()
