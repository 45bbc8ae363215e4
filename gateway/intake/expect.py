"""`Expect: 100-continue`: a client that asks first is told to go on once its request is worth its body, not before."""

from __future__ import annotations

from aiohttp import HttpVersion11, hdrs, web

_ASKED = web.RequestKey("asked_to_go_on", bool)


async def note_expectation(request: web.Request) -> None:
    """Expect handler of routes that read their body by `body.wire`, which answers what is noted here."""
    if request.version >= HttpVersion11:
        if request.headers.get(hdrs.EXPECT, "").lower() != "100-continue":
            raise web.HTTPExpectationFailed
        request[_ASKED] = True


async def tell_to_go_on(request: web.BaseRequest) -> None:
    """Answer 100 Continue to a client that waits for it, once."""
    if request.get(_ASKED):
        request[_ASKED] = False
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer has not begun: `respond` looks
