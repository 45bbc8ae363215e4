"""Who may push: suppliers whose feeds the gateway fetches itself may not. What comes before what while they do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from gateway.feeds.admit import Admission
from gateway.feeds.chunk import Lane
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.report import Reports
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.waits import Waits
from gateway.http.answers import answer_problems
from gateway.http.server import serve
from gateway.intake.body import BodyLimits
from gateway.intake.feeds import FeedRoutes, IntakeLimits
from gateway.kafka import Bus
from gateway.registry import Registry
from gateway.store import Pool
from gateway.suppliers import KeyKind, Keyring, Keys, SecretBox, SupplierCache, SupplierConfig, Suppliers
from gateway.turnstile import PRECEDENCE
from tests.eventually import eventually
from tests.integration.intake.conftest import Desk, Gate, head
from tests.integration.intake.test_auth import bearer, signed
from tests.reader import read_books

pytestmark = pytest.mark.engines

BOX = SecretBox(bytes(range(32)))


async def finished(feed_no: int) -> None:
    raise AssertionError(f"feed {feed_no} was taken")


@asynccontextmanager
async def vendor_api(pool: Pool, bus: Bus, registry: Registry, adapter: str) -> AsyncIterator[Gate]:
    """A vendor API with one supplier; nothing works on what it takes."""
    config = SupplierConfig.model_validate(
        {"supplier": "acme", "name": "Acme", "adapter": adapter, "facets": ["price"]}
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
            registry,
            IntakeLimits(BodyLimits(), 600, 2**30),
        )
        app = web.Application(middlewares=[answer_problems])
        app.add_routes(routes.routes())
        port = await stack.enter_async_context(serve(app, "127.0.0.1", 0, drain_timeout=1.0))
        found = Gate(port, Desk(BodyLimits()), stack)
        yield found
        for wire in found.wires:
            await wire.close()


@pytest.fixture
async def gate(pool: Pool, bus: Bus) -> AsyncIterator[Gate]:
    """Its supplier is pulled."""
    async with vendor_api(pool, bus, Registry("tests.adapters", "mallgate.tests"), "fetched") as found:
        yield found


async def expires_soon(pool: Pool, kind: KeyKind) -> str:
    """The secret of a key of the supplier's."""
    at = datetime.now(UTC) + timedelta(minutes=5)
    return (await Keys(pool, BOX).issue("acme", kind, actor="test", scopes=["feeds:price"], expires_at=at)).secret


@pytest.mark.parametrize("kind", KeyKind)
async def test_long_work_does_not_rest_for_a_body_still_to_come_nor_for_who_waits(
    kind: KeyKind, pool: Pool, bus: Bus, database: str
) -> None:
    body = b'{"sku":"A","price":"10.00"}'
    async with vendor_api(pool, bus, Registry(), "native") as gate:
        secret = await expires_soon(pool, kind)
        credential = bearer(secret) if kind is KeyKind.BEARER else signed(secret, body=body)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in credential.items()]
        lines += [f"Content-Length: {len(body)}", "Expect: 100-continue", "Prefer: wait=30"]
        wire = await gate.connect()
        await wire.send(head(path="/v1/feeds/price", rest="".join(f"{line}\r\n" for line in lines)))
        assert (await wire.answer()).status == 100
        await wire.send(body[:5])
        assert PRECEDENCE._under_way == 0
        await wire.send(body[5:])

        async def is_waiting() -> bool:
            taken = [feed["state"] for feed in (await read_books(database)).feeds] == ["produced"]
            return taken and PRECEDENCE._under_way == 0

        await eventually(is_waiting)
        wire.abort()


@pytest.mark.parametrize("kind", KeyKind)
async def test_a_supplier_whose_feeds_are_fetched_cannot_push_any(
    kind: KeyKind, gate: Gate, pool: Pool, database: str
) -> None:
    secret = await expires_soon(pool, kind)
    body = b'{"sku":"A","price":"10.00"}'
    credential = bearer(secret) if kind is KeyKind.BEARER else signed(secret, body=body)
    answer = await gate.push(body, path="/v1/feeds/price", **credential)
    assert answer.problem == (403, "scope_denied")
    assert "fetches this supplier's feeds" in answer.json["detail"]
    assert (await read_books(database)).feeds == []
