"""How an answer goes over the wire: whole and at once, or in one of the ways in which networks and proxies spoil it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

from aiohttp import web

_MEGABYTE = 1 << 20


class Manner(StrEnum):
    """A way in which a body is sent, or is not."""

    WHOLE = "whole"
    DRIP = "drip"
    CUT_OFF = "cut_off"
    CUT_RESET = "cut_reset"
    HANG = "hang"
    RESET = "reset"
    HUGE_BODY = "huge_body"
    GZIP_BOMB = "gzip_bomb"


@dataclass(slots=True)
class Delivery:
    """An answer and the way it goes. wait: seconds before it; size: bytes of a body without end, once decompressed;
    pause: seconds between the bytes of one that drips.
    """

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json;charset=UTF-8"})
    wait: float = 0.0
    manner: Manner = Manner.WHOLE
    size: int = 10_000 * _MEGABYTE
    pause: float = 1.0

    @property
    def answered(self) -> int:
        """The status that the caller sees, 0 when it sees none."""
        return 0 if self.manner in {Manner.HANG, Manner.RESET} else self.status


async def deliver(request: web.BaseRequest, delivery: Delivery, closing: asyncio.Event) -> web.StreamResponse:
    """Send it. Returns early when the caller has gone or the server closes."""
    if delivery.wait:
        await _rest(request, delivery.wait, closing)
    if delivery.manner is Manner.WHOLE:
        return web.Response(body=delivery.body, status=delivery.status, headers=delivery.headers)
    response = web.StreamResponse(status=delivery.status, headers=delivery.headers)
    with suppress(OSError):  # the caller may have had enough, which is what such a body is for
        await _WAYS[delivery.manner](request, response, delivery, closing)
    return response


async def _hang(request: web.BaseRequest, response: web.StreamResponse, _: Delivery, closing: asyncio.Event) -> None:
    while not await _rest(request, 3600, closing):
        pass
    _close(request)


async def _reset(request: web.BaseRequest, response: web.StreamResponse, _: Delivery, closing: asyncio.Event) -> None:
    """Closing a socket that lingers for no time sends RST, not FIN."""
    transport = request.transport
    if transport is None:
        return
    # A duplicate, since not every event loop lets options be set on the socket of its transport.
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _cut_off(
    request: web.BaseRequest, response: web.StreamResponse, delivery: Delivery, closing: asyncio.Event
) -> None:
    response.content_length = len(delivery.body)
    await response.prepare(request)
    await response.write(delivery.body[: len(delivery.body) // 2])
    _close(request)


async def _cut_reset(
    request: web.BaseRequest, response: web.StreamResponse, delivery: Delivery, closing: asyncio.Event
) -> None:
    response.content_length = len(delivery.body)
    await response.prepare(request)
    await response.write(delivery.body[: len(delivery.body) // 2])
    await _reset(request, response, delivery, closing)


async def _drip(
    request: web.BaseRequest, response: web.StreamResponse, delivery: Delivery, closing: asyncio.Event
) -> None:
    response.content_length = len(delivery.body)
    await response.prepare(request)
    for at in range(len(delivery.body)):
        await response.write(delivery.body[at : at + 1])
        if await _rest(request, delivery.pause, closing):
            return _close(request)
    return None


async def _stream(
    request: web.BaseRequest, response: web.StreamResponse, delivery: Delivery, closing: asyncio.Event
) -> None:
    if delivery.manner is Manner.GZIP_BOMB:
        response.headers["Content-Encoding"] = "gzip"
        pieces = _bomb(delivery.size)
    else:
        pieces = _endless(delivery.size)
    await response.prepare(request)
    async for piece in pieces:
        if closing.is_set():
            return _close(request)
        await response.write(piece)
    return None


async def _endless(size: int) -> AsyncIterator[bytes]:
    yield b'{"success":true,"resultMessage":"","resultCode":"0000","result":"'
    piece = b"A" * _MEGABYTE
    for _ in range(size // _MEGABYTE):
        yield piece
    yield b'"}'


async def _bomb(size: int) -> AsyncIterator[bytes]:
    """One gzip stream of so many zeros: after a full flush a compressed block can be sent again as it is."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(_MEGABYTE)
    block = compressor.compress(zeros) + compressor.flush(zlib.Z_FULL_FLUSH)
    count = size // _MEGABYTE
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    checksum = 0
    for _ in range(count):
        checksum = zlib.crc32(zeros, checksum)
        yield block
        await asyncio.sleep(0)
    yield compressor.flush() + struct.pack("<II", checksum, count * _MEGABYTE & 0xFFFF_FFFF)


async def _rest(request: web.BaseRequest, seconds: float, closing: asyncio.Event) -> bool:
    """Wait so long. True at once when there is no longer anyone to answer, or no more time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while (left := end - loop.time()) > 0:
        if closing.is_set() or request.transport is None or request.transport.is_closing():
            return True
        try:
            async with asyncio.timeout(min(left, 0.2)):
                await closing.wait()
        except TimeoutError:
            continue
    return False


def _close(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


_WAYS: Mapping[Manner, Callable[[web.BaseRequest, web.StreamResponse, Delivery, asyncio.Event], Awaitable[None]]] = {
    Manner.DRIP: _drip,
    Manner.CUT_OFF: _cut_off,
    Manner.CUT_RESET: _cut_reset,
    Manner.HANG: _hang,
    Manner.RESET: _reset,
    Manner.HUGE_BODY: _stream,
    Manner.GZIP_BOMB: _stream,
}
