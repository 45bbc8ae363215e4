"""Records on the feeds topics that nobody of ours wrote: kept as dead letters, and the partition goes on."""

from __future__ import annotations

import signal
import struct
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from gateway.config import Bootstrap
from gateway.embedded import Engines
from gateway.feeds.seal import GW_SEAL, seal_of
from gateway.kafka import client_options
from tests.eventually import eventually
from tests.history.pushes import Pushed
from tests.program import KEY, running
from tests.reader import Entry, read_topics
from tests.vendor import Vendor, declared, prices

pytestmark = pytest.mark.timeout(115)

SECRET = b64decode(KEY)

EXPRESS, BULK = "gateway.feeds.express.v1", "gateway.feeds.bulk.v1"

HEADERS: Mapping[str, bytes | None] = {
    "gw-schema": b"chunk/1",
    "gw-supplier": b"acme",
    "gw-feed": b"1",
    "gw-chunk": b"0",
    "gw-first-record": b"0",
    "gw-facet": b"price",
    "gw-mode": b"upsert",
    "gw-lane": b"express",
    "gw-revision": b"1",
    "gw-received-at": b"2026-05-01T12:00:00+08:00",
}
"""Headers of a chunk as the gateway writes them."""

RECORD = b'{"sku":"FORGED","price":"0.01"}'
CHUNK = struct.pack(">II", 1, len(RECORD)) + RECORD
"""A chunk of one record as the gateway writes it."""

GARBAGE = bytes(range(256)) * (4 * 1024 * 4)
"""4 MiB."""


@dataclass(frozen=True)
class Pill:
    """A record that cannot be taken. headers: instead of or besides those of a chunk, None for none at all."""

    value: bytes | None = CHUNK
    headers: Mapping[str, bytes | None] | None = None
    key: bytes | None = None
    code: str = "poison_pill"
    without: str = ""
    sealed: bool = True

    def all_headers(self) -> list[tuple[str, bytes | None]]:
        if self.headers is None:
            return []
        headers = [(name, value) for name, value in {**HEADERS, **self.headers}.items() if name != self.without]
        read = [(name, value) for name, value in headers if value is not None]
        return [*headers, (GW_SEAL, seal_of(SECRET, read, self.value or b""))] if self.sealed else headers


PILLS = {
    "text": Pill(b"{oops", code="forged_chunk"),
    "JSON of somebody else": Pill(b'{"sku":"A-1"}', key=b"acme:A-1", code="forged_chunk"),
    "nothing at all": Pill(b"", code="forged_chunk"),
    "a tombstone": Pill(None, key=b"acme:A-1", code="forged_chunk"),
    "4 MiB of garbage": Pill(GARBAGE, code="forged_chunk"),
    "a chunk without a seal": Pill(headers={}, sealed=False, code="forged_chunk"),
    "no bytes": Pill(b"", {}),
    "a tombstone with a head": Pill(None, {}),
    "bytes with a head": Pill(b"\xff" * 40, {}),
    "a chunk cut off": Pill(CHUNK[:-1], {}),
    "4 MiB of garbage with a head": Pill(GARBAGE, {}),
    "4 MiB of nothing with a head": Pill(bytes(4 * 1024 * 1024), {}),
    "a line that no column holds": Pill(b"\xff" * 4 + bytes(4), {}),
    "a wrong key": Pill(headers={}, key=b"acme:A-1"),
    "a later format": Pill(headers={"gw-schema": b"chunk/2"}, code="unknown_schema"),
    "a format that is no text": Pill(headers={"gw-schema": b"\xff\x00"}, code="unknown_schema"),
    "nobody's chunk": Pill(headers={"gw-supplier": b"nobody"}, code="unknown_supplier"),
    "a revision to come": Pill(headers={"gw-revision": b"77"}, code="unknown_supplier"),
    "a supplier with a NUL": Pill(headers={"gw-supplier": b"ac\x00me"}),
    "a feed beyond all": Pill(headers={"gw-feed": b"9" * 40}),
    "a feed beyond versions": Pill(headers={"gw-feed": b"549755813888"}),
    "feed 0": Pill(headers={"gw-feed": b"0"}),
    "a chunk below 0": Pill(headers={"gw-chunk": b"-1"}),
    "a record beyond versions": Pill(headers={"gw-first-record": b"16777214"}),
    "another facet": Pill(headers={"gw-facet": b"weather"}),
    "a time without a zone": Pill(headers={"gw-received-at": b"2026-05-01T12:00:00"}),
    "a time at the end of time": Pill(headers={"gw-received-at": b"9999-12-31T23:59:59Z"}),
    "a null header": Pill(headers={"gw-feed": None}),
    "a trace with a line break": Pill(headers={"traceparent": b"00\r\nforged: 1"}),
    **{f"no {name}": Pill(headers={}, without=name) for name in HEADERS if name != "gw-schema"},
}


