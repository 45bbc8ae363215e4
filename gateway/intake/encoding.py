"""Content-Encoding, undone by ourselves: what is cut off, damaged or a bomb is refused instead of half delivered."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from gateway.http.problems import ProblemError

PIECE = 16 * 1024
"""Bytes that a decoder hands out at once, at most: what is made of them is one stretch of work."""

MAX_MEMBERS = 64
"""Members of one gzip file."""

MAX_RATIO = 200
"""Decoded bytes per encoded byte, once RATIO_FREE bytes have been decoded."""

RATIO_FREE = 1024 * 1024

# Small, because zlib copies what it did not consume of its input with every piece of output.
_BITE = 16 * 1024

_GZIP = 31


class Decoder(Protocol):
    """Bytes as sent in, bytes as meant out, in pieces of at most PIECE bytes."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What can be decoded with `data`. Raises ProblemError."""
        ...

    def finish(self) -> None:
        """Nothing more comes. Raises ProblemError when something is missing."""
        ...


def is_compressed(content_encoding: str) -> bool:
    """Whether a Content-Encoding header ("" when there is none) means gzip.

    Raises ProblemError unsupported_encoding for anything but one layer of gzip or none.
    """
    match content_encoding.strip().lower():
        case "" | "identity":
            return False
        case "gzip" | "x-gzip":
            return True
        case other:
            raise ProblemError(
                "unsupported_encoding", path="Content-Encoding", actual=other, expected="gzip or identity, once"
            )


def decoder_for(content_encoding: str, *, max_bytes: int) -> Decoder:
    """The decoder for a Content-Encoding header, refusing more than `max_bytes` decoded. Raises as `is_compressed`."""
    return Gunzip(max_bytes) if is_compressed(content_encoding) else Identity(max_bytes)


class Identity:
    """No encoding: the bytes themselves."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """`data` in pieces. Raises ProblemError payload_too_large."""
        self._left -= len(data)
        if self._left < 0:
            raise ProblemError("payload_too_large")
        for at in range(0, len(data), PIECE):
            yield data[at : at + PIECE]

    def finish(self) -> None:
        """Always whole: HTTP itself says where the body ends."""


class Gunzip:
    """A gzip file of up to MAX_MEMBERS members, every one complete, with nothing around them."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._member = zlib.decompressobj(_GZIP)
        self._members = 1
        self._consumed = 0
        self._produced = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` decodes to. Raises ProblemError malformed_encoding, decompressed_too_large."""
        for at in range(0, len(data), _BITE):
            bite = data[at : at + _BITE]
            while bite:
                piece, bite = self._step(bite)
                if piece:
                    yield piece

    def finish(self) -> None:
        """Raises ProblemError malformed_encoding when the last member is cut off, or there is none."""
        if not self._member.eof:
            raise ProblemError("malformed_encoding", "The gzip data is cut off.")

    def _step(self, data: bytes) -> tuple[bytes, bytes]:
        """One piece decoded, and what is left of `data`."""
        if self._member.eof:
            self._next_member()
        try:
            piece = self._member.decompress(data, PIECE)
        except zlib.error as error:
            raise ProblemError("malformed_encoding", "This is not gzip data, or it is damaged.") from error
        rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        self._consumed += len(data) - len(rest)
        self._produced += len(piece)
        self._check_size()
        return piece, rest

    def _next_member(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise ProblemError("malformed_encoding", expected=f"at most {MAX_MEMBERS} gzip members")
        self._member = zlib.decompressobj(_GZIP)

    def _check_size(self) -> None:
        if self._produced > self._max_bytes:
            raise ProblemError("decompressed_too_large", expected=f"at most {self._max_bytes} bytes")
        if self._produced > RATIO_FREE and self._produced > MAX_RATIO * self._consumed:
            raise ProblemError("decompressed_too_large", expected=f"at most {MAX_RATIO} bytes from one")
