"""Somebody else of the same account, who orders something else under numbers that the mall is about to use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

import aiohttp
import orjson

from contrib.simulators.jd_vop.simulator import Simulator
from tests.buyer import Buyer
from tests.ordering import form, sellable

EVERY = (6.0, 14.0)
"""Seconds between two orders."""

PIECES = 7
"""More than any order of the mall has of one article."""

PATIENCE = aiohttp.ClientTimeout(total=5)


class OtherBuyer:
    """numbers: of orders that the mall places next; tokens: under which its calls are noted."""

    def __init__(self, simulator: Simulator, numbers: Callable[[], Sequence[str]], rng: Random) -> None:
        self.tokens: set[str | None] = set()
        self._simulator = simulator
        self._numbers = numbers
        self._rng = rng

    async def run(self, stopping: asyncio.Event) -> None:
        """One now and then until told to stop. Its tokens end those of the gateway."""
        async with aiohttp.ClientSession(timeout=PATIENCE) as session:
            buyer = Buyer(self._simulator, session)
            while not stopping.is_set():
                with suppress(aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError):
                    await self._order(buyer)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._rng.uniform(*EVERY)):
                        await stopping.wait()

    async def _order(self, buyer: Buyer) -> None:
        numbers = self._numbers()
        if not numbers:
            return
        await buyer.sign_in()
        self.tokens.add(self._simulator.tokens.id_of(buyer.token.get("access_token")))
        item = self._rng.choice(sellable(buyer, 20))
        await buyer.call("order/submitOrder", **form(buyer, self._rng.choice(numbers), (item, PIECES)))