async def test_a_record_that_nobody_can_read_stops_no_partition(
    engines: Engines, database: str, topic_prefix: str
) -> None:
    """They lie there before the program starts, on every partition of both topics, with good feeds behind them."""
    services = (engines.kafka_bootstrap, database, topic_prefix)
    async with running(*services) as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        program.signal(signal.SIGTERM)  # so that its partitions are free at once
        await program.ended()
    places = await swallow(engines.kafka_bootstrap, topic_prefix)
    async with running(*services) as program, reading(database) as connection:
        await program.started()
        vendor = Vendor(program.url, keys)
        small = [await vendor.push(prices(2, price="1.00"), key=f"small-{number}", wait=0) for number in range(6)]
        large = [await vendor.push(prices(3_500, price="2.00"), key="large", wait=0)]
        assert all(push.acked for push in small + large)
        for push in small + large:
            await finished(vendor, push)

        async def all_are_kept() -> bool:
            return bool(await connection.fetchval("SELECT count(*) = $1 FROM dead_letters", len(places)))

        await eventually(all_are_kept)
        letters = await connection.fetch(
            'SELECT topic, partition, "offset", code, stage, original, key FROM dead_letters'
        )

        async def all_are_exported() -> bool:
            return bool(await connection.fetchval("SELECT count(*) = 0 FROM outbox"))

        await eventually(all_are_exported)
        assert program.process.returncode is None
        assert await connection.fetchval("SELECT last_value FROM feed_no") < 1_000
    found = {(row["topic"], row["partition"], row["offset"]): row for row in letters}
    for place, (name, pill) in places.items():
        row = found[place]
        kept = (row["code"], row["stage"], row["original"], row["key"])
        assert kept == (pill.code, "feeds.read", pill.value or b"", pill.key), name
    topics = await read_topics(engines.kafka_bootstrap, topic_prefix)
    exported = {origin(entry): (entry.value, entry.key) for entry in topics["gateway.deadletters.v1"]}
    assert exported == {place: (pill.value or b"", pill.key) for place, (_, pill) in places.items()}
    assert {entry.headers["gw-supplier"] for entry in topics["mall.catalog.prices.v1"]} == {b"acme"}
    assert not [entry for entry in topics["mall.catalog.prices.v1"] if b"FORGED" in (entry.value or b"")]


async def finished(vendor: Vendor, push: Pushed) -> None:
    """Wait for the end of one feed; what pills say of a feed that there never was has none."""

    async def is_finished() -> bool:
        _, _, body = await vendor.request("GET", f"/v1/feeds/{push.feed_no}")
        return orjson.loads(body)["finished_at"] is not None

    await eventually(is_finished)


async def swallow(bootstrap: Bootstrap, prefix: str) -> dict[tuple[str, int, int], tuple[str, Pill]]:
    """Put every pill on the topics, the partitions in turn; where each lies."""
    producer = AIOKafkaProducer(**client_options(bootstrap))
    await producer.start()
    places = {}
    try:
        for topic in (EXPRESS, BULK):
            for number, (name, pill) in enumerate(PILLS.items()):
                # Alone in its batch: only so does aiokafka let a record have neither key nor value.
                batch = producer.create_batch()
                batch.append(key=pill.key, value=pill.value, timestamp=None, headers=pill.all_headers())
                ack = await (await producer.send_batch(batch, prefix + topic, partition=number % 3))
                places[topic, ack.partition, ack.offset] = (name, pill)
    finally:
        await producer.stop()
    return places


def origin(entry: Entry) -> tuple[str, int, int]:
    """Where the record of an exported dead letter lay."""
    headers = {name: value.decode() for name, value in entry.headers.items()}
    return headers["gw-dlq-topic"], int(headers["gw-dlq-partition"]), int(headers["gw-dlq-offset"])


@asynccontextmanager
async def reading(database: str) -> AsyncIterator[Any]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        await connection.close()
