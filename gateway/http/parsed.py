"""The one thing about a connection that aiohttp does not tell: how many heads of requests its parser has made out.

Whether bytes were half a head or a whole one, and that a chunked body is damaged, is known from nothing else before the
handler of an earlier request has ended, which may be waiting for that very body. A test says so when aiohttp changes.
"""

from __future__ import annotations

from aiohttp import web


def heads_parsed(protocol: web.RequestHandler) -> int:
    """Heads of requests so far; where the parser failed counts as one, and is answered in its turn like one."""
    return protocol._request_count  # noqa: SLF001 - nothing public tells it
