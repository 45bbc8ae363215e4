"""/admin/v1 behind the real server, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from gateway.admin.app import PREFIX, build_admin
from gateway.admin.audit import AuditRoutes, FailedLogins
from gateway.admin.deadletters import DeadLetterRoutes
from gateway.admin.suppliers import SupplierRoutes
from gateway.deadletters import DeadLetters
from gateway.http.server import serve
from gateway.outbound import AdminClient
from gateway.registry import Registry
from gateway.store import Pool
from gateway.suppliers import Keys, SecretBox, Suppliers

TOKEN = "a-token-of-the-tests"
KEY = bytes(range(32))


@pytest.fixture
async def url(pool: Pool) -> AsyncIterator[str]:
    box = SecretBox(KEY)
    app = web.Application()
    parts = (
        SupplierRoutes(Suppliers(pool, box), Keys(pool, box), Registry()),
        DeadLetterRoutes(DeadLetters(pool)),
        AuditRoutes(pool),
    )
    app.add_subapp(PREFIX, build_admin(parts, TOKEN, FailedLogins(pool)))
    async with serve(app, "127.0.0.1", 0, drain_timeout=1.0) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def client(url: str) -> AsyncIterator[AdminClient]:
    async with AdminClient(url, TOKEN, operator="ann") as client:
        yield client
