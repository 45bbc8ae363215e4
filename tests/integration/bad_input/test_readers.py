"""Vendors who do not take their reports: they keep nobody waiting, and get all of it once they read on."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from tests.integration.bad_input.conftest import House, Shop, request
from tests.wire import Wire

READERS = 14
"""More than a pool of the gateway has connections."""

REJECTED = 8_000
BODY = b"\n".join(
    b'{"sku":"B-%d","price":"1,0","marketPrice":"2,0","taxRate":"x"}' % number for number in range(REJECTED)
)

pytestmark = pytest.mark.timeout(180)


async def stalled(house: House, shop: Shop, path: str) -> Wire:
    """A client that has seen the head of an answer and takes no more of it: its window holds next to nothing."""
    host, port = house.program.url.removeprefix("http://").split(":")
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, (host, int(port)))
    wire = Wire(*await asyncio.open_connection(sock=connection))
    await wire.send(request("GET", path, (shop.bearer.strip(),)))
    assert (await wire.answer()).status == 200
    return wire


async def test_stalled_downloads_of_a_report_keep_nobody_waiting(house: House, shop: Shop) -> None:
    feed = await shop.done(await shop.push(BODY))
    assert feed["items"] == {"rejected": REJECTED}
    readers = [await stalled(house, shop, feed["links"]["report"]) for _ in range(READERS)]
    try:
        other = await house.shop()
        pushed = await asyncio.gather(*(other.push(b'{"sku":"A-%d","price":"9.90"}' % number) for number in range(20)))
        assert [answer.status for answer in pushed] == [202] * 20
        for answer in pushed:
            assert (await other.done(answer))["items"] == {"normalized": 1}
        polls = await asyncio.gather(*(shop.get(feed["links"]["self"]) for _ in range(12)))
        assert {poll.status for poll in polls} == {200}
        async with aiohttp.ClientSession() as session, session.get(f"{house.program.ops_url}/readyz") as ready:
            assert ready.status == 200, await ready.text()
        whole = await readers[0].closed()
        assert whole.endswith(b"0\r\n\r\n")
        assert whole.count(b'"outcome":"rejected"') == REJECTED
    finally:
        for wire in readers:
            wire.abort()
