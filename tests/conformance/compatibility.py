"""Whether a schema may follow a released one within its major version: both directions, as consumers live them.

Readers of the old schema meet new messages. They are open, members they do not know pass: whatever is written now must
fit the old open schema. Readers of the new schema meet old messages, for catalog topics are compacted and keep them:
they must accept all of those. Open schemas cannot show that, they accept anything unknown; hence closed copies.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsoncompat import check_compat


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What the change breaks; empty: nothing."""
    found = []
    if not check_compat(_text(old), _text(new), "serializer"):
        found.append("readers of the old schema cannot read new messages")
    if not check_compat(_text(closed(old)), _text(closed(new)), "deserializer"):
        found.append("readers of the new schema cannot read old messages")
    return found


def _text(schema: Mapping[str, Any]) -> str:
    # jsoncompat takes an $id for a reference that it would have to fetch.
    return json.dumps({key: value for key, value in schema.items() if key != "$id"})


def closed(schema: Any) -> Any:
    """A copy in which every object allows the members it names, no others."""
    match schema:
        case {"properties": dict(), "type": "object"}:
            return {key: closed(value) for key, value in schema.items()} | {"additionalProperties": False}
        case dict():
            return {key: closed(value) for key, value in schema.items()}
        case list():
            return [closed(value) for value in schema]
        case _:
            return schema
