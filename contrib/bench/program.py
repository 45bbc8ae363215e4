"""The gateway as a contestant: the real program in processes of its own, a supplier declared, a key in hand."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from contrib.bench.children import ChildDiedError, running
from contrib.bench.stage import Place
from gateway.config import kafka_environment
from gateway.embedded.ports import choose_port
from gateway.outbound import AdminClient
from gateway.suppliers import SCOPES

READY_SECONDS = 60.0
SUPPLIERS = ("bulk-vendor", "express-vendor")
DECLARATION = {
    "name": "Benchmark",
    "adapter": "native",
    "facets": ["product", "price", "stock", "listing"],
    "periods": {"price": "24h"},
    "limits": {"feeds_per_minute": 60_000},
}


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that takes requests. pid: of its first process; tokens: bearer, one for each that pushes.

    url: of what vendors ask; probes_url: of what is asked how it is.
    """

    url: str
    probes_url: str
    pid: int
    place: Place
    tokens: dict[str, str]
    session: aiohttp.ClientSession
    admin: AdminClient

    async def push(
        self, facet: str, body: bytes | Path, *, supplier: str = SUPPLIERS[0], wait: int = 0
    ) -> dict[str, Any]:
        """Push one NDJSON feed, a file as a stream; its status. wait: seconds to wait for its end."""
        headers = {"Authorization": f"Bearer {self.tokens[supplier]}", "Content-Type": "application/x-ndjson"}
        if wait:
            headers["Prefer"] = f"wait={wait}"
        if isinstance(body, bytes):
            return await self._post(facet, body, headers)
        with body.open("rb") as file:
            return await self._post(facet, file, headers)

    async def _post(self, facet: str, data: Any, headers: dict[str, str]) -> dict[str, Any]:
        async with self.session.post(f"{self.url}/v1/feeds/{facet}", data=data, headers=headers) as response:
            status: dict[str, Any] = await response.json()
            if response.status not in (200, 202):
                raise ChildDiedError(f"the gateway answered {response.status}: {status}")
            return status


@asynccontextmanager
async def gateway(
    place: Place, spool: Path, *, workers: int = 1, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Gateway]:
    """A gateway as its defaults have it, ready. environment: besides. Raises ChildDiedError, and TimeoutError."""
    admin_token, port, admin_port, ops_port = secrets.token_urlsafe(24), choose_port(), choose_port(), choose_port()
    settings = {
        **(environment or {}),
        **kafka_environment(place.bootstrap),
        "DATABASE_URL": place.database,
        "MALLGATE_TOPIC_PREFIX": place.prefix,
        "MALLGATE_SECRET_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "MALLGATE_ADMIN_TOKEN": admin_token,
        "MALLGATE_SPOOL_DIR": str(spool),
        "MALLGATE_PORT": str(port),
        "MALLGATE_ADMIN_PORT": str(admin_port),
        "MALLGATE_OPS_PORT": str(ops_port),
        "MALLGATE_WORKERS": str(workers),
    }
    url, probes_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{ops_port}"
    async with AsyncExitStack() as stack:
        # With several workers their supervisor says so, too, and before them.
        signs = 1 if workers == 1 else 1 + workers
        program = running("gateway", "run", sign=b'"process.started"', count=signs, environment=settings)
        child = await stack.enter_async_context(program)
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=5)))
        admin_url = f"http://127.0.0.1:{admin_port}"
        admin = await stack.enter_async_context(AdminClient(admin_url, admin_token, operator="bench"))
        tokens = await _declared(admin)
        async with asyncio.timeout(READY_SECONDS):
            await _ready(session, probes_url)
        yield Gateway(url, probes_url, child.pid, place, tokens, session, admin)


async def _declared(admin: AdminClient) -> dict[str, str]:
    await admin.post("suppliers", "apply", body={"suppliers": dict.fromkeys(SUPPLIERS, DECLARATION)})
    return {
        supplier: (await admin.post("suppliers", supplier, "keys", body={"scopes": sorted(SCOPES)}))["secret"]
        for supplier in SUPPLIERS
    }


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    while True:
        async with session.get(f"{url}/readyz") as response:
            if response.status == 200:
                return
        await asyncio.sleep(0.1)
