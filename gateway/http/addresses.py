"""Addresses to listen on, and what is said of those that cannot be had."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from typing import NamedTuple

from gateway.sdk.errors import ConfigError


class Wanted(NamedTuple):
    """An address that a server is to have. setting: what chooses its port."""

    host: str
    port: int
    setting: str


class AddressError(ConfigError):
    """The address cannot be listened on; stop the program that holds it or choose another port."""

    def __init__(self, *refused: tuple[Wanted, OSError]) -> None:
        super().__init__([_problem(wanted, error) for wanted, error in refused])


def _problem(wanted: Wanted, error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"{wanted.host}:{wanted.port} cannot be listened on ({reason}); choose another with {wanted.setting}"


def require_free(addresses: Iterable[Wanted]) -> None:
    """Raise AddressError with every address that a server could not listen on now."""
    refused = [(wanted, error) for wanted in addresses if (error := why_taken(wanted.host, wanted.port))]
    if refused:
        raise AddressError(*refused)


def why_taken(host: str, port: int) -> OSError | None:
    """What a server that would listen there now would be told; None when nothing stands in its way."""
    try:
        for each in bound(host, port):
            each.close()
    except OSError as error:
        return error
    return None


def bound(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """A socket for each address that the host has. reuse_port: other processes may have theirs. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    with ExitStack() as stack:
        sockets = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            each = stack.enter_context(socket.socket(family, kind, protocol))
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            each.bind(address)
            sockets.append(each)
        stack.pop_all()
    return sockets
