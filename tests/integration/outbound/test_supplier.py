"""What suppliers answer, from useful to hostile, and what becomes of it."""

from __future__ import annotations

import asyncio
import gzip
import socket

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.outbound.faults import AddressBlockedError
from gateway.outbound.prepare import Prepared
from gateway.outbound.supplier import HttpLimits, SupplierClient
from gateway.sdk.errors import ContractError, UnavailableError
from gateway.sdk.http import Reply
from tests.supplier_site import Site, raw_server


async def asked(limits: HttpLimits, *, method: str = "POST") -> Reply:
    """What comes back from one request of a client of its own."""
    async with SupplierClient("acme", limits) as client:
        return await client.send(Prepared("read", method, f"{limits.base_url}/goods", {}, b"q=1"))


async def test_a_reply_is_handed_over_as_it_came(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        assert await request.text() == "q=1"
        return web.Response(status=404, body=b"\xff", headers={"X-Code": "7", "Set-Cookie": "a=b"})

    site.answer = answer
    assert await asked(site.limits()) == Reply(
        "read", 404, {**(await asked(site.limits())).headers, "x-code": "7"}, b"\xff"
    )
    [first, _] = site.requests
    assert first.headers["traceparent"].startswith("00-")
    assert first.headers["Accept-Encoding"] == "gzip, deflate"


async def test_a_redirect_is_not_followed(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"http://127.0.0.1:{site.port}/internal"})

    site.answer = answer
    assert (await asked(site.limits(), method="GET")).status == 302
    assert [request.path for request in site.requests] == ["/goods"]


async def test_a_cookie_is_not_kept(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(headers={"Set-Cookie": "session=1"})

    site.answer = answer
    async with SupplierClient("acme", site.limits()) as client:
        for _ in range(2):
            reply = await client.send(Prepared("read", "GET", f"http://127.0.0.1:{site.port}/", {}, None))
            assert "set-cookie" not in reply.headers
    assert ["Cookie" in request.headers for request in site.requests] == [False, False]


async def test_a_reply_of_ten_gigabytes_is_not_read(site: Site) -> None:
    async with raw_server(endless) as port:
        with pytest.raises(ContractError, match="larger"):
            await asked(site.limits(base_url=f"http://127.0.0.1:{port}"))


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
        await writer.drain()


async def test_a_reply_that_says_it_is_too_large_is_refused_at_once(site: Site) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        await writer.drain()
        await asyncio.Event().wait()

    async with raw_server(answer) as port:
        with pytest.raises(ContractError, match="larger"):
            await asked(site.limits(base_url=f"http://127.0.0.1:{port}"))


async def test_a_compressed_bomb_is_defused(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=gzip.compress(bytes(50_000_000)), headers={"Content-Encoding": "gzip"})

    site.answer = answer
    with pytest.raises(ContractError, match="larger"):
        await asked(site.limits())


async def test_a_compressed_reply_is_read(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b'{"ok": true}'), headers={"Content-Encoding": "gzip"})

    site.answer = answer
    assert (await asked(site.limits())).body == b'{"ok": true}'


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + gzip.compress(bytes(100))[:20],
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 20_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["nothing", "short", "chunk cut off", "gzip cut off", "endless header", "another protocol", "negative length"],
)
async def test_half_an_answer_is_none(site: Site, sent: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()

    async with raw_server(answer) as port:
        with pytest.raises(UnavailableError):
            await asked(site.limits(base_url=f"http://127.0.0.1:{port}"))


async def test_a_supplier_that_hangs_up_is_asked_once(site: Site) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if len(site.requests) > 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    site.answer = answer
    async with SupplierClient("acme", site.limits()) as client:
        prepared = Prepared("read", "GET", f"http://127.0.0.1:{site.port}/", {}, None)
        await client.send(prepared)
        with pytest.raises(UnavailableError):
            await client.send(prepared)
    assert len(site.requests) == 2


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"])
async def test_an_answer_that_drips_ends_with_the_timeout(site: Site, head: bytes) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for byte in b"HTTP/1.1 200 OK\r\n" * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(answer) as port:
        with pytest.raises(UnavailableError, match="in time"):
            await asked(site.limits(base_url=f"http://127.0.0.1:{port}", timeout_seconds=0.3))


async def test_a_supplier_that_is_not_there_is_unavailable(site: Site) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(UnavailableError, match="refused"):
            await asked(site.limits(base_url=f"http://127.0.0.1:{free.getsockname()[1]}"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "①②⑦.0.0.1"])
async def test_nothing_is_sent_to_an_address_inside(site: Site, host: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        await asked(site.limits(base_url=f"http://{host}:{site.port}", allow_private=False))
    assert site.connections == 0
    assert host != "localhost" or isinstance(caught.value, AddressBlockedError)


class Rebinding(AbstractResolver):
    """A name whose owner lets it lead to us once, and inside from then on."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
        ]

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_elsewhere_later_is_judged_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(headers={"Connection": "close"})

    site.answer = answer
    resolver = Rebinding("127.0.0.1", "169.254.169.254", "224.0.0.1")
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda *_, **__: resolver)
    prepared = Prepared("read", "GET", f"http://rebind.example.com:{site.port}/", {}, None)
    async with SupplierClient("acme", site.limits(), dns_seconds=0) as client:
        assert (await client.send(prepared)).status == 200
        for _ in range(2):
            with pytest.raises(AddressBlockedError):
                await client.send(prepared)
    assert site.connections == 1


async def test_a_call_that_is_cancelled_leaves_its_connection_to_no_other(site: Site) -> None:
    asked_for, over = asyncio.Event(), asyncio.Event()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if len(site.requests) == 1:
            asked_for.set()
            await over.wait()
        return web.Response(body=b"second")

    site.answer = answer
    async with SupplierClient("acme", site.limits(concurrency=1)) as client:
        prepared = Prepared("read", "GET", f"http://127.0.0.1:{site.port}/", {}, None)
        first = asyncio.create_task(client.send(prepared))
        await asyncio.wait_for(asked_for.wait(), 10)
        first.cancel()
        assert (await client.send(prepared)).body == b"second"
    over.set()
