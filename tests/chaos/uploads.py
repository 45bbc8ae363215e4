"""Requests of vendors' programs as networks treat them: whole, slow, cut in the middle, or with their answer lost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import orjson

from tests.wire import Wire

Style = Literal["plain", "slow", "cut", "lost"]

PATIENCE = 20.0
"""Seconds that a vendor's program waits for an answer."""

NO_ANSWER = 0
CUT = 400
"""Status of a request that was never sent whole: nobody can have taken it."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a body goes out. share: of it before it is cut; seconds: that a slow one takes, or that a loser waits."""

    style: Style = "plain"
    share: float = 1.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Told:
    """What came back. number: of the feed, where it is told."""

    status: int
    number: int | None = None


async def upload(url: str, path: str, headers: Mapping[str, str], body: bytes, manner: Manner) -> Told:
    """Send one request in that manner."""
    place = urlsplit(url)
    head = {"Host": place.netloc, "Content-Length": str(len(body)), **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    try:
        async with asyncio.timeout(PATIENCE + manner.seconds):
            reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=1 << 22)
            wire = Wire(reader, writer)
            try:
                return await _exchange(wire, f"POST {path} HTTP/1.1\r\n{lines}\r\n", body, manner)
            finally:
                wire.abort()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        return Told(NO_ANSWER)


async def _exchange(wire: Wire, head: str, body: bytes, manner: Manner) -> Told:
    await wire.send(head)
    match manner.style:
        case "cut":
            await wire.send(body[: int(len(body) * min(manner.share, 0.95))])
            return Told(CUT)
        case "lost":
            await wire.send(body)
            with suppress(TimeoutError):
                async with asyncio.timeout(manner.seconds):
                    await wire.answer()
            return Told(NO_ANSWER)
        case "slow":
            await _slowly(wire, body, manner.seconds)
        case "plain":
            await wire.send(body)
    answer = await wire.answer()
    number = orjson.loads(answer.body)["feed"] if answer.status in (200, 202) else None
    return Told(answer.status, None if number is None else int(number))


async def _slowly(wire: Wire, body: bytes, seconds: float) -> None:
    """In pieces a second apart, as a bad line lets them through."""
    pieces = max(2, int(seconds))
    size = -(-len(body) // pieces)
    for start in range(0, len(body), size):
        if start:
            await asyncio.sleep(1.0)
        await wire.send(body[start : start + size])
