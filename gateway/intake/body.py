"""A request's body on its way in: read, verified, decoded, framed and packed into chunks, none of it held in memory.

With a bearer token all of that happens in one pass while the bytes arrive. A signed body is spooled as it is on the
wire first, because nothing may be decoded before its signature is known to be right.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import hdrs, web

from gateway.feeds.chunk import MAX_FEED_RECORDS, Chunker, ChunkSpan
from gateway.http.clients import client_of, site_of
from gateway.http.problems import ProblemError
from gateway.intake.auth import Claim
from gateway.intake.encoding import PIECE, Decoder, decoder_for
from gateway.intake.expect import tell_to_go_on
from gateway.intake.framing import Framed, Framer, framer_for
from gateway.intake.media_type import media_type_of
from gateway.intake.spool import Spool
from gateway.intake.unverified import UnverifiedBytes
from gateway.suppliers import Caller
from gateway.turnstile import Stretch


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """max_bytes: of a body, on the wire and decoded; signed ones have limits of their own, see `unverified`.

    spool_dir: where bodies lie meanwhile that are too large for memory, None for the system's temporary directory.
    """

    max_bytes: int = 2 * 1024**3
    spool_dir: Path | None = None


class ReceivedBody:
    """A whole body as chunks. size: decoded bytes; sha256: of the decoded body, 32 bytes."""

    def __init__(self, caller: Caller, webhook_id: str | None, packed: Packed) -> None:
        self.caller = caller
        self.webhook_id = webhook_id
        self.chunks: list[ChunkSpan] = packed.chunks
        self.records = packed.records
        self.size = packed.size
        self.sha256 = packed.sha256
        self._spool = packed.spool

    def payload(self, span: ChunkSpan) -> bytes:
        """The value of one chunk, ready to be produced. Raises SpoolFailedError."""
        return self._spool.read(span.offset, span.size)


@dataclass(frozen=True, slots=True)
class Packed:
    """What a decoded body was packed into."""

    spool: Spool
    chunks: list[ChunkSpan]
    records: int
    size: int
    sha256: bytes


@asynccontextmanager
async def receive(
    request: web.BaseRequest, who: Caller | Claim, limits: BodyLimits, unverified: UnverifiedBytes
) -> AsyncIterator[ReceivedBody]:
    """Read the request's body to its end; what is received is deleted when the block is left.

    who: of `authenticate`; for a claim the verified caller is the body's. unverified: has room for a body whose sender
    is still a claim. Raises ProblemError for a body that cannot be taken, SpoolFailedError, and what `wire` does for
    one that does not arrive.
    """
    framer = framer_for(*media_type_of(request))
    decoder = decoder_for(content_encoding(request), max_bytes=limits.max_bytes)
    async with Spool(limits.spool_dir) as spool:
        if isinstance(who, Caller):
            packed = await pack(wire(request, limits.max_bytes), decoder, framer, spool)
            yield ReceivedBody(who, None, packed)
        else:
            async with Spool(limits.spool_dir, memory=unverified.limits.memory) as signed:
                caller = await _verify(request, who, signed, unverified)
                packed = await pack(_stored(signed), decoder, framer, spool)
            yield ReceivedBody(caller, who.webhook_id, packed)


def content_encoding(request: web.BaseRequest) -> str:
    """All of the request's Content-Encoding headers as one, "" when there is none."""
    return ",".join(request.headers.getall(hdrs.CONTENT_ENCODING, []))


async def wire(request: web.BaseRequest, max_bytes: int, advice: str = "") -> AsyncIterator[bytes]:
    """The body as on the wire. advice: told to whom it is too large for.

    Raises ProblemError payload_too_large, before anything is read where the length is declared, TooSlowError, and
    RequestPayloadError or ConnectionError for a body that ends early.
    """
    left = max_bytes
    too_large = ProblemError("payload_too_large", advice, expected=f"at most {max_bytes} bytes")
    if (request.content_length or 0) > left:
        raise too_large
    await tell_to_go_on(request)
    while data := await request.content.readany():
        left -= len(data)
        if left < 0:
            raise too_large
        yield data


async def pack(source: AsyncIterator[bytes], decoder: Decoder, framer: Framer, spool: Spool) -> Packed:
    """Decode and frame a body, its records into chunks, those into the spool. Raises ProblemError, SpoolFailedError."""
    packer = _Packer(spool)
    stretch = Stretch()
    digest = hashlib.sha256()
    size = 0
    async for data in source:
        for piece in decoder.feed(data):
            digest.update(piece)
            size += len(piece)
            await packer.take(framer.feed(piece), stretch)
            await stretch.rest()
        await stretch.rest()  # what is compressed may be long and hold nothing
    decoder.finish()
    await packer.take(framer.finish(), stretch)
    await packer.finish()
    return Packed(spool, packer.chunks, packer.records, size, digest.digest())


class _Packer:
    """Packs records into chunks in a spool."""

    def __init__(self, spool: Spool) -> None:
        self.chunks: list[ChunkSpan] = []
        self.records = 0
        self._spool = spool
        self._chunker = Chunker()

    async def take(self, records: Iterable[Framed], stretch: Stretch) -> None:
        """Pack some records."""
        add = self._chunker.add
        for line, raw in records:
            finished = add(line, raw)
            if finished is not None:
                await self._store(*finished)
                await stretch.rest()

    async def finish(self) -> None:
        """Pack what is left."""
        finished = self._chunker.finish()
        if finished is not None:
            await self._store(*finished)
        await self._spool.seal()

    async def _store(self, value: bytes, records: int) -> None:
        if self.records + records > MAX_FEED_RECORDS:
            raise ProblemError("too_many_records")
        offset = await self._spool.append(value)
        self.chunks.append(ChunkSpan(len(self.chunks), offset, len(value), self.records, records))
        self.records += records


async def _verify(request: web.BaseRequest, claim: Claim, spool: Spool, unverified: UnverifiedBytes) -> Caller:
    """Spool the body, and who signed it. Raises ProblemError when there is no room, time or signature for it."""
    limits = unverified.limits
    advice = "Signed bodies are smaller; send larger ones with Authorization: Bearer."
    with unverified.share(site_of(client_of(request)), claim.supplier) as share:
        share.cover(min(request.content_length or 0, limits.body))
        try:
            async with asyncio.timeout(limits.seconds):
                async for data in wire(request, limits.body, advice):
                    share.cover(spool.size + len(data))
                    claim.update(data)
                    await spool.append(data)
        except TimeoutError as error:
            too_slow = f"A signed body has to be whole within {limits.seconds:g} s."
            raise ProblemError("request_timeout", too_slow) from error
        await spool.seal()
        return claim.settle()


async def _stored(spool: Spool) -> AsyncIterator[bytes]:
    for offset in range(0, spool.size, PIECE):
        yield spool.read(offset, min(PIECE, spool.size - offset))
