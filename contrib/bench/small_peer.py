"""An HTTP endpoint that puts what it is given on a topic, as users of FastStream write it: no durable step.

Run as a program of its own: `python -m contrib.bench.small_peer PORT TOPIC`, Kafka in the environment as for the
gateway. It validates a row, publishes it, awaits its ack and answers 202; nothing is written to a database, nobody is
asked who he is, and a repeat is another record. It prints `ready` once it listens.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop
from aiohttp import web
from faststream.kafka import KafkaBroker
from pydantic import ValidationError

from adapters.native.wire import PriceRecord
from contrib.bench.peers import SUPPLIER, security_of
from gateway.config import load_settings
from schemas.envelope import key_of


async def main(port: int, topic: str) -> None:
    """Serve until the process is ended."""
    kafka = load_settings()
    broker = KafkaBroker(kafka.kafka_bootstrap or "", security=security_of(kafka), logger=None, acks="all")

    async def push(request: web.Request) -> web.Response:
        try:
            record = PriceRecord.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response(text=error.json(), status=422)
        await broker.publish(record, topic, key=key_of(SUPPLIER, record.sku, record.area))
        return web.json_response({"state": "accepted"}, status=202)

    app = web.Application()
    app.router.add_post("/feeds/price", push)
    runner = web.AppRunner(app)
    async with broker:
        await broker.start()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        print("ready", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), sys.argv[2]))
