"""What schemathesis does not know of the vendor API: how lines of JSON travel."""

from __future__ import annotations

from typing import Any

import orjson
import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines_of_json(_: schemathesis.SerializationContext, value: Any) -> bytes:
    """A body that is text already; a bad one may be any value, and is then one line."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else orjson.dumps(value)
