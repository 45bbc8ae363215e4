"""What ties an answer, its log lines and its trace together: a request id and a W3C trace context."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

# Version 00 ends after the flags; a later one may go on.
_TRACEPARENT = re.compile(
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-(?P<flags>[0-9a-f]{2})(-.*)?"
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class Correlation:
    """request_id: answered as X-Request-Id; traceparent: our span in the caller's trace, or in a new one."""

    request_id: str
    traceparent: str

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.traceparent[3:35]


def correlate(headers: Mapping[str, str]) -> Correlation:
    """Take over the caller's `traceparent` and `X-Request-Id` where they are well formed, make new ones where not.

    A malformed header is no reason to refuse a feed: W3C Trace Context asks to start a new trace instead.
    """
    given = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    trace_id, flags = (given["trace"], given["flags"]) if given else (secrets.token_hex(16), "00")
    request_id = headers.get("X-Request-Id", "")
    return Correlation(
        request_id=request_id if _REQUEST_ID.fullmatch(request_id) else secrets.token_hex(16),
        traceparent=f"00-{trace_id}-{secrets.token_hex(8)}-{flags}",
    )
