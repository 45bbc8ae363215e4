"""Suppliers to pull from: simulators in a process of their own, each at its port.

As a program: `python -m contrib.bench.suppliers PORT,… SKUS [LOG]`. It prints `ready` once all of them answer; LOG is
the file of the calls that the only one of them serves.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

from contrib.bench.children import running
from contrib.simulators.jd_vop import Config, open_simulator
from gateway.embedded.ports import choose_port

HOST = "http://127.0.0.1"
AREA = "7_412_3545"
READY = b"suppliers ready"


@dataclass(frozen=True, slots=True)
class Supplier:
    """One simulator, seen from outside."""

    id: str
    url: str
    pid: int
    session: aiohttp.ClientSession

    def row(self, **changes: Any) -> dict[str, Any]:
        """Its declaration: everything is pulled once a day, messages are looked for every second."""
        credentials = ("client_id", "client_secret", "username", "password")
        return {
            "name": "Benchmark",
            "adapter": "jd_vop",
            "facets": ["product", "price", "stock", "listing"],
            "options": {"areas": [AREA]},
            "messages": "1s",
            "http": {"base_url": self.url, "allow_private": True},
            "secrets": {name: getattr(Config(), name) for name in credentials},
            **changes,
        }

    async def control(self, method: str, route: str, body: object = None) -> Any:
        """One call of a control route; its answer's JSON, line by line where there are several."""
        data = None if body is None else orjson.dumps(body)
        url = f"{self.url}/_control/{route}"
        async with self.session.request(method, url, data=data, raise_for_status=True) as response:
            text = await response.read()
        return (
            [orjson.loads(line) for line in text.splitlines()]
            if "ndjson" in response.content_type
            else orjson.loads(text)
        )


@asynccontextmanager
async def suppliers(count: int, skus: int, log: Path | None = None) -> AsyncIterator[Sequence[Supplier]]:
    """So many suppliers with so many skus each. Raises ChildDiedError, and TimeoutError."""
    ports = list(dict.fromkeys(choose_port() for _ in range(3 * count)))[:count]
    arguments = [",".join(map(str, ports)), str(skus), *([str(log)] if log else [])]
    async with (
        running("contrib.bench.suppliers", *arguments, sign=READY) as child,
        aiohttp.ClientSession() as session,
    ):
        yield [Supplier(f"pulled-{place}", f"{HOST}:{port}", child.pid, session) for place, port in enumerate(ports)]


async def serve(ports: Sequence[int], skus: int, log: Path | None) -> None:
    """Serve until the process is ended."""
    async with AsyncExitStack() as stack:
        for seed, port in enumerate(ports):
            await stack.enter_async_context(open_simulator(Config(skus=skus, seed=seed, port=port, log=log)))
        print(READY.decode(), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    where, size, *files = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve([int(port) for port in where.split(",")], int(size), Path(files[0]) if files else None))
