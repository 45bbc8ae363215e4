"""A separate reader of Kafka and PostgreSQL: what is really there, counted by no code of the gateway.

As a script it prints the same account as one JSON object: `python -m tests.reader INSTANCE`, the file that a gateway
on embedded engines leaves in its data directory.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from gateway.config import Bootstrap
from gateway.kafka import client_options

PRICES = "mall.catalog.prices.v1"

CATALOG = (
    "mall.catalog.products.v1",
    PRICES,
    "mall.catalog.stocks.v1",
    "mall.catalog.listings.v1",
)

OUTCOMES = {"n": "normalized", "u": "unchanged", "s": "stale", "r": "rejected", "h": "held", "c": "cancelled"}


@dataclass(frozen=True)
class Entry:
    """One record of a topic. partition and offset: where; headers: the last of each name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]

    @property
    def version(self) -> int:
        """Of its `gw-version` header."""
        return int(self.headers["gw-version"])

    @property
    def ce_id(self) -> str:
        """Of its CloudEvents header."""
        return self.headers["ce_id"].decode()


async def read_topics(bootstrap: Bootstrap, prefix: str = "", names: Sequence[str] = ()) -> dict[str, list[Entry]]:
    """Every record of every topic under the prefix, in offset order within its partition.

    names: the topics to read, where not all are wanted; one that does not exist is not in the answer.
    """
    partitions = await partitions_under(bootstrap, prefix, names)
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap), auto_offset_reset="earliest", enable_auto_commit=False, fetch_max_wait_ms=100
    )
    await consumer.start()
    try:
        entries = await _read(consumer, [each for found in partitions.values() for each in found], prefix)
    finally:
        await consumer.stop()
    topics: dict[str, list[Entry]] = {name.removeprefix(prefix): [] for name in partitions}
    for entry in entries:
        topics[entry.topic].append(entry)
    return topics


async def partitions_under(
    bootstrap: Bootstrap, prefix: str, names: Sequence[str] = ()
) -> dict[str, list[TopicPartition]]:
    """The partitions of every topic under the prefix, or of those that are named, by topic."""
    wanted = {prefix + name for name in names}
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    try:
        there = [name for name in await admin.list_topics() if name.startswith(prefix) and not name.startswith("__")]
        described = await admin.describe_topics(sorted(wanted.intersection(there) if wanted else there))
    finally:
        await admin.close()
    return {
        topic["topic"]: [TopicPartition(topic["topic"], each["partition"]) for each in topic["partitions"]]
        for topic in described
    }


async def _read(consumer: Any, partitions: list[TopicPartition], prefix: str) -> list[Entry]:
    if not partitions:
        return []
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    starts = await consumer.beginning_offsets(partitions)
    entries: list[Entry] = []
    for partition in partitions:
        consumer.seek(partition, starts[partition])
    while [each for each in partitions if await consumer.position(each) < ends[each]]:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            entries += [
                Entry(
                    each.topic.removeprefix(prefix),
                    each.partition,
                    each.offset,
                    each.key,
                    each.value,
                    dict(each.headers),
                )
                for each in records
            ]
    return sorted(entries, key=lambda entry: (entry.partition, entry.offset))


@dataclass(frozen=True)
class Books:
    """The tables, as rows: feeds, feed_chunks, feed_state, dead_letters."""

    feeds: list[dict[str, Any]]
    chunks: list[dict[str, Any]]
    keys: list[dict[str, Any]]
    letters: list[dict[str, Any]]

    def outcomes(self, feed_no: int | None = None) -> dict[str, int]:
        """Items per outcome, of one feed or of all."""
        count: Counter[str] = Counter()
        for chunk in self.chunks:
            if feed_no in (None, chunk["feed_no"]):
                count.update(chunk["outcomes"].decode())
        return {OUTCOMES[mark]: number for mark, number in sorted(count.items())}


async def read_books(database: str) -> Books:
    """The tables in one snapshot."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            tables = [
                await connection.fetch(query)
                for query in (
                    "SELECT feed_no, supplier, facet, mode, state, chunks, records, counts FROM feeds ORDER BY feed_no",
                    "SELECT feed_no, chunk_no, first_record, records, outcomes FROM feed_chunks ORDER BY 1, 2",
                    'SELECT facet::text, supplier, sku, area, version, partition, "offset", withdrawn FROM feed_state',
                    "SELECT stage, code, feed_no, record_index, original, state FROM dead_letters",
                )
            ]
    finally:
        await connection.close()
    return Books(*([dict(row) for row in table] for table in tables))


def orders_told(topics: dict[str, list[Entry]]) -> dict[str, dict[str, Any]]:
    """Of every order that was placed: its supplier, and the kinds of its events in their order, each told once."""
    found: dict[str, dict[str, Any]] = {}
    for entry in topics.get("mall.orders.commands.v1", []):
        command = orjson.loads(entry.value or b"")
        found.setdefault(command["order_no"], {"supplier": command["supplier"], "events": []})
    told = {entry.ce_id: orjson.loads(entry.value or b"") for entry in topics.get("mall.orders.events.v1", [])}
    for event in told.values():
        found[event["order_no"]]["events"].append(event["event"])
    return found


async def account(bootstrap: Bootstrap, database: str, prefix: str = "") -> dict[str, Any]:
    """Counts to hold against what the gateway says of itself: items, topics, the last version of every price."""
    topics, books = await read_topics(bootstrap, prefix), await read_books(database)
    records = sum(feed["records"] or 0 for feed in books.feeds)  # of one under way they are not known yet
    last = {(entry.topic, entry.key): entry.version for name in CATALOG for entry in topics[name]}
    return {
        "feeds": len(books.feeds),
        "submitted": records,
        "items": books.outcomes(),
        "orders": orders_told(topics),
        "topics": {name: len(entries) for name, entries in topics.items() if entries},
        "keys": len(last),
        "letters": len(books.letters),
    }


if __name__ == "__main__":
    note = orjson.loads(Path(sys.argv[1]).read_bytes())
    login = (note["kafka_security_protocol"], note["kafka_sasl_mechanism"], note["kafka_sasl_username"])
    kafka = Bootstrap(note["kafka_bootstrap"], *login, note["kafka_sasl_password"])
    print(orjson.dumps(asyncio.run(account(kafka, note["database_url"]))).decode())
