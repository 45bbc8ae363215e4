"""Waiting for what another task or program brings about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

SHORTEST, LONGEST = 0.01, 0.1
"""Seconds between two questions: at first, and after two seconds."""


async def eventually(holds: Callable[[], Awaitable[bool]], *, within: float = 30.0) -> None:
    """Return as soon as it holds; fails when it does not within so many seconds.

    Each question is work for whoever is waited for: the longer it takes, the more seldom they come.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with asyncio.timeout(within):
        while True:
            if await holds():
                return
            await asyncio.sleep(min(LONGEST, SHORTEST + (loop.time() - began) / 20))
