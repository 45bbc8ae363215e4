"""One feed of prices end to end: pushed, every version guarded in PostgreSQL, every item on the catalog topic.

The peers do not even take a push: what they read lies in Kafka before they start.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from contrib.bench import goods
from contrib.bench.children import running
from contrib.bench.program import gateway
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage, open_bus_at
from contrib.bench.usage import cpu_seconds
from contrib.bench.watch import until_counted, until_published
from gateway.config import kafka_environment
from gateway.kafka import PRICES, TOPICS, Bus, Message, TopicSpec
from schemas.envelope import key_of

EACH = Budget(10, at_least=True)
BATCH = Budget(1.2, at_least=True)

RAW = TopicSpec("raw.prices", "supplier:sku:area", "delete", 24 * 3600 * 1000, "Price records as a vendor writes them.")
PARTITIONS = 12
PRODUCED_AT_ONCE = 10_000

GATEWAY_VERSIONS = "SELECT count(*) FROM feed_state WHERE version > 0"
PEER_VERSIONS = "SELECT count(*) FROM versions"


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """Records per second of the gateway beside both peers, in turn."""
    body = goods.write(stage.directory / "prices.ndjson", goods.price, plan.records)
    await push(stage, body, plan.records)  # not counted: the engines are cold
    ours, each, batch = [], [], []
    for _ in range(plan.runs):
        ours.append(await push(stage, body, plan.records))
        batch.append(await follow(stage, "batch", plan.records))
        each.append(await follow(stage, "each", plan.peer_records))
    return [
        _row("feed beside FastStream, record by record", ours, each, EACH),
        _row("feed beside FastStream, in batches", ours, batch, BATCH),
    ]


def _row(name: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]], budget: Budget) -> Row:
    pairs = [(one["rate"], other["rate"]) for one, other in zip(ours, theirs, strict=True)]
    return paired(name, "records/s", pairs, budget, [*ours, *theirs])


async def push(stage: Stage, body: Path, records: int, *, workers: int = 1) -> dict[str, Any]:
    """One run of the gateway. cpu_seconds: of its processes, until the keeper has read everything back, too."""
    async with (
        stage.place() as place,
        open_bus_at(place) as bus,
        gateway(place, stage.directory, workers=workers) as program,
    ):
        before, started = cpu_seconds(program.pid), time.monotonic()
        await program.push("price", body)
        accepted = time.monotonic()
        await until_published(bus, PRICES, records)
        ended = await until_counted(place, GATEWAY_VERSIONS, records)
        await until_counted(place, _KEPT, records)
        spent = cpu_seconds(program.pid) - before
    return _run("gateway", records, started, ended, accept_seconds=accepted - started, cpu_seconds=spent)


_KEPT = f"SELECT COALESCE(sum(next), 0) FROM source_offsets WHERE topic = '{PRICES}'"  # noqa: S608 -- a constant


async def follow(stage: Stage, contestant: str, records: int) -> dict[str, Any]:
    """One run of a peer, over records that lie in Kafka before it starts."""
    async with stage.place() as place, open_bus_at(place) as bus:
        await bus.ensure_topics([RAW, TOPICS[PRICES]], partitions=PARTITIONS, replication=1)
        await _produce(bus, records)
        topics = (place.prefix + RAW.name, place.prefix + PRICES)
        arguments = (contestant, place.database, *topics)
        environment = kafka_environment(place.bootstrap)
        async with running("contrib.bench.peers", *arguments, sign=b"ready", environment=environment) as peer:
            before, started = cpu_seconds(peer.pid), time.monotonic()
            await until_published(bus, PRICES, records)
            ended = await until_counted(place, PEER_VERSIONS, records)
            spent = cpu_seconds(peer.pid) - before
    return _run(f"faststream {contestant}", records, started, ended, cpu_seconds=spent)


def _run(who: str, records: int, started: float, ended: float, **more: float) -> dict[str, Any]:
    seconds = ended - started
    return {"who": who, "records": records, "seconds": seconds, "rate": records / seconds, **more}


async def _produce(bus: Bus, records: int) -> None:
    async with bus.producer("bench") as producer:
        for start in range(0, records, PRODUCED_AT_ONCE):
            rows = [goods.price(index) for index in range(start, min(start + PRODUCED_AT_ONCE, records))]
            skus = (f"B{index:09d}" for index in range(start, start + len(rows)))
            await producer.send(
                [
                    Message(RAW.name, key_of("bulk-vendor", sku, "*"), row, ())
                    for sku, row in zip(skus, rows, strict=True)
                ]
            )
