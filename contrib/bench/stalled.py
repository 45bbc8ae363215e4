"""Clients that stall, in a process of their own: each sends what it has to, and then nothing, or reads nothing.

As a program: `python -m contrib.bench.stalled WHAT COUNT PORT PATH`, the token in BENCH_TOKEN. It prints `clients
stalled` once each has connected. They come from an address of their own, as clients are bounded by address.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import psutil
import uvloop

from contrib.bench.children import Child, running

ADDRESS = "127.0.0.2"
READY = b"clients stalled"
RECEIVED_BYTES = 4096
"""That the kernel takes for who does not read: the least there is."""

PAUSE_SECONDS = 10.0
"""Until who was sent away comes again: a client that comes at once would not stall, it would be a flood."""


def report_request(_place: int, path: str, token: str) -> bytes:
    """A whole request; the client never reads what is answered."""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def half_a_push(place: int, path: str, token: str) -> bytes:
    """Of every two clients the first stops within the head of a push, the second within its body."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n"
    if place % 2 == 0:
        return head.encode()
    return f'{head}Content-Type: application/x-ndjson\r\nContent-Length: 4096\r\n\r\n{{"sku":'.encode()


REQUESTS: Mapping[str, Callable[[int, str, str], bytes]] = {"reading": report_request, "pushing": half_a_push}


@asynccontextmanager
async def stalled(what: str, count: int, url: str, path: str, token: str) -> AsyncIterator[Child]:
    """So many stalled clients of a gateway. what: they stall at, reading or pushing. Raises ChildDiedError."""
    port = url.rpartition(":")[2]
    arguments = ("contrib.bench.stalled", what, str(count), port, path)
    async with running(*arguments, sign=READY, environment={"BENCH_TOKEN": token}) as child:
        yield child


def open_connections(pid: int) -> int:
    """Connections of a process that neither side has closed, as the kernel has them."""
    return sum(each.status == psutil.CONN_ESTABLISHED for each in psutil.Process(pid).net_connections("tcp"))


async def stall(what: str, count: int, port: int, path: str, token: str) -> None:
    """Stall until the process is ended."""
    connected = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as clients:
        for place in range(count):
            clients.create_task(_client(what, port, REQUESTS[what](place, path, token), connected))
        for _ in range(count):
            await connected.acquire()
        print(READY.decode(), flush=True)


async def _client(what: str, port: int, request: bytes, connected: asyncio.Semaphore) -> None:
    """One client, which comes again whenever it was sent away."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as wire, suppress(OSError):
            wire.setblocking(False)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
            wire.bind((ADDRESS, 0))
            await loop.sock_connect(wire, ("127.0.0.1", port))
            await loop.sock_sendall(wire, request)
            connected.release()
            if what == "reading":
                await loop.create_future()
            while await loop.sock_recv(wire, RECEIVED_BYTES):
                pass
        await asyncio.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    at, size, where, target = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(stall(at, int(size), int(where), target, os.environ["BENCH_TOKEN"]))
