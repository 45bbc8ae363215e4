"""A vendor's webhook in tests: it answers as a test says, and the gateway sends to it by a clock."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook as Oracle

from gateway.relay.webhook_operations import WebhookOperations
from gateway.relay.webhook_sender import WebhookSender
from gateway.relay.webhooks import WebhookDelivery, WebhookDependencies
from gateway.store import Lease
from gateway.suppliers import Supplier, SupplierCache, Suppliers, webhook_lease_of
from gateway.suppliers.config import SupplierConfig, Webhook
from schemas.catalog import Facet
from schemas.orders.examples import SUPPLIER
from tests.integration.relay.desk import Desk
from tests.integration.relay.test_inbox import BOX
from tests.supplier_site import Site

SECRET = "whsec_" + base64.b64encode(b"n" * 32).decode()
FORMER = "whsec_" + base64.b64encode(b"f" * 24).decode()

Says = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    id: str
    timestamp: str
    signatures: Sequence[str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    def signed_by(self, secret: str) -> bool:
        """As the public library signs what has this id, time and body."""
        at = datetime.fromtimestamp(int(self.timestamp), tz=UTC)
        return Oracle(secret).sign(self.id, at, self.body.decode()) in self.signatures


@dataclass
class Endpoint:
    """says: the status of the next answers, or how to answer; the last one stands."""

    desk: Desk
    site: Site
    says: list[int | Says] = field(default_factory=lambda: [200])
    received: list[Received] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    _suppliers: SupplierCache | None = None
    _delivery: WebhookDelivery | None = None

    async def declared(self, *, secrets: Sequence[str] = (SECRET,), **changes: Any) -> None:
        """Declare the webhook, as it stands from then on."""
        self.site.answer = self._answer
        self.changes = {"url": f"http://127.0.0.1:{self.site.port}/hook", "allow_private": True, **changes}
        config = SupplierConfig(
            supplier=SUPPLIER, name="样例", adapter="native", facets=(Facet.PRICE,), webhook=self.webhook
        )
        named = dict(zip(("webhook", "webhook_former"), secrets, strict=False))
        await Suppliers(self.desk.pool, BOX).apply([config], "test", secrets={SUPPLIER: named})
        self._suppliers = self._delivery = None

    @property
    def webhook(self) -> Webhook:
        return Webhook(**self.changes)

    @property
    def suppliers(self) -> SupplierCache:
        if self._suppliers is None:
            self._suppliers = SupplierCache(self.desk.pool)
        return self._suppliers

    @property
    def operations(self) -> WebhookOperations:
        return WebhookOperations(self.desk.pool, BOX, self.suppliers, self.desk.clock)

    async def supplier(self) -> Supplier:
        return await self.suppliers.get(SUPPLIER)

    async def delivery(self) -> WebhookDelivery:
        """The owner's work; its lease outlasts the test."""
        if self._delivery is None:
            lease = Lease(self.desk.pool, webhook_lease_of(SUPPLIER), "test", term=3600)
            await self.desk.rows("DELETE FROM leases WHERE name = $1", lease.name)
            assert await lease.take()
            means = WebhookDependencies(
                self.desk.pool, self.suppliers, BOX, self.desk.mailbox, self.desk.clock, dice=lambda: 0.0
            )
            self._delivery = WebhookDelivery(means, SUPPLIER, lease)
        return self._delivery

    async def sends(self) -> list[str]:
        """Everything that is due is sent once; the ids that came here, in order."""
        before, delivery = len(self.received), await self.delivery()
        async with WebhookSender(SUPPLIER, self.webhook, self.desk.clock) as sender, asyncio.TaskGroup() as group:
            await delivery.start_due(self.webhook, sender, group)
        return [each.id for each in self.received[before:]]

    async def sends_all(self) -> list[str]:
        """The same until nothing is due."""
        found: list[str] = []
        while more := await self.sends():
            found += more
        return found

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        self.received.append(
            Received(
                headers["webhook-id"],
                headers["webhook-timestamp"],
                headers["webhook-signature"].split(" "),
                await request.read(),
            )
        )
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return web.Response(status=said, headers=self.headers) if isinstance(said, int) else await said(request)
