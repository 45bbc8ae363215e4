"""Where PostgreSQL is, and whether what is said to it on the way is safe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from gateway.loopback import is_loopback

VERIFIED = "verify-full"
"""The sslmode that checks who answers; every other one trusts whoever does."""

_FILES: Mapping[str, str] = {
    "sslrootcert": "PGSSLROOTCERT",
    "sslcrl": "PGSSLCRL",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
}
"""Parameters of the URL that name a file, and the variables that stand in for them."""


def unprotected(url: str, environment: Mapping[str, str]) -> str:
    """Why a database must not be asked like this, "" when it may.

    A host beyond this machine needs `sslmode` to be said: left out, the client would take any certificate, or none.
    """
    if sslmode_of(url, environment) is not None:
        return ""
    strangers = [host for host in hosts_of(url, environment) if not _is_here(host)]
    if not strangers:
        return ""
    return (
        f"{', '.join(strangers)} is not this machine, and the URL has no sslmode: "
        f"add ?sslmode={VERIFIED}&sslrootcert=FILE, or say a weaker sslmode"
    )


def unreadable(url: str, environment: Mapping[str, str]) -> str:
    """Which file of the line's certificates cannot be read, "" when all of them can."""
    for parameter, variable in _FILES.items():
        path = _parameter(url, parameter) or environment.get(variable)
        if path and not os.access(path, os.R_OK):
            return f"{parameter} names {path}, which cannot be read"
    return ""


def sslmode_of(url: str, environment: Mapping[str, str]) -> str | None:
    """The sslmode that was said, in the URL or the environment."""
    return _parameter(url, "sslmode") or environment.get("PGSSLMODE")


def hosts_of(url: str, environment: Mapping[str, str]) -> list[str]:
    """Every host, or directory of a socket, that the client may dial."""
    parts = urlsplit(url)
    named = list(_without_ports(parts.netloc.rpartition("@")[2]))
    asked = [host for value in parse_qs(parts.query).get("host", []) for host in _without_ports(value)]
    return named or asked or list(_without_ports(environment.get("PGHOST", "")))


def is_here(url: str, environment: Mapping[str, str]) -> bool:
    """Whether only this machine is dialled."""
    return all(map(_is_here, hosts_of(url, environment)))


def _parameter(url: str, name: str) -> str | None:
    values = parse_qs(urlsplit(url).query).get(name)
    return values[-1] if values else None


def _is_here(host: str) -> bool:
    return host.startswith(("/", "@")) or is_loopback(host)


def _without_ports(hosts: str) -> Iterator[str]:
    for host in filter(None, hosts.split(",")):
        if host.startswith("["):
            yield host[1:].partition("]")[0]
        elif host.count(":") > 1:  # a bare address of IPv6
            yield host
        else:
            yield unquote(host.partition(":")[0])
