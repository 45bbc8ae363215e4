"""The control routes of a simulated supplier, as the demo uses them: count its calls, change a price, let it hang."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import aiohttp
import orjson

from gateway.outbound.client import RefusedError

TIMEOUT = aiohttp.ClientTimeout(total=30)


class SimulatorClient:
    """One simulator. url: where it plays the supplier; its control routes lie below. Methods raise RefusedError."""

    def __init__(self, url: str) -> None:
        self._base = f"{url}/_control"

    async def __aenter__(self) -> SimulatorClient:
        self._session = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def calls(self) -> dict[str, int]:
        """Calls that it has served, by operation."""
        calls: dict[str, int] = (await self._call("GET", "stats"))["calls"]
        return calls

    async def change_price(self, sku: str, yuan: str) -> None:
        """Give one sku another price; the supplier's message pool tells of it."""
        await self._call("POST", "change", {"sku": sku, "kind": "price", "value": yuan})

    async def hang(self, operations: str) -> None:
        """Accept calls of these operations and never answer one. operations: a pattern, `product/*`."""
        await self._call("POST", "faults", {"kind": "hang", "operation": operations})

    async def _call(self, method: str, route: str, body: object = None) -> Any:
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, f"{self._base}/{route}", data=data) as response:
            answer = orjson.loads(await response.read())
            if response.status >= 400:
                raise RefusedError(response.status, {"detail": answer.get("error", "")})
            return answer
