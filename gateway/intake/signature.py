"""Standard Webhooks signatures: who holds a supplier's secret, proven over the bytes on the wire, before any decoding.

Signed is `<webhook-id>.<webhook-timestamp>.<body>`; `webhook-signature` holds one or more `v1,<base64 HMAC-SHA256>`
separated by spaces, so that a vendor can sign with an old and a new secret while it changes them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.http.problems import ProblemError

TOLERANCE = 300
"""Seconds that a signature's time may be off, either way."""

MAX_SIGNATURES = 16
"""Signatures in one header."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret begins, not one

_ID = re.compile(r"[!-\-/-~]{1,256}")  # visible ASCII, without the dot that separates what is signed
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The three headers, well formed. timestamp: as sent; signatures: texts of the v1 signatures."""

    id: str
    timestamp: str
    signatures: tuple[bytes, ...]

    @property
    def prefix(self) -> bytes:
        """What is signed before the body."""
        return f"{self.id}.{self.timestamp}.".encode()


def signed_head(headers: Mapping[str, str], *, now: float) -> SignedHead:
    """Read the three headers. now: seconds since 1970.

    Raises ProblemError: `bad_header` for one that is missing or malformed, `timestamp_out_of_window`.
    """
    identity = _matching(headers, "webhook-id", _ID, "1 to 256 visible ASCII characters without a dot")
    timestamp = _matching(headers, "webhook-timestamp", _TIMESTAMP, "seconds since 1970, as an integer")
    if abs(int(timestamp) - now) > TOLERANCE:
        raise ProblemError("timestamp_out_of_window", path="webhook-timestamp", actual=timestamp)
    given = headers.get("webhook-signature", "").split()
    if not 1 <= len(given) <= MAX_SIGNATURES:
        raise ProblemError("bad_header", path="webhook-signature", expected=f"1 to {MAX_SIGNATURES} signatures")
    signatures = tuple(text[3:].encode("utf-8", "replace") for text in given if text.startswith("v1,"))
    return SignedHead(identity, timestamp, signatures)


def secret_bytes(secret: str) -> bytes:
    """The key behind `whsec_<base64>`."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)


class Signature:
    """The signatures that the body should have under each of several secrets, computed as it arrives."""

    def __init__(self, head: SignedHead, secrets: Sequence[bytes]) -> None:
        self._given = head.signatures
        self._macs = [hmac.new(secret, head.prefix, hashlib.sha256) for secret in secrets]

    def update(self, data: bytes) -> None:
        """The next bytes of the body, as on the wire."""
        for mac in self._macs:
            mac.update(data)

    def matching(self) -> int | None:
        """Index of the first secret under which one of the given signatures is right, None when there is none.

        Every pair is compared, each in constant time, so that the time tells neither which nor how far.
        """
        expected = [base64.b64encode(mac.digest()) for mac in self._macs]
        right = [[hmac.compare_digest(each, given) for given in self._given] for each in expected]
        return next((index for index, found in enumerate(right) if True in found), None)


def _matching(headers: Mapping[str, str], name: str, pattern: re.Pattern[str], expected: str) -> str:
    value = headers.get(name, "")
    if not pattern.fullmatch(value):
        raise ProblemError("bad_header", path=name, actual=value, expected=expected)
    return value
