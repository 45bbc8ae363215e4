"""Who may push: suppliers whose feeds the gateway fetches itself may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from gateway.feeds.admit import Admission
from gateway.feeds.chunk import Lane
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.report import Reports
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.waits import Waits
from gateway.intake.answers import answer_problems
from gateway.intake.body import BodyLimits
from gateway.intake.feeds import FeedRoutes, IntakeLimits
from gateway.intake.server import serve
from gateway.kafka import Bus
from gateway.registry import Registry
from gateway.store import Pool
from gateway.suppliers import KeyKind, Keyring, Keys, SecretBox, SupplierCache, SupplierConfig, Suppliers
from tests.integration.intake.conftest import Desk, Gate
from tests.integration.intake.test_auth import bearer, signed
from tests.reader import read_books

pytestmark = pytest.mark.engines

BOX = SecretBox(bytes(range(32)))


async def finished(feed_no: int) -> None:
    raise AssertionError(f"feed {feed_no} was taken")


@pytest.fixture
async def gate(pool: Pool, bus: Bus) -> AsyncIterator[Gate]:
    """A vendor API with one supplier, which is pulled."""
    config = SupplierConfig.model_validate(
        {"supplier": "acme", "name": "Acme", "adapter": "fetched", "facets": ["price"]}
    )
    await Suppliers(pool, BOX).apply([config], actor="test")
    async with AsyncExitStack() as stack:
        producer = await stack.enter_async_context(bus.producer("tests"))
        routes = FeedRoutes(
            Admission(pool, dict.fromkeys(Lane, producer), FeedNumbers(pool), ChunkSeal(bytes(32)), finished),
            Reports(pool),
            Waits(pool),
            SupplierCache(pool),
            Keyring(pool, BOX),
            Registry("tests.adapters", "mallgate.tests"),
            IntakeLimits(BodyLimits(), 600),
        )
        app = web.Application(middlewares=[answer_problems])
        app.add_routes(routes.routes())
        port = await stack.enter_async_context(serve(app, "127.0.0.1", 0))
        found = Gate(port, Desk(BodyLimits()), stack)
        yield found
        for wire in found.wires:
            await wire.close()


@pytest.mark.parametrize("kind", KeyKind)
async def test_a_supplier_whose_feeds_are_fetched_cannot_push_any(
    kind: KeyKind, gate: Gate, pool: Pool, database: str
) -> None:
    key = await Keys(pool, BOX).issue(
        "acme", kind, actor="test", scopes=["feeds:price"], expires_at=datetime.now(UTC) + timedelta(minutes=1)
    )
    body = b'{"sku":"A","price":"10.00"}'
    credential = bearer(key.secret) if kind is KeyKind.BEARER else signed(key.secret, body=body)
    answer = await gate.push(body, path="/v1/feeds/price", **credential)
    assert answer.problem == (403, "scope_denied")
    assert "fetches this supplier's feeds" in answer.json["detail"]
    assert (await read_books(database)).feeds == []
