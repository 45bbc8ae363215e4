"""A message as a vendor is shown it, the same through both doors: GET /v1/messages and his webhook."""

from __future__ import annotations

from datetime import datetime

import orjson

from gateway.relay.documents import DocumentLinks
from gateway.relay.mailbox import Message
from schemas import contracts, orders
from schemas.base import written
from schemas.contracts import ContractOperation
from schemas.orders import Operation


def type_of(operation: Operation | ContractOperation) -> str:
    """`ce_type` of a command."""
    if isinstance(operation, ContractOperation):
        return contracts.COMMAND_TYPE[operation]
    return orders.COMMAND_TYPE[operation]


def message_json(message: Message, links: DocumentLinks, now: datetime) -> bytes:
    """A message as JSON: what the command says as it stands, but for the address of a document."""
    value = links.for_vendor(message.value, message.id, message.operation, now)
    return orjson.dumps(
        {
            "id": message.id,
            "type": type_of(message.operation),
            "delivery": message.delivery,
            "visible_again_at": written(message.visible_again_at),
            "command": orjson.Fragment(value),
        }
    )
