"""What the vendor calls: the mailbox, documents and events, over HTTP, until there is an answer to go by."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

import aiohttp
import orjson

from contrib.simulators.native.config import Config
from contrib.simulators.native.contracts import Document

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

    async def send_event(self, about: str, event: Mapping[str, Any], key: str) -> int:
        """Tell what became of `orders/NO` or `contracts/NO`; under the same key it is the same. Returns the status."""
        status, _ = await self._call("POST", f"{about}/events", event, key)
        return status

    async def document(self, url: str) -> Document:
        """Fetch a contract's document by its signed address, which needs no key. What cannot be had yet is asked for
        again; Document.problem says what will never be had.
        """
        while True:
            try:
                async with self._session.get(urljoin(f"{self._config.url}/", url), timeout=TIMEOUT) as answer:
                    content = await answer.read()
                    if answer.status == 200:
                        return Document(hashlib.sha256(content).hexdigest(), len(content))
                    if not _says_retryable(content):
                        return Document(problem=str(answer.status))
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(self._config.retry_seconds)

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


def _is_retryable(status: int, answer_body: bytes) -> bool:
    """Whether the same request is worth repeating: a failure, too many at once, or what the problem itself says."""
    return status >= 500 or status == 429 or _says_retryable(answer_body)


def _says_retryable(answer_body: bytes) -> bool:
    try:
        problem = orjson.loads(answer_body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(problem, dict) and problem.get("retryable") is True
