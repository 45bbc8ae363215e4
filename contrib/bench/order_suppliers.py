"""Suppliers that take orders, in a process of their own: each answers after the same time, unless it is told to hang.

As a program: `python -m contrib.bench.order_suppliers PORT MILLISECONDS`. It prints `order suppliers ready` once it
answers. Below `/<supplier>/` stand `orders`, where an order is placed, and `hang`, `answer` and `calls`, by which a
benchmark has it stop, go on, and tell which calls it had.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop
from aiohttp import web

from contrib.bench.children import running
from gateway.embedded.ports import choose_port

ADAPTER = "bench_orders"
PACKAGE = f"contrib.bench.{ADAPTER}"
HOST = "127.0.0.1"
READY = b"order suppliers ready"

Call = tuple[str, str]
"""An order and the command that asked for it."""


@dataclass(frozen=True, slots=True)
class OrderSupplier:
    """One of them, seen from outside."""

    id: str
    url: str
    session: aiohttp.ClientSession

    def row(self, slots: int) -> dict[str, Any]:
        """Its declaration. slots: calls that may be under way at once."""
        http = {"base_url": self.url, "allow_private": True, "concurrency": slots}
        return {"name": "Benchmark", "adapter": ADAPTER, "facets": ["listing"], "http": http}

    async def hang(self) -> None:
        """Have it answer no order any more."""
        await self._control("hang")

    async def answer(self) -> None:
        """Have it answer again, also what it has left hanging."""
        await self._control("answer")

    async def calls(self) -> Sequence[Call]:
        """The calls that it had, in the order in which they came."""
        return [(order_no, key) for order_no, key in await self._control("calls")]

    async def _control(self, action: str) -> Any:
        async with self.session.post(f"{self.url}/{action}", raise_for_status=True) as response:
            return orjson.loads(await response.read())


@asynccontextmanager
async def order_suppliers(count: int, milliseconds: int) -> AsyncIterator[Sequence[OrderSupplier]]:
    """So many suppliers that answer after so long. Raises ChildDiedError, and TimeoutError."""
    port = choose_port()
    arguments = ("contrib.bench.order_suppliers", str(port), str(milliseconds))
    async with running(*arguments, sign=READY), aiohttp.ClientSession() as session:
        names = (f"orders-{number}" for number in range(count))
        yield [OrderSupplier(name, f"http://{HOST}:{port}/{name}", session) for name in names]


def announced(directory: Path) -> Mapping[str, str]:
    """The environment in which a gateway finds the adapter, as if a distribution of it were installed."""
    folder = directory / f"{ADAPTER}-1.0.dist-info"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "METADATA").write_text(f"Name: {ADAPTER}\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[mallgate.adapters]\n{ADAPTER} = {PACKAGE}\n")
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(directory), *([inherited] if inherited else [])])}


class OrderServer:
    """All suppliers of one process. seconds: until each answers an order."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._calls: dict[str, list[Call]] = defaultdict(list)
        self._hanging: dict[str, asyncio.Event] = {}
        self._actions = {"orders": self._take, "hang": self._hang, "answer": self._answer, "calls": self._read_calls}

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        _, supplier, action = request.path.split("/")
        result = await self._actions[action](supplier, await request.read())
        return web.Response(body=orjson.dumps(result), content_type="application/json")

    async def _take(self, supplier: str, body: bytes) -> Mapping[str, str]:
        order = orjson.loads(body)
        self._calls[supplier].append((order["order_no"], order["key"]))
        if supplier in self._hanging:
            await self._hanging[supplier].wait()
        await asyncio.sleep(self._seconds)
        return {"number": f"S-{order['order_no']}", "gross": order["gross"]}

    async def _hang(self, supplier: str, _: bytes) -> Mapping[str, str]:
        self._hanging[supplier] = asyncio.Event()
        return {}

    async def _answer(self, supplier: str, _: bytes) -> Mapping[str, str]:
        self._hanging.pop(supplier).set()
        return {}

    async def _read_calls(self, supplier: str, _: bytes) -> Sequence[Call]:
        return self._calls[supplier]


async def serve(port: int, milliseconds: int) -> None:
    """Serve until the process is ended."""
    runner = web.ServerRunner(web.Server(OrderServer(milliseconds / 1000).handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, HOST, port, backlog=1024).start()
    print(READY.decode(), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    where, takes = map(int, sys.argv[1:])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(where, takes))
