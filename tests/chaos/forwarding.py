"""One address for all programs, as a balancer before them has it: a vendor knows no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from random import Random
from urllib.parse import urlsplit

CHUNK = 1 << 16


class Forwarder:
    """Hands each connection to a program that takes requests; with none it is closed at once."""

    def __init__(self, urls: Callable[[], list[str]], rng: Random) -> None:
        self._urls = urls
        self._rng = rng

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it."""
        try:
            urls = self._urls()
            if not urls:
                return
            place = urlsplit(self._rng.choice(urls))
            there, back = await asyncio.open_connection(place.hostname, place.port)
            try:
                async with asyncio.TaskGroup() as group:
                    ways = [group.create_task(_copy(reader, back)), group.create_task(_copy(there, writer))]
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                    for way in ways:
                        way.cancel()
            finally:
                back.close()
        except OSError:
            return
        finally:
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(CHUNK):
            writer.write(content)
            await writer.drain()


@asynccontextmanager
async def open_forwarder(urls: Callable[[], list[str]], rng: Random) -> AsyncIterator[str]:
    """The address, until the end of the block. urls: of the programs that take requests now."""
    connections = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        task.add_done_callback(connections.discard)
        with suppress(asyncio.CancelledError):
            await Forwarder(urls, rng).forward(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in [*connections]:
            task.cancel()
        if connections:
            await asyncio.wait([*connections])
