"""The job of the relay as others write it: take a command, call the supplier, publish the result.

Run as a program of its own: `python -m contrib.bench.order_peers faststream|lanes COUNT URL INPUT OUTPUT`, Kafka in the
environment as for the gateway. COUNT: workers of FastStream, or calls under way at once. It prints `ready` once it
reads.

FastStream commits a command's offset after its result, so a crash repeats it. The bare loop keeps a queue for each
order and nothing else: what it had taken when it dies is lost.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker

from contrib.bench.peers import report_ready, security_of
from gateway.config import load_settings
from gateway.kafka import client_options

LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """What a contestant is given: how much it may do at once, the supplier, and the names of its topics."""

    count: int
    url: str
    source: str
    target: str
    session: aiohttp.ClientSession

    async def submit(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """The event of a command, once the supplier has the order."""
        order = {
            "order_no": command["order_no"],
            "key": command["command_id"],
            "gross": command["payload"]["totals"]["gross"],
        }
        body = orjson.dumps(order)
        async with self.session.post(f"{self.url}/orders", data=body, raise_for_status=True) as response:
            answer = orjson.loads(await response.read())
        return {
            "event": "order.confirmed",
            "order_no": command["order_no"],
            "supplier": command["supplier"],
            "cause": {"command_id": command["command_id"]},
            "occurred_at": datetime.now(UTC),
            "supplier_order_nos": [answer["number"]],
            "payload": {"totals": {"gross": answer["gross"]}},
        }


async def workers(job: Job) -> None:
    """FastStream: so many workers, each with partitions of its own, so that no order is overtaken by itself."""
    kafka = load_settings()
    broker = KafkaBroker(kafka.kafka_bootstrap or "", security=security_of(kafka), logger=None, acks="all")

    @broker.subscriber(
        job.source,
        group_id=job.target,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_workers=job.count,
    )
    async def take(command: dict[str, Any]) -> None:
        event = await job.submit(command)
        await broker.publish(orjson.dumps(event), job.target, key=command["order_no"].encode())

    async def assigned() -> None:
        subscriber: Any = broker.subscribers[0]
        await _assigned(*(getattr(subscriber, "consumer_subgroup", None) or [subscriber.consumer]))

    await FastStream(broker, logger=None, after_startup=[assigned]).run()


async def lanes(job: Job) -> None:
    """The bare loop: a queue for each order, and as many orders at once as there may be calls."""
    kafka = load_settings().bootstrap
    assert kafka is not None, "Kafka is named in the environment"  # noqa: S101 -- a program of one caller
    options = client_options(kafka)
    waiting: dict[bytes, deque[bytes]] = {}
    consumer = AIOKafkaConsumer(job.source, **options, group_id=job.target, auto_offset_reset="earliest")
    async with AIOKafkaProducer(**options, acks="all") as producer, consumer, asyncio.TaskGroup() as group:

        async def carry_out(key: bytes, lane: deque[bytes]) -> None:
            while lane:
                event = await job.submit(orjson.loads(lane[0]))
                await producer.send(job.target, orjson.dumps(event), key=key)
                lane.popleft()
            del waiting[key]

        await _assigned(consumer)
        async for record in consumer:
            if record.key in waiting:
                waiting[record.key].append(record.value)
            else:
                lane = waiting[record.key] = deque([record.value])
                group.create_task(carry_out(record.key, lane))


async def _assigned(*consumers: AIOKafkaConsumer) -> None:
    """Say that all read, once each has partitions."""
    while True:
        if all(consumer.assignment() for consumer in consumers):
            break
        await asyncio.sleep(LOOK_SECONDS)
    await report_ready()


CONTESTANTS: Mapping[str, Callable[[Job], Awaitable[None]]] = {"faststream": workers, "lanes": lanes}


async def main(contestant: str, count: str, url: str, source: str, target: str) -> None:
    """Run one contestant until it is asked to stop."""
    connector = aiohttp.TCPConnector(limit=int(count))
    async with aiohttp.ClientSession(connector=connector) as session:
        await CONTESTANTS[contestant](Job(int(count), url, source, target, session))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
