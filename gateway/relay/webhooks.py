"""Sending messages to a vendor's webhook: the second door to what the mailbox holds, under the same ids.

One process at a time sends for a supplier. A message is delivered as the mailbox delivers it, sent, and acknowledged
as the vendor himself would by POST /v1/messages/ack. No connection, lock or permit of anybody else is held meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import chain

import structlog

from gateway.events import set_within
from gateway.relay.mailbox import Clock, Mailbox, Message, utc_now
from gateway.relay.messages import message_json
from gateway.relay.order_batches import OrderBatches, OrderKey
from gateway.relay.webhook_policy import TIMEOUT_SECONDS, DeliveryOutcome, DeliveryResult
from gateway.relay.webhook_sender import WebhookSender
from gateway.relay.webhook_store import DueMessages, WebhookStore
from gateway.sdk.errors import OverloadedError, ServiceUnavailableError
from gateway.store import Lease, LeaseLostError, Pool
from gateway.suppliers import SecretBox, State, SupplierCache, UnknownSupplierError
from gateway.suppliers.config import Webhook
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks at what is to be sent."""

FAULT_SECONDS = 30.0
"""After a fault of ours, before the next look."""

FORGET_SECONDS = 60.0
"""Between two times that what has ended is forgotten."""

SENT_WITHIN = timedelta(seconds=TIMEOUT_SECONDS + 15)
"""Before a delivered message can be delivered again, so much has to be left to send it."""


@dataclass(frozen=True, slots=True)
class WebhookDependencies:
    """What sending stands on in one process. dice: 0 to 1."""

    pool: Pool
    suppliers: SupplierCache
    box: SecretBox
    mailbox: Mailbox
    clock: Clock = utc_now
    dice: Callable[[], float] = random.random
    orders: OrderBatches = field(default_factory=lambda: OrderBatches("webhook orders"))


class WebhookDelivery:
    """Sends one supplier's messages while its lease is ours."""

    def __init__(self, dependencies: WebhookDependencies, supplier: str, lease: Lease) -> None:
        self._dependencies = dependencies
        self._supplier = supplier
        self._lease = lease
        self._store = WebhookStore(dependencies.pool, dependencies.box, supplier, lease, dependencies.clock)
        self._under_way: set[str] = set()
        self._stopping = asyncio.Event()
        self._wake = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """It is coming to its end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin nothing more; `run` returns once what is under way has its answer."""
        self._stopping.set()
        self._wake.set()

    async def run(self) -> None:
        """Until stopped; the supplier's row says where to send. Raises LeaseLostError, StoreUnavailableError."""
        while not self.stopping:
            try:
                webhook = await self._declared()
            except UnknownSupplierError:
                return
            if webhook is None:
                await self._rest(LOOK_SECONDS)
                continue
            async with WebhookSender(self._supplier, webhook, self._dependencies.clock) as sender:
                await self._send_while_declared(webhook, sender)

    async def start_due(self, webhook: Webhook, sender: WebhookSender, group: asyncio.TaskGroup) -> int:
        """Begin to send what is due, as far as the webhook has room; how much. Raises ServiceUnavailableError."""
        most = webhook.concurrency - len(self._under_way)
        if most <= 0:
            return 0
        failing = (
            self._dependencies.orders.set_aside(self._supplier),
            self._dependencies.mailbox.aside(self._supplier),
        )
        due = await self._store.due(webhook.url, most, [*self._under_way, *chain.from_iterable(failing)])
        if due is None:
            return 0
        live = await self._dependencies.mailbox.hand_out(self._supplier, due.orders)
        for message in (*due.replays, *live):
            self._under_way.add(message.order_no)
            send = partial(self._send, webhook.url, sender, due, message, replay=message in due.replays)
            group.create_task(self._apart(message.order_no, send), name=f"{self._supplier} webhook {message.order_no}")
        return len(due.replays) + len(live)

    async def _declared(self) -> Webhook | None:
        """Where to send; None where there is nothing to send to for now."""
        supplier = await self._dependencies.suppliers.get(self._supplier)
        return None if supplier.state is State.PAUSED else supplier.config.webhook

    async def _send_while_declared(self, webhook: Webhook, sender: WebhookSender) -> None:
        """Until another webhook is declared, the supplier is paused or we are stopped; what is under way is awaited."""
        loop = asyncio.get_running_loop()
        forget_at = loop.time()
        async with asyncio.TaskGroup() as group:
            while not self.stopping:
                self._wake.clear()
                try:
                    if await self._declared() != webhook:
                        return
                    await self.start_due(webhook, sender, group)
                    if loop.time() >= forget_at:
                        forget_at = loop.time() + FORGET_SECONDS
                        await self._store.forget_ended()
                except (OverloadedError, ServiceUnavailableError, UnknownSupplierError):
                    log.info("webhook.waiting", supplier=self._supplier)
                except LeaseLostError:
                    raise
                except Exception:  # what is under way must not be cut off by it
                    log.exception("webhook.fault", supplier=self._supplier)
                    await self._rest(FAULT_SECONDS)
                await self._rest(LOOK_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Until something changes, at most so long."""
        await set_within(self._wake, seconds)

    async def _apart(self, order_no: str, send: Callable[[], Awaitable[None]]) -> None:
        """Send one message; whatever goes wrong with it, the other orders go on."""
        try:
            await self._dependencies.orders.supervisor.run(OrderKey(self._supplier, order_no), send)
        finally:
            self._under_way.discard(order_no)
            self._wake.set()

    async def _send(self, url: str, sender: WebhookSender, due: DueMessages, message: Message, *, replay: bool) -> None:
        """Send one message and keep what came of it."""
        late = not replay and self._dependencies.clock() > message.visible_again_at - SENT_WITHIN
        if late or not self._lease.held:  # by now it may be in other hands
            return
        failpoint("webhook.sending")
        answer = await sender.post(
            due.secrets, message.id, message_json(message, self._dependencies.mailbox.links, self._dependencies.clock())
        )
        failpoint("webhook.answered")
        if answer.outcome is DeliveryOutcome.DELIVERED:
            if not replay:
                await self._dependencies.mailbox.acknowledge(self._supplier, [message.id])
            await self._store.succeeded(url, message.id)
        else:
            await self._failed(url, message, answer, replay=replay)
        metrics.webhook_requests_total.labels(supplier=self._supplier, outcome=answer.outcome.value).inc()

    async def _failed(self, url: str, message: Message, answer: DeliveryResult, *, replay: bool) -> None:
        endpoint = await self._store.failed(url, message, answer, self._dependencies.dice, replay=replay)
        fields = {"supplier": self._supplier, "message": message.id, "outcome": answer.outcome.value}
        log.info("webhook.failed", **fields, words=answer.words)
        if endpoint.disabled_at is not None:
            log.error("webhook.disabled", supplier=self._supplier, reason=endpoint.disabled_for, words=answer.words)
