"""The seal of a chunk: who cannot know the gateway's secret key cannot put a chunk on the feeds topics.

A header holds an HMAC-SHA256 over every header that the head is read from, as it stands there, and over the hash of
the value. Its key is derived from the secret key for this purpose alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.feeds.chunk import HEAD_HEADERS, ChunkHead, head_to_headers
from gateway.kafka import Headers
from gateway.sdk.errors import InvalidMessageError, Issue

GW_SEAL = "gw-seal"

PURPOSE = b"mallgate chunk seal 1"


class ChunkSeal:
    """Seals with the current secret key; opens what any of the keys sealed, for as long as such chunks live."""

    def __init__(self, key: bytes, *former: bytes) -> None:
        self._keys = [_derived(each) for each in (key, *former)]

    def headers(self, head: ChunkHead, value: bytes) -> Headers:
        """Headers of the record that carries the chunk, sealed."""
        headers = head_to_headers(head)
        return (*headers, (GW_SEAL, _mac(self._keys[0], headers, value)))

    def resealed(self, headers: Headers, value: bytes) -> Headers:
        """The same headers, sealed over another value."""
        own = tuple(each for each in headers if each[0] != GW_SEAL)
        return (*own, (GW_SEAL, _mac(self._keys[0], own, value)))

    def holds(self, headers: Headers, value: bytes) -> bool:
        """Whether the gateway wrote these headers with this value."""
        given = [seal or b"" for name, seal in headers if name == GW_SEAL]
        return len(given) == 1 and any(hmac.compare_digest(given[0], _mac(key, headers, value)) for key in self._keys)

    def verify(self, headers: Headers, value: bytes) -> None:
        """Raises InvalidMessageError(forged_chunk) unless it holds."""
        if not self.holds(headers, value):
            raise InvalidMessageError(Issue("forged_chunk", f"/headers/{GW_SEAL}"))


def seal_of(secret_key: bytes, headers: Iterable[tuple[str, bytes | None]], value: bytes) -> bytes:
    """What the seal's header holds for a record with these headers and this value."""
    return _mac(_derived(secret_key), headers, value)


def _derived(key: bytes) -> bytes:
    return HKDF(hashes.SHA256(), length=32, salt=None, info=PURPOSE).derive(key)


def _mac(key: bytes, headers: Iterable[tuple[str, bytes | None]], value: bytes) -> bytes:
    """In hexadecimal. Every part has its length before it, so that none can reach into the next."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for name, content in headers:
        if name in HEAD_HEADERS:
            for part in (name.encode(), content or b""):
                mac.update(len(part).to_bytes(4, "big") + part)
    mac.update(hashlib.sha256(value).digest())
    return mac.hexdigest().encode()
