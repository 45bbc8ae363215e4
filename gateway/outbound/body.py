"""The body of a reply, decoded by ourselves and within caps: a supplier's mistake must not take our memory."""

from __future__ import annotations

import zlib

import aiohttp

from gateway.sdk.errors import ContractError, UnavailableError

PIECE = 64 * 1024
"""Bytes that are decompressed at once, at most."""

MAX_RATIO = 200
"""Decoded bytes per encoded byte, once RATIO_FREE bytes have been decoded. JSON full of repetition stays below 100."""

RATIO_FREE = 1024 * 1024
MAX_MEMBERS = 64
KEPT = 64 * 1024
"""Bytes of a refused body that are kept for the dead letter."""

_GZIP, _ZLIB, _RAW_DEFLATE = 31, 15, -15


async def read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The whole body, decoded.

    Raises ContractError when it is larger than `max_bytes`, encoded or decoded, or encoded in a way that nobody asked
    for; UnavailableError when it is damaged or cut off; and what aiohttp raises.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    body = Body(encoding, max_bytes)
    if (response.content_length or 0) > max_bytes:
        raise body.too_large()
    async for data in response.content.iter_any():
        body.feed(data)
    return body.finish()


class Body:
    """A body as it comes in."""

    def __init__(self, encoding: str, max_bytes: int) -> None:
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ContractError("The reply is encoded in a way that was not asked for.")
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._inflater: zlib._Decompress | None = None
        self._members = 0
        self._start = b""
        self._taken = 0
        self._size = 0
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """More of it. Raises ContractError beyond the caps, UnavailableError when it is damaged."""
        self._taken += len(data)
        if self._taken > self._max_bytes:
            raise self.too_large()
        if self._encoding in ("", "identity"):
            self._keep(data)
        else:
            self._inflate(data)

    def finish(self) -> bytes:
        """All of it. Raises UnavailableError when something is missing."""
        if self._inflater is not None and not self._inflater.eof:
            self._step(self._inflater, b"")
        whole = self._inflater.eof if self._inflater else self._encoding in ("", "identity") or not self._taken
        if not whole:
            raise UnavailableError("The compressed reply is cut off.")
        return b"".join(self._pieces)

    def too_large(self) -> ContractError:
        """The error that a body beyond the caps is."""
        kept = b"".join(self._pieces)[:KEPT]
        return ContractError(f"The reply is larger than {self._max_bytes} bytes.", reply=kept)

    def _inflate(self, data: bytes) -> None:
        if self._inflater is None:
            self._start += data
            if len(self._start) < 2:  # the first two bytes tell the kinds of deflate apart
                return
            data, self._start = self._start, b""
            self._inflater = self._next_member(data)
        while data:
            if self._inflater.eof:
                self._inflater = self._next_member(data)
            data = self._step(self._inflater, data)

    def _next_member(self, data: bytes) -> zlib._Decompress:
        self._members += 1
        if self._members > (1 if self._encoding == "deflate" else MAX_MEMBERS):
            raise UnavailableError("The compressed reply has something behind its end.")
        if self._encoding != "deflate":
            return zlib.decompressobj(_GZIP)
        zlib_header = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
        return zlib.decompressobj(_ZLIB if zlib_header else _RAW_DEFLATE)

    def _step(self, inflater: zlib._Decompress, data: bytes) -> bytes:
        """Decompress a piece; what is left of `data`."""
        try:
            piece = inflater.decompress(data, PIECE)
        except zlib.error as error:
            raise UnavailableError("The compressed reply is damaged.") from error
        self._keep(piece)
        if self._size > RATIO_FREE and self._size > MAX_RATIO * self._taken:
            raise self.too_large()
        return inflater.unused_data if inflater.eof else inflater.unconsumed_tail

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_bytes:
            raise self.too_large()
        self._pieces.append(piece)
