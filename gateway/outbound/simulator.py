"""The control routes of a simulated supplier, as the demo uses them: calls, goods, orders, how it fails."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import aiohttp
import orjson

from gateway.outbound.client import RefusedError

TIMEOUT = aiohttp.ClientTimeout(total=30)
ENOUGH = 100
"""Pieces of which no order wants more."""


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

    async def unread_messages(self) -> int:
        """Messages of its pool that nobody has deleted."""
        waiting: int = (await self._call("GET", "stats"))["messages"]["waiting"]
        return waiting

    async def goods(self, count: int) -> list[dict[str, Any]]:
        """So many of its goods that can be ordered."""
        found: list[dict[str, Any]] = []
        async with self._session.get(f"{self._base}/truth/all") as response:
            async for line in response.content:
                one = orjson.loads(line)
                if one["price"] and one["on_shelf"] and one["pools"] and one["quantity"] >= ENOUGH:
                    found += [] if one["restricted_province"] else [one]
                if len(found) == count:
                    break
        return found

    async def change_price(self, sku: str, yuan: str) -> None:
        """Give one sku another price; the supplier's message pool tells of it."""
        await self._call("POST", "change", {"sku": sku, "kind": "price", "value": yuan})

    async def hang(self, operations: str) -> None:
        """Accept calls of these operations and never answer one. operations: a pattern, `product/*`."""
        await self._call("POST", "faults", {"kind": "hang", "operation": operations})

    async def lose_answer(self, operation: str, *, after: int) -> None:
        """Do what one call of this operation asks, and reset the connection instead of answering. after: such calls."""
        await self._call("POST", "faults", {"kind": "reset", "operation": operation, "after": after, "times": 1})

    async def orders(self) -> list[dict[str, Any]]:
        """Its orders as they stand."""
        found: list[dict[str, Any]] = await self._call("GET", "orders")
        return found

    async def services(self) -> list[dict[str, Any]]:
        """Its after-sale services as they stand."""
        found: list[dict[str, Any]] = await self._call("GET", "services")
        return found

    async def deliver(self, order_no: str) -> None:
        """Let the goods of an order arrive."""
        await self._call("POST", "order", {"third": order_no, "act": "deliver"})

    async def issue_invoice(self, mark_id: str) -> bool:
        """Make out all of an application for invoices; False: there is no such application."""
        try:
            await self._call("POST", "invoice", {"mark": mark_id, "act": "issue"})
        except RefusedError:
            return False
        return True

    async def move_service(self, service: str, act: str) -> None:
        """Let something happen to an after-sale service."""
        await self._call("POST", "service", {"service": service, "act": act})

    async def _call(self, method: str, route: str, body: object = None) -> Any:
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, f"{self._base}/{route}", data=data) as response:
            answer = orjson.loads(await response.read())
            if response.status >= 400:
                raise RefusedError(response.status, {"detail": answer.get("error", "")})
            return answer
