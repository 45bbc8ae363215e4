"""`python -m contrib.simulators.jd_vop.load`: how many calls a second the simulator serves, with its log on disk."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import orjson
import psutil

from contrib.simulators.jd_vop.catalog import Catalog
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.tokens import credentials


def question(path: str, form: dict[str, str]) -> bytes:
    """A POST of a form, ready to be sent."""
    body = urlencode(form).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: simulator\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> bytes:
    """Send it on an open connection, and return the body of the answer."""
    writer.write(question)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


async def load(url: str, config: Config, count: int, connections: int) -> None:
    """Ask for the details of so many skus, over so many connections."""
    where = urlsplit(url)
    catalog = Catalog(config.seed, config.skus)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    answer = await ask(reader, writer, question("/oauth2/accessToken", credentials(config, time.time())))
    writer.close()
    token = orjson.loads(answer)["result"]["access_token"]
    skus = iter([catalog.sku(place * 7919 % config.skus) for place in range(count)])

    async def one() -> None:
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        for sku in skus:
            await ask(reader, writer, question("/api/product/getDetail", {"token": token, "sku": str(sku)}))
        writer.close()

    await asyncio.gather(*(one() for _ in range(connections)))


def main() -> None:
    """Start a simulator, load it, and print calls a second: by the clock, and by its own processor time."""
    parser = argparse.ArgumentParser("python -m contrib.simulators.jd_vop.load", description=main.__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args()
    config = Config(skus=100_000)
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "calls.jsonl")
        command = [sys.executable, "-m", "contrib.simulators.jd_vop", "--skus", str(config.skus), "--log", str(log)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own program
            assert server.stdout is not None  # noqa: S101 - a pipe was asked for
            url = orjson.loads(server.stdout.readline())["url"]
            began, spent = time.monotonic(), sum(psutil.Process(server.pid).cpu_times()[:2])
            asyncio.run(load(url, config, options.calls, options.connections))
            seconds = time.monotonic() - began
            spent = sum(psutil.Process(server.pid).cpu_times()[:2]) - spent
            server.terminate()
        lines = log.read_bytes().count(b"\n")
    rates = {"calls_per_second": options.calls / seconds, "calls_per_cpu_second": options.calls / spent}
    print(orjson.dumps({"calls": options.calls, "logged": lines, **rates}).decode())


if __name__ == "__main__":
    main()
