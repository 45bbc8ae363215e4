"""A vendor's way to the gateway that notes what he is handed, what he says and is answered, and what he downloads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp

from contrib.journal import background, open_journal, restore
from contrib.simulators.native import Config, Vendor
from contrib.simulators.native.contracts import Document
from contrib.simulators.native.gateway import Gateway
from tests.chaos.receiver import Receiver, digest
from tests.chaos.recorder import Recorder

LOOKS = 0.04
"""Share of the looks of a vendor with a webhook that are into his mailbox as well."""

NUMBERS = ("mark_id", "service_no")
"""Members of a payload that say what an event is about."""


class NotingGateway(Gateway):
    """receiver: of the vendor's webhook, None where he fetches alone."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        config: Config,
        supplier: str,
        recorder: Recorder,
        receiver: Receiver | None,
        rng: Random,
    ) -> None:
        super().__init__(session, config)
        self._supplier = supplier
        self._recorder = recorder
        self._receiver = receiver
        self._pause = config.poll_seconds
        self._rng = rng
        self._fetched: set[str] = set()

    async def fetch(self) -> Sequence[Mapping[str, Any]]:
        """Messages of the mailbox, or those that came to the webhook and are not worked on yet."""
        if self._receiver is None:
            return await self._from_mailbox()
        if self._rng.random() < LOOKS:
            for message in await self._from_mailbox():
                self._fetched.add(message["id"])
                self._receiver.inbox[message["id"]] = message
        await asyncio.sleep(self._pause)
        return [*self._receiver.inbox.values()]

    async def acknowledge(self, ids: Sequence[str]) -> int:
        """To the mailbox, of what came by it; a webhook was answered already."""
        if self._receiver is None:
            return await super().acknowledge(ids)
        for id_ in ids:
            self._receiver.inbox.pop(id_, None)
        found = [id_ for id_ in ids if id_ in self._fetched]
        self._fetched.difference_update(found)
        return await super().acknowledge(found) if found else 200

    async def send_event(self, about: str, event: Mapping[str, Any], key: str) -> int:
        """Say something, until there is an answer to go by; what is not about an order itself is noted."""
        family, _, number = about.partition("/")
        payload = event.get("payload", {})
        named = number if family == "contracts" else next((payload[each] for each in NUMBERS if each in payload), "")
        status = await super().send_event(about, event, key)
        if named:
            order_no = "" if family == "contracts" else number
            whose = {"supplier": self._supplier, "order_no": order_no, "number": named}
            self._recorder.record("conversation.said", **whose, kind=event["event"], status=status, content=event)
        return status

    async def document(self, url: str) -> Document:
        """Download a document by its signed address."""
        found = await super().document(url)
        [message] = parse_qs(urlsplit(url).query)["message"]
        status = int(found.problem or 200)
        self._recorder.record(
            "conversation.document", message=message, status=status, sha256=found.sha256, size=found.size
        )
        return found

    async def _from_mailbox(self) -> Sequence[Mapping[str, Any]]:
        messages = await super().fetch()
        for message in messages:
            self._recorder.record(
                "conversation.handed",
                supplier=self._supplier,
                door="mailbox",
                id=message["id"],
                sha256=digest(message["command"]),
                status=200,
                stored=True,
            )
        return messages


@asynccontextmanager
async def open_noting_vendor(
    config: Config, supplier: str, recorder: Recorder, rng: Random, receiver: Receiver | None = None
) -> AsyncIterator[tuple[Vendor, NotingGateway]]:
    """A vendor that works until the end, and the way that he has to the gateway."""
    entries = restore(config.ledger)
    async with open_journal(config.ledger) as ledger, aiohttp.ClientSession() as session:
        gateway = NotingGateway(session, config, supplier, recorder, receiver, rng)
        vendor = Vendor(config, gateway, ledger)
        async with background(vendor.run(entries)):
            yield vendor, gateway
