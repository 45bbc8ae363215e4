"""Turns of the event loop, shared out fairly: a crowd of one client is handled one by one, between all others' work.

A thousand connections that come, stop or go at the same moment are a thousand small pieces of work that are due in the
same turn of the loop; whoever else is served then would wait for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Piece = Callable[[], object]

IN_A_ROW = 16
"""Pieces of one client that are done in as many turns; from then on it is a crowd, and there is a pause after each."""

PAUSE_SECONDS = 0.003
"""About what one request costs in all: a crowd leaves at least as much to others as it takes."""


@dataclass(slots=True)
class _Streak:
    """What a client has to do that came faster than it is done. done: pieces since it last had nothing to do."""

    pieces: deque[Piece] = field(default_factory=deque)
    done: int = 0


class Turns:
    """In each turn of the loop at most one piece of work of each client, in the order in which they came."""

    def __init__(self) -> None:
        self._streaks: dict[str, _Streak] = {}

    def call(self, client: str, piece: Piece) -> None:
        """Do it now if the client has nothing else to do in this turn, else in a later one."""
        streak = self._streaks.get(client)
        if streak is not None:
            streak.pieces.append(piece)
            return
        self._streaks[client] = _Streak()
        self._go_on(client)
        piece()

    def waiting(self, client: str) -> int:
        """Pieces of the client that are not done yet."""
        streak = self._streaks.get(client)
        return 0 if streak is None else len(streak.pieces)

    async def wait(self, client: str) -> None:
        """Return when it is the client's turn; at once if it has nothing else to do in this one."""
        turn = asyncio.get_running_loop().create_future()

        def come() -> None:
            if not turn.done():  # whoever waits may have been cancelled
                turn.set_result(None)

        self.call(client, come)
        await turn

    def _go_on(self, client: str) -> None:
        """Later, with the client's next piece. Asked for before a piece is done: one that fails stops no other."""
        loop, streak = asyncio.get_running_loop(), self._streaks[client]
        streak.done += 1
        if streak.done < IN_A_ROW:
            loop.call_soon(self._next, client)
        else:
            loop.call_later(PAUSE_SECONDS, self._next, client)

    def _next(self, client: str) -> None:
        pieces = self._streaks[client].pieces
        if not pieces:
            del self._streaks[client]
            return
        piece = pieces.popleft()
        self._go_on(client)
        piece()
