"""A supplier's server on this machine that answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.outbound.supplier import HttpLimits


class Site:
    """What a supplier serves. requests: as they came; connections: that were opened to it."""

    def __init__(self) -> None:
        self.requests: list[web.BaseRequest] = []
        self.connections = 0
        self.port = 0
        self.answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]] = _ok

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.requests.append(request)
        return await self.answer(request)

    def limits(self, **changes: object) -> HttpLimits:
        """How it is called, but for the changes."""
        valid = {
            "base_url": f"http://127.0.0.1:{self.port}",
            "timeout_seconds": 20.0,
            "rate_per_second": 1000.0,
            "concurrency": 8,
            "max_reply_bytes": 1024 * 1024,
            "allow_private": True,
        }
        return HttpLimits(**{**valid, **changes})  # type: ignore[arg-type]  # each test changes one


async def _ok(request: web.BaseRequest) -> web.StreamResponse:
    return web.json_response({"ok": True})


@asynccontextmanager
async def open_site() -> AsyncIterator[Site]:
    """A server of its own."""
    served = Site()
    server = web.Server(served.handle)

    def opened() -> asyncio.Protocol:
        served.connections += 1
        return server()

    listening = await asyncio.get_running_loop().create_server(opened, "127.0.0.1", 0)
    served.port = listening.sockets[0].getsockname()[1]
    yield served
    listening.close()
    await server.shutdown(0)
    await listening.wait_closed()


@asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """The port of a server that speaks bytes, for what no HTTP library would send."""

    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(opened, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for each in connections:
        each.cancel()
    await asyncio.gather(*connections, return_exceptions=True)
    await server.wait_closed()
