"""The same job as users of FastStream write it: validate, guard the version in PostgreSQL, publish what changed.

Run as a program of its own: `python -m contrib.bench.peers each|batch DATABASE_URL INPUT OUTPUT`, Kafka in the
environment as for the gateway. It reads
raw price records keyed by sku and prints `ready` once it reads. A record is published before its version is committed
and its offset after that, so that a crash at any point repeats it instead of losing it: what the gateway promises, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage, KafkaPublishMessage
from faststream.security import SASLScram512

from adapters.native.wire import PriceRecord
from gateway.config import Settings, load_settings
from schemas.catalog import Price, PriceFacts
from schemas.envelope import key_of

SUPPLIER = "bulk-vendor"
STAMPS = {"supplier", "version", "observed_at", "expires_at"}
PERIOD = timedelta(days=1)
BATCH = 1_000
BATCH_BYTES = 1024 * 1024

TABLE = "CREATE TABLE versions (key text PRIMARY KEY, version bigint NOT NULL, hash bytea NOT NULL)"

CLAIM_ONE = """
    INSERT INTO versions (key, version, hash) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET version = EXCLUDED.version, hash = EXCLUDED.hash
     WHERE versions.version < EXCLUDED.version
    RETURNING old.hash IS DISTINCT FROM new.hash
"""

CLAIM_MANY = """
    INSERT INTO versions (key, version, hash)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[])
    ON CONFLICT (key) DO UPDATE SET version = EXCLUDED.version, hash = EXCLUDED.hash
     WHERE versions.version < EXCLUDED.version
    RETURNING key, old.hash IS DISTINCT FROM new.hash AS changed
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What a contestant is given: connections, and the names of its topics."""

    broker: KafkaBroker
    pool: Any
    source: str
    target: str


def price_of(record: PriceRecord) -> Price:
    """The canonical price of a record."""
    now = datetime.now(UTC)
    return Price(
        **{name: value for name, value in record if name in PriceFacts.model_fields},
        supplier=SUPPLIER,
        version=record.source_version or 0,
        observed_at=now,
        expires_at=now + 2 * PERIOD,
    )


def hash_of(price: Price) -> bytes:
    """Of the facts, so that equal prices have equal hashes whenever they are observed."""
    return hashlib.blake2b(price.model_dump_json(exclude=STAMPS).encode(), digest_size=16).digest()


def one_by_one(job: Job) -> None:
    """One record, one transaction, one message."""

    @job.broker.subscriber(
        job.source, group_id=f"{job.target}.each", auto_offset_reset="earliest", ack_policy=AckPolicy.NACK_ON_ERROR
    )
    async def take(record: PriceRecord) -> None:
        price = price_of(record)
        key = key_of(SUPPLIER, price.sku, price.area)
        async with job.pool.acquire() as connection, connection.transaction():
            if await connection.fetchval(CLAIM_ONE, key.decode(), price.version, hash_of(price)):
                await job.broker.publish(price, job.target, key=key)


def in_batches(job: Job) -> None:
    """A batch of records, one transaction, a batch of messages for each partition: the output has the input's."""

    @job.broker.subscriber(
        job.source,
        batch=True,
        max_records=BATCH,
        group_id=f"{job.target}.batch",
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def take(records: list[PriceRecord], message: KafkaMessage) -> None:
        partitions = [raw.partition for raw in message.raw_message]
        latest = {
            key_of(SUPPLIER, price.sku, price.area): (price, partition)
            for price, partition in zip(map(price_of, records), partitions, strict=True)
        }
        async with job.pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                CLAIM_MANY,
                [key.decode() for key in latest],
                [price.version for price, _ in latest.values()],
                [hash_of(price) for price, _ in latest.values()],
            )
            parts = defaultdict(list)
            for key in (row["key"].encode() for row in rows if row["changed"]):
                price, partition = latest[key]
                parts[partition].append(KafkaPublishMessage(price, key=key))
            await asyncio.gather(
                *(job.broker.publish_batch(*part, topic=job.target, partition=at) for at, part in parts.items())
            )


CONTESTANTS: dict[str, Callable[[Job], None]] = {"each": one_by_one, "batch": in_batches}


async def main(contestant: str, database: str, source: str, target: str) -> None:
    """Run one contestant until it is asked to stop."""
    kafka = load_settings()
    broker = KafkaBroker(
        kafka.kafka_bootstrap or "",
        security=security_of(kafka),
        logger=None,
        acks="all",
        compression_type="zstd",
        max_batch_size=BATCH_BYTES,
        max_request_size=BATCH_BYTES,
    )
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        await pool.execute(TABLE)
        CONTESTANTS[contestant](Job(broker, pool, source, target))
        application = FastStream(broker, logger=None, after_startup=[report_ready])
        await application.run()


def security_of(kafka: Settings) -> SASLScram512:
    """Who the contestant is, as FastStream takes it."""
    password = kafka.kafka_sasl_password.get_secret_value() if kafka.kafka_sasl_password else ""
    return SASLScram512(kafka.kafka_sasl_username or "", password, use_ssl=False)


async def report_ready() -> None:
    """Tell whoever started the program that it reads."""
    print("ready", flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
