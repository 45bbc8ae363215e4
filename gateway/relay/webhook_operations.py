"""What operators see of webhooks and do about them: a test, sending again, taking one back that was set aside."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

import orjson

from gateway.relay import webhook_queries as queries
from gateway.relay.mailbox import Clock, utc_now
from gateway.relay.webhook_policy import DeliveryOutcome, Endpoint
from gateway.relay.webhook_sender import WebhookSender
from gateway.relay.webhook_store import endpoint_of
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Pool, acquired, transaction
from gateway.store.audit import record
from gateway.suppliers import SecretBox, SupplierCache
from gateway.suppliers.config import Webhook
from gateway.suppliers.webhook_secrets import WEBHOOK_SECRETS, webhook_secrets

TEST_TYPE = "webhook.test"
"""Type of what only tests a webhook: there is nothing to do about it but to answer 2xx."""


class NoWebhookError(GatewayError):
    """The supplier has no webhook."""


@dataclass(frozen=True, slots=True)
class WebhookStatus(Endpoint):
    """A webhook as operators see it, and what waits for it.

    supplier: whose it is; secrets: how many sign; waiting: messages that have not ended; failed: those of them that
    were sent in vain; given_up: of these, those whose schedule is through; replays: acknowledged ones that are sent
    once more; next_at: when the next retry is due; oldest: when the oldest that waits came in.
    """

    supplier: str = ""
    secrets: int = 0
    waiting: int = 0
    failed: int = 0
    given_up: int = 0
    replays: int = 0
    oldest: datetime | None = None
    next_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookTestResult:
    """What a test came to. message: the id that was sent; seconds: from looking up the name to the status."""

    supplier: str
    message: str
    outcome: DeliveryOutcome
    words: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WebhookReplayResult:
    """What is sent again. waiting: messages that wait and were sent in vain; acknowledged: those sent once more."""

    supplier: str
    waiting: int
    acknowledged: int


class WebhookOperations:
    """Methods raise UnknownSupplierError, NoWebhookError, StoreUnavailableError."""

    def __init__(self, pool: Pool, box: SecretBox, suppliers: SupplierCache, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._box = box
        self._suppliers = suppliers
        self._clock = clock

    async def list(self) -> Sequence[WebhookStatus]:
        """Every webhook, by supplier."""
        declared = [each for each in self._suppliers.known() if each.config.webhook is not None]
        return [await self.show(each.id) for each in declared]

    async def show(self, supplier: str) -> WebhookStatus:
        """How a webhook fares."""
        webhook = await self._webhook(supplier)
        async with acquired(self._pool) as connection:
            return await self._status(connection, supplier, webhook)

    async def test(self, supplier: str, actor: str) -> WebhookTestResult:
        """Send a message that asks for nothing, once. It changes nothing about the webhook, whatever comes of it.

        Raises SecretUnreadableError.
        """
        webhook = await self._webhook(supplier)
        async with transaction(self._pool) as connection:
            secrets = await webhook_secrets(connection, self._box, supplier)
            await record(connection, actor, "webhook.test", target=supplier)
        message = f"test_{uuid4().hex}"
        body = orjson.dumps({"id": message, "type": TEST_TYPE, "sent_at": self._clock()})
        begun = time.monotonic()
        async with WebhookSender(supplier, webhook, self._clock) as sender:
            answer = await sender.post(secrets, message, body)
        return WebhookTestResult(supplier, message, answer.outcome, answer.words, round(time.monotonic() - begun, 3))

    async def replay(self, supplier: str, since: datetime, actor: str, reason: str) -> WebhookReplayResult:
        """Send again what came in from a moment on: what waits at once, what was acknowledged once more."""
        await self._webhook(supplier)
        async with transaction(self._pool) as connection:
            waiting = await connection.fetchval(queries.SEND_NOW, supplier, since)
            again = await connection.fetchval(queries.REPLAY, supplier, since, self._clock())
            detail = {"since": since.isoformat(), "waiting": waiting, "acknowledged": again}
            await record(connection, actor, "webhook.replay", target=supplier, reason=reason, detail=detail)
        return WebhookReplayResult(supplier, waiting, again)

    async def enable(self, supplier: str, actor: str, reason: str) -> WebhookStatus:
        """Send to a webhook again that was set aside; what waits goes at once, its schedule starts again."""
        webhook = await self._webhook(supplier)
        async with transaction(self._pool) as connection:
            await connection.execute(queries.ENABLE, supplier)
            await connection.fetchval(queries.SEND_NOW, supplier, datetime.fromtimestamp(0, tz=self._clock().tzinfo))
            await connection.execute(queries.REPLAYS_NOW, supplier, self._clock())
            await record(connection, actor, "webhook.enable", target=supplier, reason=reason)
            return await self._status(connection, supplier, webhook)

    async def _webhook(self, supplier: str) -> Webhook:
        webhook = (await self._suppliers.get(supplier)).config.webhook
        if webhook is None:
            raise NoWebhookError(f"Supplier {supplier!r} has no webhook.")
        return webhook

    async def _status(self, connection: Connection, supplier: str, webhook: Webhook) -> WebhookStatus:
        endpoint = endpoint_of(await connection.fetchrow(queries.ENDPOINT, supplier), webhook.url)
        facts = {name: getattr(endpoint, name) for name in endpoint.__dataclass_fields__}
        waiting = await connection.fetchrow(queries.WAITING, supplier)
        secrets = await connection.fetchval(queries.COUNT_SECRETS, supplier, list(WEBHOOK_SECRETS))
        replays = await connection.fetchval(queries.REPLAYS_WAITING, supplier)
        return WebhookStatus(**facts, **dict(waiting or {}), supplier=supplier, secrets=secrets, replays=replays)
