"""Documents of the mall's contracts, as an HTTP server has them: `python -m contrib.mall.documents --port 0`.

A document is a function of its address, so that the core knows its size and SHA-256 without asking, and a server that
is started again has the same ones. The first line on stdout, in JSON, says where they are.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence

import orjson
from aiohttp import web

LINES = 400
"""Of one document."""


def document_of(name: str) -> bytes:
    """The document of a name."""
    return "".join(f"{name} 第{number}条 双方按照网上商城采购合同履约。\n" for number in range(LINES)).encode()


def address_of(base: str, contract_no: str) -> str:
    """Where the document of a contract is. base: the URL of the server."""
    return f"{base}/contracts/{contract_no}.txt"


async def _answer(request: web.BaseRequest) -> web.StreamResponse:
    folder, _, file = request.path.removeprefix("/").partition("/")
    if folder != "contracts" or not file.endswith(".txt"):
        return web.Response(status=404)
    return web.Response(body=document_of(file.removesuffix(".txt")), content_type="text/plain")


async def serve(port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.ServerRunner(web.Server(_answer, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        host, bound = runner.addresses[0][:2]
        print(orjson.dumps({"url": f"http://{host}:{bound}"}).decode(), flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve documents on a port of this machine."""
    parser = argparse.ArgumentParser("python -m contrib.mall.documents", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args(arguments).port))


if __name__ == "__main__":
    main()
