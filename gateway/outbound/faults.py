"""What can go wrong on the way to a supplier and back, in our errors. Their texts are ours: aiohttp's hold the URL."""

from __future__ import annotations

import os
from collections.abc import Sequence

import aiohttp

from gateway.sdk.errors import SupplierError, UnavailableError


class AddressBlockedError(UnavailableError):
    """ssrf_blocked: the host leads to an address the gateway may not call; nothing was sent."""


class RefusedToDialError(OSError):
    """An address was not dialled. The text is the same for all, so that aiohttp keeps the class for several of them."""

    def __init__(self, reason: str) -> None:
        super().__init__("ssrf_blocked")
        self.reason = reason


FAULTS: Sequence[tuple[type[Exception], str]] = (
    (aiohttp.ClientConnectorDNSError, "Its name does not resolve."),
    (aiohttp.ClientConnectorCertificateError, "Its certificate is not valid."),
    (aiohttp.ClientSSLError, "No TLS connection to it can be made."),
    (aiohttp.ServerFingerprintMismatch, "Its certificate is not valid."),
    (aiohttp.ClientConnectorError, "It cannot be connected to"),
    (TimeoutError, "It did not answer in time."),
    (aiohttp.ClientPayloadError, "Its reply was cut off or damaged."),
    (aiohttp.ClientResponseError, "What it answered is not HTTP."),
    (aiohttp.InvalidURL, "Its address cannot be used."),
    (aiohttp.ClientError, "It ended the connection."),
    (OSError, "The connection to it failed."),
)
"""The first that fits. All of them are of the way, not of the supplier's words: it is unavailable."""


def fault_of(error: Exception) -> SupplierError:
    """The error that what aiohttp raised is. It must not be raised `from` that, whose text can hold a credential."""
    text = next(text for kind, text in FAULTS if isinstance(error, kind))
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, RefusedToDialError):
            return AddressBlockedError(f"{AddressBlockedError()} ({error.os_error.reason})")
        if type(error) is aiohttp.ClientConnectorError:
            text = f"{text}: {os.strerror(error.os_error.errno or 0)}."
    return UnavailableError(text)
