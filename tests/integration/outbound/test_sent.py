"""How much of a request left this machine before its call failed, on real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.outbound import Prepared, SupplierClient
from gateway.sdk.errors import ContractError, Sent, SupplierError, UnavailableError
from tests.certificates import Authority
from tests.supplier_site import Site

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

LARGE = bytes(16 * 1024 * 1024)
"""A body that no kernel keeps whole on its way while nobody reads it."""

SMALLEST = 1
"""Of a peer's buffer; the kernel takes its own least size."""


@asynccontextmanager
async def peer(answer: Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that is told of each connection before anything is read."""
    connections: set[asyncio.Task[None]] = set()

    def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(_served(answer, reader, writer)))

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST)
    server = await asyncio.start_server(opened, sock=listening, ssl=tls)
    yield listening.getsockname()[1]
    server.close()
    for each in connections:
        each.cancel()
    await asyncio.gather(*connections, return_exceptions=True)


async def _served(answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await answer(reader, writer)
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def failure(site: Site, url: str, body: bytes | None = b"q=1", **limits: Any) -> SupplierError:
    """What a POST comes to."""
    async with SupplierClient("acme", site.limits(base_url=url, **limits)) as client:
        with pytest.raises(SupplierError) as caught:
            await client.send(Prepared("order", "POST", f"{url}/orders", {}, body))
    return caught.value


async def test_of_a_connection_that_is_refused_nothing_was_sent(site: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = await failure(site, f"http://127.0.0.1:{free.getsockname()[1]}")
    assert (type(error), error.sent) == (UnavailableError, Sent.NOTHING)


async def test_to_an_address_that_is_blocked_nothing_was_sent(site: Site) -> None:
    error = await failure(site, f"http://localhost:{site.port}", allow_private=False)
    assert error.sent is Sent.NOTHING


async def test_without_a_name_that_resolves_nothing_was_sent(site: Site) -> None:
    assert (await failure(site, "http://nowhere.invalid")).sent is Sent.NOTHING


async def test_while_a_connection_hangs_in_tls_nothing_was_sent(site: Site) -> None:
    async def silent(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with peer(silent) as port:
        error = await failure(site, f"https://127.0.0.1:{port}", timeout_seconds=0.3)
    assert error.sent is Sent.NOTHING


async def test_a_peer_that_speaks_no_tls_or_resets_in_it_was_sent_nothing(site: Site) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        reset(writer)

    for answer in (plain, resets):
        async with peer(answer) as port:
            assert (await failure(site, f"https://127.0.0.1:{port}")).sent is Sent.NOTHING


async def test_a_peer_whose_certificate_nobody_vouches_for_was_sent_nothing(site: Site, tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text("".join(Authority("nobody").vouch("127.0.0.1")))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(chain)
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(1))

    async with peer(note, tls=tls) as port:
        error = await failure(site, f"https://127.0.0.1:{port}")
    assert error.sent is Sent.NOTHING
    assert not any(came)


async def test_of_a_request_that_is_reset_before_its_answer_all_was_sent(site: Site) -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"q=1")
        reset(writer)

    async with peer(resets) as port:
        for body in (b"q=1", b"p=1&" * 10_000 + b"q=1"):
            assert (await failure(site, f"http://127.0.0.1:{port}", body)).sent is Sent.ALL


async def test_of_a_request_that_is_reset_after_the_head_of_its_answer_all_was_sent(site: Site) -> None:
    async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"q=1")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        reset(writer)

    async with peer(resets) as port:
        assert (await failure(site, f"http://127.0.0.1:{port}")).sent is Sent.ALL


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
@pytest.mark.parametrize("end", [None, reset], ids=["hangs", "resets"])
async def test_of_a_request_whose_peer_takes_a_part_of_it_some_was_sent(
    site: Site, end: Callable[[asyncio.StreamWriter], None] | None
) -> None:
    async def takes_a_part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if end is not None:
            end(writer)
        await asyncio.Event().wait()

    async with peer(takes_a_part) as port:
        error = await failure(site, f"http://127.0.0.1:{port}", LARGE, timeout_seconds=1.0)
    assert (type(error), error.sent) == (UnavailableError, Sent.SOME)


async def test_of_a_request_without_a_body_all_was_sent(site: Site) -> None:
    async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with peer(hangs_up) as port:
        assert (await failure(site, f"http://127.0.0.1:{port}", None)).sent is Sent.ALL


async def test_of_a_request_on_a_kept_connection_that_is_gone_at_least_some_may_have_been_sent(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if len(site.requests) > 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    site.answer = answer
    url = f"http://127.0.0.1:{site.port}"
    async with SupplierClient("acme", site.limits()) as client:
        prepared = Prepared("order", "POST", f"{url}/orders", {}, b"q=1")
        await client.send(prepared)
        with pytest.raises(UnavailableError) as caught:
            await client.send(prepared)
    assert caught.value.sent is not Sent.NOTHING
    assert len(site.requests) == 2


async def test_an_answer_that_cannot_be_read_came_after_all_was_sent(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"?", headers={"Content-Encoding": "br"})

    site.answer = answer
    error = await failure(site, f"http://127.0.0.1:{site.port}")
    assert (type(error), error.sent) == (ContractError, Sent.ALL)
