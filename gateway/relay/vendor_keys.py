"""What vendors say is taken once per key of theirs: the same again is answered as it was the first time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gateway.relay import mailbox_queries as queries
from gateway.sdk.errors import GatewayError
from gateway.store import Connection
from schemas.orders.events import SupplierMessage

KEY_LIFE = timedelta(days=7)
"""How long a vendor's key is remembered, as that of a feed."""

LONGEST_MESSAGE_ID = 128
"""Characters of a key that names the vendor's message as it is; a longer one is named by its digest."""


class KeyReusedError(GatewayError):
    """The vendor's key was used for something else."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was kept under a key that was taken before; row: as `keep_answer` was given it."""

    row: Mapping[str, Any] | None


async def take_key(connection: Connection, supplier: str, key: str, content: bytes) -> KeptAnswer | None:
    """Take a vendor's key; None: it is new. content: digest of what he says, 32 bytes. Raises KeyReusedError."""
    if await connection.fetchval(queries.TAKE_KEY, supplier, key, content, KEY_LIFE) is not None:
        return None
    row = await connection.fetchrow(queries.KEY, supplier, key)
    if row is None or row["content"] != content:
        raise KeyReusedError
    return KeptAnswer(row["answer"])


async def keep_answer(connection: Connection, supplier: str, key: str, row: Mapping[str, Any] | None) -> None:
    """Keep what he is answered, in the transaction in which the key was taken."""
    await connection.execute(queries.KEEP_ANSWER, supplier, key, row)


def message_by(kind: str, key: str) -> SupplierMessage:
    """The vendor's message that a word under his key is."""
    identity = key if len(key) <= LONGEST_MESSAGE_ID else hashlib.sha256(key.encode()).hexdigest()
    return SupplierMessage(type=kind, id=identity)
