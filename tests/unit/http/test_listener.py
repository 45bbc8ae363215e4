"""Listening on real sockets: everybody comes in, a few in a turn; without room for more files it goes on later."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast

import pytest

from gateway.http import listener
from gateway.http.addresses import bound
from gateway.http.listener import PER_TURN, Listener
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
    found = Listener(bound(host, 0), protocol)
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


async def test_a_crowd_comes_in_a_few_in_a_turn(protocol: type[Protocol]) -> None:
    async with listening(protocol) as found:
        crowd = [socket.create_connection(("127.0.0.1", found.port)) for _ in range(50)]
        most = before = 0
        while len(protocol.made) < 50:
            await asyncio.sleep(0)
            most, before = max(most, len(protocol.made) - before), len(protocol.made)
        for each in crowd:
            each.close()
    assert 0 < most <= 2 * PER_TURN


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
    found = Listener([short], protocol)
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
    found = Listener([full], protocol)
    found.start()
    with socket.create_connection(("127.0.0.1", found.port)):
        await asyncio.sleep(0.01)
        await found.stop()
    assert full.fileno() == -1
