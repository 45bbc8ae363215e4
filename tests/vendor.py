"""A vendor and an operator in tests: real HTTP requests against the real program."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from gateway.config import Bootstrap
from tests.history import Pushed, last_is_newest
from tests.program import ADMIN_TOKEN
from tests.reader import PRICES, read_books, read_topics

NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Keys:
    """A supplier's credentials."""

    supplier: str
    bearer: str
    webhook: str


def prices(
    count: int, *, price: str, bad: Mapping[int, bytes] | None = None, version: int | None = None
) -> list[bytes]:
    """Price records of the same skus at every call; bad: records to put in by their index."""
    extra = {} if version is None else {"version": version}
    return [
        (bad or {}).get(number) or orjson.dumps({"sku": f"A-{number:06d}", "price": price, **extra})
        for number in range(count)
    ]


SCOPES = ["feeds:product", "feeds:price", "feeds:stock", "feeds:listing", "read", "orders"]


async def declared(url: str, supplier: str, **declaration: Any) -> Keys:
    """Declare a supplier that feeds everything and issue it both kinds of keys."""
    facets = ["product", "price", "stock", "listing"]
    table = {"name": supplier, "adapter": "native", "facets": facets, **declaration}
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with aiohttp.ClientSession(f"{url}/admin/v1/", headers=headers) as session:
        async with session.post("suppliers/apply", json={"suppliers": {supplier: table}}) as response:
            assert response.status == 200, await response.text()
        secrets = []
        for kind in ("bearer", "webhook"):
            async with session.post(f"suppliers/{supplier}/keys", json={"kind": kind, "scopes": SCOPES}) as response:
                assert response.status == 201, await response.text()
                secrets.append((await response.json())["secret"])
    return Keys(supplier, *secrets)


class Vendor:
    """One supplier's developer."""

    def __init__(self, url: str, keys: Keys, *, patience: float = 60.0) -> None:
        self.url = url
        self.keys = keys
        self._timeout = aiohttp.ClientTimeout(total=patience)

    async def request(self, method: str, path: str, **arguments: Any) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one request with the bearer key. Raises aiohttp.ClientError."""
        headers = {"Authorization": f"Bearer {self.keys.bearer}", **arguments.pop("headers", {})}
        async with (
            aiohttp.ClientSession(timeout=self._timeout) as session,
            session.request(method, f"{self.url}{path}", headers=headers, **arguments) as response,
        ):
            return response.status, dict(response.headers), await response.read()

    async def push(
        self, lines: Sequence[bytes], *, key: str, wait: int, facet: str = "price", mode: str = "upsert"
    ) -> Pushed:
        """Push once; not acked when the program dies or stalls under it or says anything but 200 or 202."""
        headers = {"Content-Type": NDJSON, "Idempotency-Key": key, "Prefer": f"wait={wait}"}
        body = b"\n".join(lines) + b"\n"
        try:
            status, _, answer = await self.request("POST", f"/v1/feeds/{facet}?mode={mode}", headers=headers, data=body)
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return Pushed(lines, acked=False, feed_no=None)
        acked = status in (200, 202)
        return Pushed(lines, acked=acked, feed_no=int(orjson.loads(answer)["feed"]) if acked else None)

    async def push_until_taken(
        self, lines: Sequence[bytes], *, key: str, facet: str = "price", mode: str = "upsert"
    ) -> Pushed:
        """What a vendor does who saw no 202: the same request under the same key, until there is one."""
        async with asyncio.timeout(90):
            while True:
                pushed = await self.push(lines, key=key, wait=0, facet=facet, mode=mode)
                if pushed.acked:
                    return pushed
                await asyncio.sleep(0.5)

    async def all_finished(self) -> None:
        """Wait until every feed of the supplier has ended."""
        async with asyncio.timeout(90):
            while True:
                _, _, body = await self.request("GET", "/v1/feeds?limit=200")
                if all(feed["finished_at"] for feed in orjson.loads(body)["feeds"]):
                    return
                await asyncio.sleep(0.1)

    async def settled(self, bootstrap: Bootstrap, database: str, prefix: str) -> None:
        """Wait until the prices topic ends on the newest of every key; the keeper has 60 s of quiet for it."""
        async with asyncio.timeout(90):
            while True:
                topics = await read_topics(bootstrap, prefix, [PRICES])
                if not last_is_newest(topics[PRICES], await read_books(database)):
                    return
                await asyncio.sleep(0.5)
