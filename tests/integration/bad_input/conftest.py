"""The running program, suppliers of each test's own, and a separate reader that says what a request left behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.config import Bootstrap
from gateway.embedded import Engines
from gateway.kafka import client_options
from tests.engines import fresh_database, fresh_prefix
from tests.eventually import eventually
from tests.program import Program, running
from tests.reader import CATALOG, Entry, partitions_under
from tests.vendor import NDJSON, Keys, Vendor, declared
from tests.wire import Answer, Wire

MAX_BODY = 8 * 1024 * 1024
"""Of a body, decoded: small, so that the tests of the limit are cheap."""

_suppliers = (f"vendor-{number}" for number in itertools.count(1))


@dataclass(frozen=True)
class Left:
    """What a supplier's requests left behind: rows of feeds and dead letters, records of any topic."""

    feeds: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def items(self) -> list[Any]:
        """The values on the catalog topics, in the order of their versions."""
        found = [entry for entry in self.entries if entry.topic in CATALOG]
        return [orjson.loads(entry.value or b"null") for entry in sorted(found, key=lambda entry: entry.version)]


NOTHING = Left()


class Tail:
    """Reads every topic under a prefix as far as it goes, from where it stood the last time."""

    def __init__(self, consumer: Any, prefix: str) -> None:
        self._consumer = consumer
        self._prefix = prefix
        self.entries: list[Entry] = []

    async def catch_up(self) -> list[Entry]:
        """All that was ever read, up to the ends of now."""
        # Paused in between: a fetch that waits for records keeps the broker from answering anything else.
        ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
        while behind := [part for part, end in ends.items() if await self._consumer.position(part) < end]:
            self._consumer.resume(*behind)
            self._take(await self._consumer.getmany(*behind, timeout_ms=100))
            self._consumer.pause(*behind)
        return self.entries

    def _take(self, found: Mapping[TopicPartition, Iterable[Any]]) -> None:
        for part, records in found.items():
            name = part.topic.removeprefix(self._prefix)
            self.entries += [
                Entry(name, part.partition, each.offset, each.key, each.value, dict(each.headers)) for each in records
            ]


@dataclass(frozen=True)
class House:
    """A running gateway and what stands behind it."""

    program: Program
    bootstrap: Bootstrap
    database: str
    prefix: str
    reading: Any
    tail: Tail

    async def left_by(self, supplier: str) -> Left:
        """What is really there of a supplier."""
        feeds = await self.reading.fetch("SELECT * FROM feeds WHERE supplier = $1 ORDER BY feed_no", supplier)
        letters = await self.reading.fetch(
            "SELECT * FROM dead_letters WHERE supplier = $1 ORDER BY feed_no, record_index", supplier
        )
        entries = [
            entry for entry in await self.tail.catch_up() if entry.headers.get("gw-supplier") == supplier.encode()
        ]
        return Left([dict(row) for row in feeds], [dict(row) for row in letters], entries)

    async def connect(self) -> Wire:
        """A connection of its own; the caller closes it."""
        return await connect(self.program.url)

    async def send(self, *parts: str | bytes) -> Answer:
        """Send on a connection of its own; the answer."""
        return await send(self.program.url, *parts)

    async def get(self, path: str) -> Answer:
        """GET without a credential."""
        return await self.send(request("GET", path, ()))

    async def shop(self, **declaration: Any) -> Shop:
        """A new supplier with its keys."""
        return Shop(self, await declared(self.program.admin_url, next(_suppliers), **declaration))


