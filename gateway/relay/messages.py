"""A message as a vendor is shown it, the same through both doors: GET /v1/messages and his webhook."""

from __future__ import annotations

import orjson

from gateway.relay.mailbox import Message
from schemas.base import written
from schemas.orders import COMMAND_TYPE


def message_json(message: Message) -> bytes:
    """A message as JSON, what the command says as it stands."""
    return orjson.dumps(
        {
            "id": message.id,
            "type": COMMAND_TYPE[message.operation],
            "delivery": message.delivery,
            "visible_again_at": written(message.visible_again_at),
            "command": orjson.Fragment(message.value),
        }
    )
