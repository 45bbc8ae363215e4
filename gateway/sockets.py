"""Sockets bound to the addresses of a host, and what stands in the way of one."""

from __future__ import annotations

import socket
from contextlib import ExitStack


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
