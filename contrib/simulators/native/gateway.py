"""What the vendor calls: the mailbox and the events of orders, over HTTP, until there is an answer to go by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from contrib.simulators.native.config import Config

TIMEOUT = aiohttp.ClientTimeout(total=30)


class Gateway:
    """The gateway as its documents have it. statuses: of all answers that were final, by what was asked."""

    def __init__(self, session: aiohttp.ClientSession, config: Config) -> None:
        self._session = session
        self._config = config

    async def fetch(self) -> Sequence[Mapping[str, Any]]:
        """Commands that wait, each under the id of its message."""
        _, body = await self._call("GET", f"messages?limit={self._config.most}")
        return list(orjson.loads(body)["messages"])

    async def acknowledge(self, ids: Sequence[str]) -> int:
        """Say that messages have been taken; returns the status."""
        status, _ = await self._call("POST", "messages/ack", {"ids": ids})
        return status

    async def send_event(self, order_no: str, event: Mapping[str, Any], key: str) -> int:
        """Tell what became of an order; under the same key it is the same. Returns the status."""
        status, _ = await self._call("POST", f"orders/{order_no}/events", event, key)
        return status

    async def _call(self, method: str, path: str, content: Any = None, key: str = "") -> tuple[int, bytes]:
        """Status and body of an answer that the same request would get again."""
        headers = {"Authorization": f"Bearer {self._config.key}"} | ({"Idempotency-Key": key} if key else {})
        body = None
        if content is not None:
            body, headers["Content-Type"] = orjson.dumps(content), "application/json"
        while True:
            try:
                async with self._session.request(
                    method, f"{self._config.url}/v1/{path}", data=body, headers=headers, timeout=TIMEOUT
                ) as answer:
                    answer_body = await answer.read()
                    if answer.status < 300 or (method != "GET" and not _is_retryable(answer.status, answer_body)):
                        return answer.status, answer_body
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(self._config.retry_seconds)


def _is_retryable(status: int, content: bytes) -> bool:
    """Whether the same request is worth repeating: a failure, too many at once, or what the problem itself says."""
    if status >= 500 or status == 429:
        return True
    try:
        problem = orjson.loads(content)
    except orjson.JSONDecodeError:
        return False
    return isinstance(problem, dict) and problem.get("retryable") is True
