"""A vendor that fetches, on PostgreSQL: commands come in, and he fetches, acknowledges and answers by a clock."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from gateway.kafka import ORDER_EVENTS, Record
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Acknowledgement, Mailbox, Message
from gateway.relay.vendor_event_service import LateVendorEvent, SentVendorEvent, VendorEventReceipt, VendorEventService
from gateway.relay.vendor_events import VENDOR_EVENTS
from gateway.store import Pool, Row, SharedPool, acquired
from schemas.orders import Kind, Operation
from schemas.orders.examples import AT, COMMAND_EXAMPLES, ORDER_NO, SUPPLIER, command_headers
from tests.integration.relay.test_inbox import BOX, PARTITION, identity

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@dataclass(slots=True)
class Clock:
    """The time, as the test has it."""

    now: datetime = AT + 2 * HOUR

    def __call__(self) -> datetime:
        return self.now


@dataclass(slots=True)
class Desk:
    """All that happens to one supplier's orders."""

    pool: Pool
    inbox: Inbox
    clock: Clock = field(default_factory=Clock)
    offset: int = 0
    keys: int = 0

    @property
    def shared(self) -> SharedPool:
        return SharedPool(self.pool, share=None)

    @property
    def mailbox(self) -> Mailbox:
        """A new one each time, as of another process."""
        return Mailbox(self.shared, BOX, self.clock)

    async def comes(
        self, number: int, operation: Operation = Operation.SUBMIT, order_no: str = ORDER_NO, **changes: Any
    ) -> str:
        """A command of the core comes in; its id."""
        example = COMMAND_EXAMPLES[operation]
        members = {"command_id": identity(number), "order_no": order_no, **changes}
        document = {**orjson.loads(example.model_dump_json()), **members}
        at, key = 1_780_000_000_000 + self.offset, order_no.encode()
        record = Record(*PARTITION, self.offset, at, key, orjson.dumps(document), command_headers(example))
        self.offset = await self.inbox.take(PARTITION, [record], stands=self.offset)
        return identity(number)

    async def fetch(self, most: int = 20) -> Sequence[Message]:
        return await self.mailbox.fetch(SUPPLIER, most)

    async def fetched(self, most: int = 20) -> list[str]:
        return [each.id for each in await self.fetch(most)]

    async def ack(self, *ids: str, supplier: str = SUPPLIER) -> Mapping[str, Acknowledgement]:
        return await self.mailbox.acknowledge(supplier, ids)

    async def says(
        self, event: Kind, key: str = "", order_no: str = ORDER_NO, supplier: str = SUPPLIER, **members: Any
    ) -> VendorEventReceipt | LateVendorEvent:
        """The vendor says something of the order."""
        self.keys += 1
        body = orjson.dumps({"event": event, **members})
        said = VENDOR_EVENTS[event].model_validate_json(body)
        content = hashlib.sha256(order_no.encode() + body).digest()
        word = SentVendorEvent(supplier, order_no, key or f"key-{self.keys}", content, said)
        return await VendorEventService(self.shared, BOX, self.clock).take(word)

    async def rows(self, query: str, *arguments: object) -> list[Row]:
        async with acquired(self.pool) as connection:
            return list(await connection.fetch(query, *arguments))

    async def told(self) -> list[tuple[str, str | None]]:
        """What the core was told, in order: the event and the command that it answers."""
        values = [orjson.loads(each) for each in await self._values()]
        return [(each["event"], each["cause"]["command_id"]) for each in values]

    async def last(self) -> dict[str, Any]:
        """What the core was told last."""
        found: dict[str, Any] = orjson.loads((await self._values())[-1])
        return found

    async def _values(self) -> list[bytes]:
        found = await self.rows("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", ORDER_EVENTS)
        return [row["value"] for row in found]

    async def states(self) -> list[tuple[str, str]]:
        """Of commands, in the order of their places."""
        return [(row["command_id"], row["state"]) for row in await self.rows("SELECT * FROM commands ORDER BY place")]

    async def order(self, order_no: str = ORDER_NO) -> str | None:
        """Where the order stands."""
        found = await self.rows("SELECT state FROM orders WHERE supplier = $1 AND order_no = $2", SUPPLIER, order_no)
        return found[0]["state"] if found else None

    async def steps(self) -> list[str]:
        return [row["kind"] for row in await self.rows("SELECT kind FROM order_steps ORDER BY id")]

    async def letters(self) -> list[tuple[str, str]]:
        found = await self.rows("SELECT stage, code FROM dead_letters ORDER BY created_at")
        return [(row["stage"], row["code"]) for row in found]
