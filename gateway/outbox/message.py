"""What waits in the outbox, and how it gets there: in the transaction that decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from gateway.outbox.queries import ENQUEUE
from gateway.store import Connection
from schemas.envelope import Headers


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One record for Kafka. topic: without the prefix; headers: each name once, values UTF-8 without NUL."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


async def enqueue(connection: Connection, messages: Sequence[OutboxMessage]) -> None:
    """Have `messages` published once the caller's transaction is committed, those of one key in this order.

    They arrive at least once; a repeat is the same bytes under the same headers.
    """
    if not messages:
        return
    await connection.execute(
        ENQUEUE,
        [message.topic for message in messages],
        [message.key for message in messages],
        [message.value for message in messages],
        [orjson.dumps({name: value.decode() for name, value in message.headers}).decode() for message in messages],
    )
