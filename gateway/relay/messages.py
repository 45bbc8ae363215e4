"""A message as a vendor is shown it, the same through both doors: GET /v1/messages and his webhook."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from gateway.relay.mailbox import Message
from schemas import contracts, orders
from schemas.base import written
from schemas.contracts import ContractOperation
from schemas.orders import Operation

TYPES: Mapping[Operation | ContractOperation, str] = {**orders.COMMAND_TYPE, **contracts.COMMAND_TYPE}
"""`ce_type` of each command, by operation."""


def message_json(message: Message) -> bytes:
    """A message as JSON, what the command says as it stands."""
    return orjson.dumps(
        {
            "id": message.id,
            "type": TYPES[message.operation],
            "delivery": message.delivery,
            "visible_again_at": written(message.visible_again_at),
            "command": orjson.Fragment(message.value),
        }
    )
