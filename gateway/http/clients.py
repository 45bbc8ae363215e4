"""Whose request it is: the address that it came from or, where a proxy of ours passed it on, the one that it names.

`X-Forwarded-For` is a list to which each proxy adds whom it was asked by. Anybody may send one, so it is read from its
end, and only for as long as who wrote the next entry is trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

from aiohttp import hdrs, web

Network: TypeAlias = IPv4Network | IPv6Network

CLIENT = web.RequestKey("client", str)
"""Set by the server before anything else sees the request."""

SITE_BITS = 64
"""Of an IPv6 address: every site has so many addresses that counting single ones would count nothing."""


class TrustedProxies:
    """The proxies whose word is taken for whom they pass on."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._networks = tuple(networks)

    def __contains__(self, address: str) -> bool:
        found = _address(address)
        return found is not None and self._holds(found)

    def client_of(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address that is nobody's proxy. peer: of the connection; forwarded: the header's values, in order.

        An entry that is no address ends the search at the proxy that wrote it.
        """
        client = _address(peer)
        if client is None:
            return peer
        entries = ",".join(forwarded).split(",")
        while entries and self._holds(client):
            named = _address(entries.pop())
            if named is None:
                break
            client = named
        return str(client)

    def _holds(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._networks)


def client_of(request: web.BaseRequest) -> str:
    """Whose request it is."""
    return request.get(CLIENT) or request.remote or ""


def site_of(client: str) -> str:
    """Whom an address is counted for: itself, of IPv6 the network that it is in."""
    found = _address(client)
    if isinstance(found, IPv6Address):
        return str(ip_network((found, SITE_BITS), strict=False))
    return client if found is None else str(found)


def note_client(request: web.Request, proxies: TrustedProxies) -> str:
    """Find out whose request it is before it is handled."""
    forwarded = request.headers.getall(hdrs.X_FORWARDED_FOR, [])
    client = request[CLIENT] = proxies.client_of(request.remote or "", forwarded)
    return client


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: with a port or without, IPv6 with brackets or without; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped
