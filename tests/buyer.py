"""A buyer in tests: calls a simulated JD VOP over real HTTP, as its documents have it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from contrib.simulators.jd_vop import Config, Simulator, open_simulator
from contrib.simulators.jd_vop.tokens import credentials


@dataclass
class Buyer:
    """One caller. token: sent with every call, once there is one."""

    simulator: Simulator
    session: aiohttp.ClientSession
    token: dict[str, Any] = field(default_factory=dict)

    async def raw(self, operation: str, **form: Any) -> tuple[int, dict[str, str], bytes]:
        """Status, headers with names in lower case, and body of a call; redirects are not followed."""
        named = {name: str(value) for name, value in form.items()}
        url = f"{self.simulator.url}/{operation}"
        async with self.session.post(url, data=named, allow_redirects=False) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return response.status, headers, await response.read()

    async def call(self, operation: str, **form: Any) -> dict[str, Any]:
        """The envelope of a call below /api/, with the token."""
        token = {"token": self.token["access_token"]} if self.token else {}
        _, _, body = await self.raw(f"api/{operation}", **token, **form)
        return dict(orjson.loads(body))

    async def sign_in(self) -> dict[str, Any]:
        """Get a token with a good signature, and keep it."""
        form = credentials(self.simulator.config, time.time() + self.simulator.clock.skew)
        _, _, body = await self.raw("oauth2/accessToken", **form)
        self.token = orjson.loads(body)["result"] or {}
        return dict(orjson.loads(body))

    async def control(self, method: str, route: str, **order: Any) -> Any:
        """What a control route answers; fails unless it accepts the order."""
        status, answer = await self.told(method, route, **order)
        assert status == 200, answer
        return answer

    async def order(self, kind: str, operation: str = "*", **order: Any) -> int:
        """Order a fault."""
        parameters = order.pop("parameters", {})
        told = await self.control("POST", "faults", kind=kind, operation=operation, parameters=parameters, **order)
        return int(told["id"])

    async def told(self, method: str, route: str, **order: Any) -> tuple[int, Any]:
        """Status and answer of a control route."""
        url = f"{self.simulator.url}/_control/{route}"
        async with self.session.request(method, url, data=orjson.dumps(order)) as response:
            return response.status, orjson.loads(await response.read())

    def skus(self, count: int, *, start: int = 0) -> list[int]:
        """Goods that exist, from a number on."""
        return [self.simulator.world.catalog.sku(number) for number in range(start, start + count)]


@asynccontextmanager
async def open_buyer(**config: Any) -> AsyncIterator[Buyer]:
    """A buyer, signed in, before a simulator of its own."""
    async with open_simulator(Config(**config)) as simulator, aiohttp.ClientSession() as session:
        buyer = Buyer(simulator, session)
        await buyer.sign_in()
        yield buyer
