"""Exchanges as evidence keeps them: bodies as text where they are text, bounded, and without the credential."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.calls.exchange import Exchange

KEPT_BYTES = 64 * 1024
"""Bytes of a body that are kept; of a longer one also its length and digest."""

KEPT_HEADERS = ("content-type", "date", "location", "retry-after", "server", "x-request-id")
"""Headers of replies that are kept: others may be credentials of a kind."""


def body_of(value: bytes | None) -> dict[str, Any] | None:
    """A body: `bytes` is its length; `text` holds it, or `base64` where it is no UTF-8; of a longer one the beginning,
    so many bytes of it as `kept` says, and `sha256` of all of it.
    """
    if value is None:
        return None
    facts: dict[str, Any] = {"bytes": len(value)}
    kept = value
    if len(value) > KEPT_BYTES:
        kept = _whole_characters(value[:KEPT_BYTES])
        facts |= {"kept": len(kept), "sha256": hashlib.sha256(value).hexdigest()}
    try:
        return {**facts, "text": kept.decode()}
    except UnicodeDecodeError:
        return {**facts, "base64": base64.b64encode(kept).decode()}


def facts_of(exchange: Exchange) -> dict[str, Any]:
    """What of an exchange is neither personal nor secret."""
    return {
        "call": exchange.request.operation,
        "method": exchange.request.method,
        "sent_at": exchange.sent_at.isoformat(),
        "ended_at": exchange.ended_at.isoformat(),
        "status": None if exchange.reply is None else exchange.reply.status,
        "error": exchange.error or None,
        "sent": exchange.sent,
    }


def private_of(exchange: Exchange) -> dict[str, Any]:
    """The request without its credential, and the reply as it was decoded from the content coding; None: none came."""
    request, reply = exchange.request, exchange.reply
    answered = None
    if reply is not None:
        headers = {name: reply.headers[name] for name in KEPT_HEADERS if name in reply.headers}
        answered = {"status": reply.status, "headers": headers, "body": body_of(reply.body)}
    asked = {
        "method": request.method,
        "url": request.url,
        "headers": dict(request.headers),
        "body": body_of(request.body),
    }
    return {"request": asked, "reply": answered}


def record_of(key: bytes | None, headers: Sequence[tuple[str, bytes]], value: bytes | None) -> Mapping[str, Any]:
    """A record of Kafka."""
    return {"key": body_of(key), "headers": [[name, body_of(each)] for name, each in headers], "value": body_of(value)}


def _whole_characters(start: bytes) -> bytes:
    """The beginning of a text, without the character that it was cut in; bytes that are no text stay as they are."""
    for cut in range(4):
        try:
            start[: len(start) - cut].decode()
        except UnicodeDecodeError:
            continue
        return start[: len(start) - cut]
    return start
