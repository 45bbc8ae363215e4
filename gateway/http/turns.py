"""Turns of the event loop, shared out fairly: a crowd of one client is handled one by one, between all others' work.

A thousand connections that come, stop or go at the same moment are a thousand small pieces of work that are due in the
same turn of the loop; whoever else is served then would wait for all of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

Piece = Callable[[], object]


class Turns:
    """In each turn of the loop one piece of work of each client, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Piece]] = {}  # of who has had this turn's piece

    def call(self, client: str, piece: Piece) -> None:
        """Do it now if it is the client's first of this turn, else in a later one."""
        if client in self._waiting:
            self._waiting[client].append(piece)
            return
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting[client] = deque()
        piece()

    async def wait(self, client: str) -> None:
        """Return when it is the client's turn; at once if it is the first of this turn."""
        turn = asyncio.get_running_loop().create_future()

        def come() -> None:
            if not turn.done():  # whoever waits may have been cancelled
                turn.set_result(None)

        self.call(client, come)
        await turn

    def _next(self) -> None:
        self._waiting = {client: pieces for client, pieces in self._waiting.items() if pieces}
        if self._waiting:  # first: a piece that fails stops none of the others
            asyncio.get_running_loop().call_soon(self._next)
        for pieces in self._waiting.values():
            asyncio.get_running_loop().call_soon(pieces.popleft())
