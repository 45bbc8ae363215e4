"""Fetching the document of a contract from the mall core: from hosts that the operator allows, and no other bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from gateway.outbound.address import UrlForbiddenError, check_url
from gateway.outbound.faults import AddressBlockedError
from gateway.outbound.prepare import Prepared
from gateway.outbound.supplier import HttpLimits, SupplierClient
from gateway.sdk.errors import ContractError, GatewayError, UnavailableError

TIMEOUT_SECONDS = 60.0
"""For a whole document."""

REFUSAL_BYTES = 64 * 1024
"""Of an answer that is no document."""


class DocumentChangedError(GatewayError):
    """What is behind the link is not the document that the contract names. found: what it is, in words."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the document is another one: {found}")
        self.found = found


class DocumentUnavailableError(GatewayError):
    """The document cannot be fetched."""


class DocumentSource:
    """Documents at the mall core. hosts: those that are allowed, each with its port where that is not of the scheme."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)

    async def fetch(self, url: str, *, sha256: str, size: int, keep: Callable[[bytes], Awaitable[object]]) -> None:
        """Give `keep` a document piece by piece; it is whole and the right one once this returns.

        Raises DocumentChangedError, DocumentUnavailableError: what was kept is none.
        """
        self._check(url)
        digest, taken = hashlib.sha256(), 0

        async def take(data: bytes) -> None:
            nonlocal taken
            taken += len(data)
            if taken > size:
                raise DocumentChangedError(f"more than {size} bytes")
            digest.update(data)
            await keep(data)

        await _get(url, take)
        if taken != size:
            raise DocumentChangedError(f"{taken} bytes instead of {size}")
        if digest.hexdigest() != sha256:
            raise DocumentChangedError(f"SHA-256 {digest.hexdigest()}")

    def _check(self, url: str) -> None:
        """An allowed host may be in a network of the mall; what nobody may be sent to is no such host."""
        split = urlsplit(url)
        if split.netloc.lower() not in self._hosts:
            raise DocumentUnavailableError("its host is not one that the gateway fetches documents from")
        try:
            check_url(split._replace(query="", fragment="").geturl(), allow_private=True)
        except UrlForbiddenError as error:
            raise DocumentUnavailableError(str(error)) from error


async def _get(url: str, take: Callable[[bytes], Awaitable[None]]) -> None:
    limits = HttpLimits(
        base_url=url,
        timeout_seconds=TIMEOUT_SECONDS,
        rate_per_second=float("inf"),
        concurrency=1,
        max_reply_bytes=REFUSAL_BYTES,
        allow_private=True,
    )
    prepared = Prepared("document", "GET", url, {"Accept-Encoding": "identity"}, b"")
    try:
        async with SupplierClient("contract documents", limits) as client:
            reply = await client.send(prepared, take)
    except (UnavailableError, AddressBlockedError, ContractError, TimeoutError) as error:
        raise DocumentUnavailableError(str(error) or type(error).__name__) from error
    if reply.status != HTTPStatus.OK:
        raise DocumentUnavailableError(f"HTTP status {reply.status}")
