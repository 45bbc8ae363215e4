"""One request to a vendor's webhook: signed as Standard Webhooks has it, sent once, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from types import TracebackType

from gateway.outbound import AddressBlockedError, HttpLimits, Prepared, SupplierClient
from gateway.outbound.address import UrlForbiddenError, check_url
from gateway.outbound.signature import sign
from gateway.relay.webhook_policy import TIMEOUT_SECONDS, DeliveryOutcome, DeliveryResult, outcome_of
from gateway.sdk.errors import Sent, UnavailableError
from gateway.sdk.status import retry_after
from gateway.suppliers.config import Webhook

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class WebhookSender:
    """Connections to one webhook. clock: the time that requests are signed with."""

    def __init__(self, supplier: str, webhook: Webhook, clock: Callable[[], datetime]) -> None:
        self._webhook = webhook
        self._clock = clock
        limits = HttpLimits(
            base_url=webhook.url,
            timeout_seconds=TIMEOUT_SECONDS,
            rate_per_second=float("inf"),
            concurrency=webhook.concurrency,
            max_reply_bytes=None,
            allow_private=webhook.allow_private,
        )
        self._client = SupplierClient(supplier, limits)

    async def __aenter__(self) -> WebhookSender:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def post(self, secrets: Sequence[str], message_id: str, body: bytes) -> DeliveryResult:
        """Send one message; every way in which it can fail is an answer too. secrets: each signs it."""
        now = self._clock()
        try:
            check_url(self._webhook.url, allow_private=self._webhook.allow_private)
            reply = await self._client.send(self._prepared(secrets, message_id, int(now.timestamp()), body))
        except (UrlForbiddenError, AddressBlockedError) as error:
            return DeliveryResult(DeliveryOutcome.BLOCKED, str(error), sent=False)
        except UnavailableError as error:
            return DeliveryResult(DeliveryOutcome.UNREACHABLE, str(error), sent=error.sent is not Sent.NOTHING)
        return DeliveryResult(
            outcome_of(reply.status), f"HTTP status {reply.status}", retry_after=retry_after(reply, now)
        )

    def _prepared(self, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> Prepared:
        headers = {
            "Content-Type": "application/json",
            ID: message_id,
            TIMESTAMP: str(timestamp),
            SIGNATURE: " ".join(sign(secret, message_id, timestamp, body) for secret in secrets),
        }
        return Prepared("webhook", "POST", self._webhook.url, headers, body)
