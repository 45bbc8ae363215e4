"""How often others have their turns in the event loop while something is under way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Turns that somebody else has had. count: so far."""

    count = 0

    async def take(self) -> None:
        """Take every turn there is, for ever."""
        while True:
            self.count += 1
            await asyncio.sleep(0)


@asynccontextmanager
async def turns_of_others() -> AsyncIterator[Turns]:
    """The turns of somebody who takes every one during the block."""
    turns = Turns()
    taking = asyncio.create_task(turns.take())
    try:
        yield turns
    finally:
        taking.cancel()