@dataclass(frozen=True)
class Shop:
    """One supplier of the running gateway, and what its developer can do."""

    house: House
    keys: Keys

    @property
    def name(self) -> str:
        """Its id."""
        return self.keys.supplier

    @property
    def bearer(self) -> str:
        """The header that says who calls."""
        return f"Authorization: Bearer {self.keys.bearer}\r\n"

    def head(self, *headers: str, facet: str = "price", content_type: str = NDJSON) -> str:
        """Head of a push whose body the test sends itself. headers: further lines without their CR LF."""
        lines = "".join(f"{line}\r\n" for line in (f"Content-Type: {content_type}", *headers))
        return f"POST /v1/feeds/{facet} HTTP/1.1\r\nHost: gateway\r\n{self.bearer}{lines}\r\n"

    async def push(
        self, body: bytes, *headers: str, facet: str = "price", query: str = "", content_type: str = NDJSON
    ) -> Answer:
        """POST a whole body with the bearer key. headers: further lines without their CR LF."""
        lines = (self.bearer.strip(), f"Content-Type: {content_type}", *headers)
        return await self.house.send(request("POST", f"/v1/feeds/{facet}{query}", lines, body))

    async def get(self, path: str) -> Answer:
        """GET with the bearer key."""
        return await self.house.send(request("GET", path, (self.bearer.strip(),)))

    async def done(self, answer: Answer) -> dict[str, Any]:
        """The feed that a 202 promised, once it is finished."""
        assert answer.status == 202, answer.body
        place = answer.headers["location"]
        found: dict[str, Any] = {}

        async def is_finished() -> bool:
            found.update((await self.get(place)).json)
            return found["finished_at"] is not None

        await eventually(is_finished)
        return found

    async def report(self, feed: dict[str, Any]) -> list[dict[str, Any]]:
        """The rows of its report about what was not taken."""
        _, _, body = await Vendor(self.house.program.url, self.keys).request("GET", feed["links"]["report"])
        return [row for row in map(orjson.loads, body.splitlines()) if row["issues"]]

    async def left(self) -> Left:
        """What is really there of it."""
        return await self.house.left_by(self.name)

    async def refused(
        self, bad: Mapping[str, bytes], good: bytes, *, facet: str = "price", content_type: str = NDJSON
    ) -> dict[str, list[tuple[str, str]]]:
        """Push bad records, each between good ones: by their names, code and pointer of what was wrong with each.

        good: a record without `sku` and braces. Sees to it that the good ones came through, each under its own sku,
        and that the bytes of the bad ones were kept, and nothing else.
        """
        records = [b'{"sku":"good-0",%b}' % good]
        for number, raw in enumerate(bad.values(), 1):
            records += [raw, b'{"sku":"good-%d",%b}' % (number, good)]
        body = b"\n".join(records) if content_type == NDJSON else b"[%b]" % b",\n".join(records)
        feed = await self.done(await self.push(body, facet=facet, content_type=content_type))
        assert feed["items"] == {"normalized": len(bad) + 1, "rejected": len(bad)}
        rows, left = await self.report(feed), await self.left()
        assert [row["line"] for row in rows] == list(range(2, len(records) + 1, 2))
        assert [letter["original"] for letter in left.letters] == list(bad.values())
        assert [item["sku"] for item in left.items] == [f"good-{number}" for number in range(len(bad) + 1)]
        return {
            name: [(issue["code"], issue["path"]) for issue in row["issues"]]
            for name, row in zip(bad, rows, strict=True)
        }


async def connect(url: str) -> Wire:
    """A connection to a program; the caller closes it."""
    host, port = url.removeprefix("http://").split(":")
    return Wire(*await asyncio.open_connection(host, int(port)))


async def send(url: str, *parts: str | bytes) -> Answer:
    """Send on a connection of its own; the answer."""
    wire = await connect(url)
    try:
        await wire.send(*parts)
        return await wire.answer()
    finally:
        await wire.close()


def request(method: str, path: str, headers: Iterable[str], body: bytes = b"") -> bytes:
    """A request in one piece. headers: lines without their CR LF."""
    lines = (f"{method} {path} HTTP/1.1", "Host: gateway", f"Content-Length: {len(body)}", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "Connection: close", "")).encode() + body


@pytest.fixture(scope="package")
async def house(engines: Engines, template: str) -> AsyncIterator[House]:
    """One program for all tests of the package; its suppliers keep them apart."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(fresh_database(engines, template))
        prefix = await stack.enter_async_context(fresh_prefix(engines))
        environment = {"MALLGATE_MAX_BODY_BYTES": str(MAX_BODY)}
        bootstrap = engines.kafka_bootstrap
        program = await stack.enter_async_context(running(bootstrap, database, prefix, environment=environment))
        await program.started()
        reading = await asyncpg.connect(database)
        stack.push_async_callback(reading.close)
        consumer = AIOKafkaConsumer(**client_options(bootstrap), enable_auto_commit=False)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        partitions = [part for parts in (await partitions_under(bootstrap, prefix)).values() for part in parts]
        consumer.assign(partitions)
        consumer.pause(*partitions)
        await consumer.seek_to_beginning()
        yield House(program, bootstrap, database, prefix, reading, Tail(consumer, prefix))


@pytest.fixture
async def shop(house: House) -> Shop:
    """A supplier of the test's own."""
    return await house.shop()
