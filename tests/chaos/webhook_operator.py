"""Who looks after a vendor's webhook: changes its secrets, sends anew what failed or came lately, takes it back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.chaos.operators import REASON, Operator
from tests.chaos.receiver import Receiver
from tests.eventually import eventually

EVERY = (3.0, 8.0)
"""Seconds between two looks: the schedule of a webhook has pauses of minutes."""


def webhook_of(receiver: Receiver, secrets: Sequence[str]) -> Mapping[str, Any]:
    """What a supplier with this webhook declares."""
    webhook = {"url": f"http://127.0.0.1:{receiver.port}/hook", "allow_private": True}
    return {"webhook": webhook, "secrets": dict(zip(("webhook", "webhook_former"), secrets, strict=False))}


class WebhookOperator:
    """One supplier's webhook."""

    def __init__(self, operator: Operator, supplier: str, receiver: Receiver, rng: Random) -> None:
        self._ask = operator.ask
        self._supplier = supplier
        self._receiver = receiver
        self._rng = rng

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._receiver.run(stopping, self._rotate))
            while not stopping.is_set():
                await self.send_anew(self._rng.choice((0.0, 0.0, 20.0)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._rng.uniform(*EVERY)):
                        await stopping.wait()

    async def send_anew(self, seconds: float = 0.0) -> None:
        """Take the webhook back and send what failed, and what came in for so many seconds."""
        since = datetime.now(UTC) - timedelta(seconds=seconds + 0.5)
        await self._ask("POST", f"webhooks/{self._supplier}/enable", REASON)
        await self._ask("POST", f"webhooks/{self._supplier}/replay", {**REASON, "since": since.isoformat()})

    async def _rotate(self, secrets: Sequence[str]) -> None:
        """Declare the new secret beside the one before, again and again until that is done."""
        facets = ["product", "price", "stock", "listing"]
        table = {"name": self._supplier, "adapter": "native", "facets": facets, **webhook_of(self._receiver, secrets)}

        async def applied() -> bool:
            status, _ = await self._ask("POST", "suppliers/apply", {"suppliers": {self._supplier: table}})
            return status == 200

        await eventually(applied, within=300)
