"""Where the gateway may send requests: URLs as an operator declares them, and addresses as they are dialled.

`ipaddress.is_global` is not enough: it says yes to multicast, to NAT64, 6to4 and Teredo, which carry another address
inside, and to what clouds serve their metadata from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from gateway.sdk.errors import GatewayError

Address: TypeAlias = IPv4Address | IPv6Address

NEVER: Mapping[str, str] = {
    "0.0.0.0/8": "unspecified",
    "100.100.100.200/32": "metadata",  # Alibaba Cloud
    "168.63.129.16/32": "metadata",  # Azure; a public address
    "169.254.0.0/16": "link-local",  # and the metadata of most clouds
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "reserved",
    "198.18.0.0/15": "reserved",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::/128": "unspecified",
    "100::/64": "reserved",
    "2001:2::/48": "reserved",
    "2001:10::/28": "reserved",
    "2001:20::/28": "reserved",
    "2001:db8::/32": "documentation",
    "3fff::/20": "documentation",
    "5f00::/16": "reserved",
    "fd00:ec2::254/128": "metadata",  # AWS
    "fd20:ce::254/128": "metadata",  # Google Cloud
    "fe80::/10": "link-local",
    "fec0::/10": "reserved",
    "ff00::/8": "multicast",
}
"""Networks that nobody may be sent to, and why. It comes before PRIVATE, which holds some of them."""

PRIVATE: Mapping[str, str] = {
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "172.16.0.0/12": "private",
    "192.168.0.0/16": "private",
    "::1/128": "loopback",
    "fc00::/7": "private",
}
"""Networks that a supplier with `allow_private` may be in."""

_NEVER = tuple((ip_network(network), reason) for network, reason in NEVER.items())
_PRIVATE = tuple((ip_network(network), reason) for network, reason in PRIVATE.items())

_LAST_FOUR_BYTES = tuple(map(IPv6Network, ("::/96", "64:ff9b::/96")))
"""IPv4-compatible and NAT64: what is really reached stands at the end."""

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IANA has given out for hosts of the internet. Translators of a site (64:ff9b:1::/48, ::ffff:0:0:0/96) and
whatever is invented next lie elsewhere, and where those lead nobody can tell from the address."""

SERVICE_PORTS = frozenset(
    {1433, 1521, 2049, 2181, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5900, 5984, 6379, 6443, 9042, 9092, 9200}
    | {9300, 10250, 11211, 15672, 27017}
)
"""Ports above 1023 at which databases, brokers and control planes listen, and no supplier's API does."""

LOCAL_NAMES = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa")
"""Names, and ends of names, that mean something near."""

_DOTS = re.compile("[\u3002\uff0e\uff61]")
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\\]")


class UrlForbiddenError(GatewayError):
    """The address is not one the gateway may call."""

    code = "url_forbidden"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{self.code}: {reason}")


def forbidden_address(address: Address, *, allow_private: bool = False) -> str | None:
    """Why nothing may be sent to an address; None when it may. It is what tunnels lead to that counts."""
    if inner := _inner(address):
        return next(filter(None, (forbidden_address(each, allow_private=allow_private) for each in inner)), None)
    if reason := _named(address, _NEVER):
        return reason
    if reason := _named(address, _PRIVATE):
        return None if allow_private else reason
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return "reserved"
    return None if address.is_global else "reserved"


def check_url(url: str, *, allow_private: bool = False) -> None:
    """Whether a supplier may be called below this URL. Raises UrlForbiddenError, which never quotes it.

    Without `allow_private`: https, to a public host, at port 443 or one that no other service is known to use. With
    it also http, any port, names of an intranet and private addresses.
    """
    split = _split(url)
    if split.scheme not in (("https", "http") if allow_private else ("https",)):
        raise UrlForbiddenError("it has to begin with https://")
    if "@" in split.netloc:
        raise UrlForbiddenError("it holds a user or a password; credentials are secrets of the supplier")
    if split.query or split.fragment or url.endswith(("?", "#")):
        raise UrlForbiddenError("it has a query or a fragment; operations bring their own")
    _check_port(split.port, allow_private=allow_private)
    _check_host(split.hostname or "", allow_private=allow_private)


def _split(url: str) -> SplitResult:
    # urlsplit drops some of these silently, and others read a backslash as a slash.
    if _UNSAFE.search(url):
        raise UrlForbiddenError("it holds spaces, control characters or a backslash")
    try:
        split = urlsplit(url)
        split.port  # noqa: B018  # reading it is what parses it
    except ValueError as error:
        raise UrlForbiddenError("it cannot be read as a URL") from error
    if "[" in split.netloc and ":" not in (split.hostname or ""):
        raise UrlForbiddenError("its host is no address")
    return split


def _check_port(port: int | None, *, allow_private: bool) -> None:
    if allow_private or port is None or port == 443:
        return
    if port < 1024 or port in SERVICE_PORTS:
        raise UrlForbiddenError(f"port {port} is not one of a supplier's API")


def _check_host(given: str, *, allow_private: bool) -> None:
    host = _normalised(given)
    address = _literal(host)
    if address is not None:
        if reason := forbidden_address(address, allow_private=allow_private):
            raise UrlForbiddenError(f"its address is forbidden: {reason}")
        return
    if not allow_private and ("." not in host or _ends_with_any(host, LOCAL_NAMES)):
        raise UrlForbiddenError("its host is a name of a local network")


def _normalised(given: str) -> str:
    """The host as the resolver will see it, in lower case, without the dot at its end."""
    if "%" in given:
        raise UrlForbiddenError("its host is percent-encoded, or names an interface")
    host = _DOTS.sub(".", unicodedata.normalize("NFKC", given)).lower().removesuffix(".")
    if ":" in host:
        return host
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise UrlForbiddenError("its host is no name") from error
    if not _NAME.fullmatch(name):
        raise UrlForbiddenError("its host is no name")
    return name


def _literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name.

    A host whose last part is a number is an address to every resolver, in decimal, octal or hexadecimal, and with
    parts left out; what then is none is refused.
    """
    if ":" in host:
        return _parsed(host)
    if not re.fullmatch(r"[0-9]+|0x[0-9a-f]*", host.rsplit(".", 1)[-1]):
        return None
    parts = [_number(part) for part in host.split(".")]
    *heads, last = parts
    if len(parts) > 4 or any(head > 255 for head in heads) or last >= 256 ** (5 - len(parts)):
        raise UrlForbiddenError("its host is no address")
    return IPv4Address(sum(head << (24 - 8 * place) for place, head in enumerate(heads)) + last)


def _parsed(host: str) -> Address:
    try:
        return ip_address(host)
    except ValueError as error:
        raise UrlForbiddenError("its host is no address") from error


def _number(part: str) -> int:
    try:
        if part.startswith("0x"):
            return int(part[2:] or "0", 16)
        return int(part, 8 if part.startswith("0") and part != "0" else 10)
    except ValueError as error:
        raise UrlForbiddenError("its host is no address") from error


def _inner(address: Address) -> tuple[Address, ...]:
    """Addresses that an IPv6 address carries inside."""
    if isinstance(address, IPv4Address):
        return ()
    if address.teredo is not None:
        return address.teredo
    for carried in (address.ipv4_mapped, address.sixtofour):
        if carried is not None:
            return (carried,)
    if any(address in network for network in _LAST_FOUR_BYTES) and int(address) > 1:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def _named(address: Address, table: Iterable[tuple[object, str]]) -> str | None:
    return next((reason for network, reason in table if address in network), None)  # type: ignore[operator]  # typeshed: one version each


def _ends_with_any(host: str, names: Iterable[str]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)
