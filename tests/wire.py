"""A client that can send what no HTTP library would, and reads what comes back as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as read from the socket. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code, once everything that each problem document has to have is seen to be there."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status
        assert self.json["request_id"] == self.headers["x-request-id"]
        assert len(self.json["trace_id"]) == 32
        assert self.json["message_zh"]
        assert self.headers["server"] == "mallgate"
        return self.status, self.json["code"]


class Wire:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: str | bytes) -> None:
        for part in parts:
            self._writer.write(part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part)
            await self._writer.drain()

    async def end(self) -> None:
        """Say that nothing more comes, and go on reading."""
        self._writer.write_eof()

    def abort(self) -> None:
        """Vanish."""
        self._writer.transport.abort()

    async def answer(self) -> Answer:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split(" ")[1]), headers, body)

    async def read(self, most: int) -> bytes:
        """Some of what has come; nothing once the connection is closed."""
        return await self._reader.read(most)

    async def closed(self) -> bytes:
        """What is left until the server closes the connection."""
        try:
            return await self._reader.read()
        except ConnectionResetError:
            return b""

    async def close(self) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except ConnectionError:
            return
