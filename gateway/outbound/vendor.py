"""A vendor's side of the feeds API, as the demo plays it: signed pushes, and reading what became of them."""

from __future__ import annotations

import time
import uuid
from types import TracebackType
from typing import Any

import aiohttp
import orjson

from gateway.outbound.client import RefusedError
from gateway.outbound.signature import sign

WAIT_SECONDS = 30


class VendorClient:
    """One vendor. secret: signs what is pushed; token: reads what became of it."""

    def __init__(self, base_url: str, supplier: str, *, secret: str, token: str) -> None:
        self._base = base_url
        self._supplier = supplier
        self._secret = secret
        self._token = token

    async def __aenter__(self) -> VendorClient:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120), trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def push(self, facet: str, body: bytes) -> dict[str, Any]:
        """Push one NDJSON feed, signed, and wait until it is finished; its status. Raises RefusedError."""
        # What of the request has to count stands in the id: nothing else beside the body is signed.
        message_id, timestamp = f"{facet}:upsert:ndjson:{uuid.uuid4().hex}", int(time.time())
        headers = {
            "Content-Type": "application/x-ndjson",
            "Prefer": f"wait={WAIT_SECONDS}",
            "webhook-supplier": self._supplier,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, message_id, timestamp, body),
        }
        async with self._session.post(f"{self._base}/v1/feeds/{facet}", data=body, headers=headers) as response:
            return await _answer(response)

    async def feed(self, feed: str) -> dict[str, Any]:
        """One feed as it stands. Raises RefusedError."""
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.get(f"{self._base}/v1/feeds/{feed}", headers=headers) as response:
            return await _answer(response)


async def _answer(response: aiohttp.ClientResponse) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(await response.read())
    if response.status >= 400:
        raise RefusedError(response.status, answer)
    return answer
