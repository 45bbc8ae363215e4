"""A way to PostgreSQL that a test cuts off and mends at will: an outage for one program, and for nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class StoreWay:
    """Forwards connections to a server. url: what a program is given instead of the server's."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.url = ""

    async def mend(self) -> None:
        """Let connections through."""
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        there = self._there.netloc.rpartition("@")
        self.url = urlunsplit(self._there._replace(netloc=f"{there[0]}{there[1]}127.0.0.1:{self._port}"))

    async def cut(self) -> None:
        """Break every connection, and take no other."""
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(self._there.hostname, self._there.port)
            self._writers |= {writer, back}
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                self._writers -= {writer, back}
                writer.close()
                back.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(64 * 1024):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def store_way(url: str) -> AsyncIterator[StoreWay]:
    """A way to the server of this URL, open."""
    way = StoreWay(url)
    await way.mend()
    yield way
    await way.cut()
