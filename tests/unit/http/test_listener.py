"""Listening on real sockets: everybody comes in, a few in a turn; without room for more files it goes on later."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any, ClassVar, cast

import pytest

from gateway.http import listener
from gateway.http.listener import Listener
from gateway.http.turns import IN_A_ROW, Turns
from gateway.sockets import bound
from tests.eventually import eventually


class Protocol(asyncio.Protocol):
    """Notes its transport. made: of all of its class."""

    made: ClassVar[list[asyncio.WriteTransport]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made.append(cast("asyncio.WriteTransport", transport))


@pytest.fixture
def protocol() -> type[Protocol]:
    return type("Own", (Protocol,), {"made": []})


@asynccontextmanager
async def listening(protocol: type[Protocol], host: str = "127.0.0.1") -> AsyncIterator[Listener]:
    found = Listener(bound(host, 0), protocol, Turns())
    found.start()
    try:
        yield found
    finally:
        await found.stop()
        for each in protocol.made:
            each.close()


@pytest.mark.parametrize(("host", "dialled"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::1", "::1")])
async def test_who_connects_has_a_protocol_that_knows_the_peer(
    protocol: type[Protocol], host: str, dialled: str
) -> None:
    async with listening(protocol, host) as found:
        reader, writer = await asyncio.open_connection(dialled, found.port)

        async def made() -> bool:
            return len(protocol.made) == 1

        await eventually(made)
        [transport] = protocol.made
        assert transport.get_extra_info("peername")[0] == dialled
        wire = transport.get_extra_info("socket")
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        transport.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()


async def test_a_crowd_comes_in_one_by_one_and_whoever_comes_after_it_is_not_behind_it(
    protocol: type[Protocol],
) -> None:
    async with listening(protocol) as found:
        address = ("127.0.0.1", found.port)
        with crowd_at(found.port, 100), socket.create_connection(address, source_address=("127.0.0.2", 0)):

            async def other_made() -> bool:
                return any(each.get_extra_info("peername")[0] == "127.0.0.2" for each in protocol.made)

            before = most = 0
            while not await other_made():
                await asyncio.sleep(0)
                most, before = max(most, len(protocol.made) - before), len(protocol.made)
            assert most <= 4
            assert len(protocol.made) <= IN_A_ROW + 2

            async def all_made() -> bool:
                return len(protocol.made) == 101

            await eventually(all_made)


def closed(each: socket.socket) -> bool:
    """Whether the other side has ended a connection."""
    each.setblocking(False)
    try:
        return each.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


@contextmanager
def crowd_at(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections of one client."""
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(count)]


async def test_those_that_wait_when_it_ends_are_closed(protocol: type[Protocol]) -> None:
    async with listening(protocol) as found:
        with crowd_at(found.port, 60) as crowd:

            async def some_made() -> bool:
                return bool(protocol.made)

            async def others_closed() -> bool:
                return sum(map(closed, crowd)) == 60 - len(protocol.made)

            await eventually(some_made)
            await found.stop()
            await eventually(others_closed)
            assert len(protocol.made) < 60


async def test_of_one_client_no_more_wait_than_the_backlog(
    protocol: type[Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(protocol) as found:
        monkeypatch.setattr(listener, "BACKLOG", 5)
        with crowd_at(found.port, 60) as crowd:

            async def all_decided() -> bool:
                return sum(map(closed, crowd)) + len(protocol.made) == 60

            await eventually(all_decided)
            assert 5 <= len(protocol.made) < 60


async def test_when_there_are_no_more_files_it_goes_on_later(
    protocol: type[Protocol], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "REST_SECONDS", 0.01)
    refusals = [errno.EMFILE, errno.ENFILE]

    class Short(socket.socket):
        """Has no room at first."""

        def accept(self) -> Any:
            if refusals:
                raise OSError(refusals.pop(), "no room")
            return super().accept()

    short = Short(socket.AF_INET, socket.SOCK_STREAM)
    short.bind(("127.0.0.1", 0))
    found = Listener([short], protocol, Turns())
    found.start()
    with socket.create_connection(("127.0.0.1", found.port)):

        async def made() -> bool:
            return len(protocol.made) == 1

        await eventually(made)
        await found.stop()
    protocol.made[0].close()
    assert not refusals


async def test_it_ends_while_it_rests(protocol: type[Protocol]) -> None:
    class Full(socket.socket):
        """Never has room."""

        def accept(self) -> Any:
            raise OSError(errno.EMFILE, "no room")

    full = Full(socket.AF_INET, socket.SOCK_STREAM)
    full.bind(("127.0.0.1", 0))
    found = Listener([full], protocol, Turns())
    found.start()
    with socket.create_connection(("127.0.0.1", found.port)):
        await asyncio.sleep(0.01)
        await found.stop()
    assert full.fileno() == -1
