"""The feeds stage on real engines, driven step by step."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import PolicyViolationError
from aiokafka.structs import TopicPartition

from gateway.deadletters import Replays
from gateway.embedded import Engines
from gateway.feeds.admit import Admission, Receipt, Submission
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import Chunker, ChunkHead, ChunkSpan, Lane, Mode, RawRecord, encode, head_to_headers
from gateway.feeds.contents import Contents
from gateway.feeds.deferred import DeferredChunks
from gateway.feeds.finish import Finisher
from gateway.feeds.holds import Holds
from gateway.feeds.keeper import Keeper
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.process import ChunkProcessor, Step
from gateway.feeds.profile import Profiles
from gateway.feeds.repair import Repairs
from gateway.feeds.replay import FeedReplays
from gateway.feeds.report import FeedStatus, Reports
from gateway.feeds.runs import Page, Run, Runs, pack
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.source_offsets import LANE_TOPIC, end_offsets, starting_offsets
from gateway.feeds.withdraw import Withdrawer
from gateway.kafka import EXPRESS, PRICES, TOPICS, Bus, Message, Partition, Position, Producer, Record, client_options
from gateway.registry import Registry
from gateway.sdk.exchange import Exchange
from gateway.store import Pool, transaction
from gateway.store.outage import retrying_while_unavailable
from gateway.suppliers import SecretBox, SupplierCache, SupplierConfig, Suppliers
from gateway.suppliers.config import Brakes
from schemas.bootstrap import TableBootstrap
from schemas.catalog import Facet
from tests.eventually import eventually
from tests.history import last_is_newest
from tests.reader import Books, Entry, read_books, read_topics

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=8)))
SUPPLIER = "acme"
REJECTED_BYTES = 2**30
SEAL = ChunkSeal(bytes(32))
EVERYTHING = tuple(Facet)


def price(sku: str, amount: str, **more: Any) -> bytes:
    """A price record in the native format."""
    return orjson.dumps({"sku": sku, "price": amount, **more})


def submission(
    feed_no: int,
    lines: Sequence[bytes],
    *,
    key: str | None = None,
    mode: Mode = Mode.UPSERT,
    facet: Facet = Facet.PRICE,
) -> Submission:
    """What intake hands over of a body with these lines."""
    chunker, finished = Chunker(), []
    for number, line in enumerate(lines, start=1):
        finished.append(chunker.add(number, line))
    values = [value for value in (*finished, chunker.finish()) if value is not None]
    spans, first = [], 0
    for number, (value, records) in enumerate(values):
        spans.append(ChunkSpan(number, 0, len(value), first, records))
        first += records
    body = b"\n".join(lines)
    return Submission(
        feed_no=feed_no,
        supplier=SUPPLIER,
        revision=1,
        facet=facet,
        mode=mode,
        idempotency_key=key,
        body_sha256=hashlib.sha256(body).digest(),
        size=len(body),
        records=len(lines),
        chunks=spans,
        payload=lambda span: values[span.chunk_no][0],
        received_at=NOON,
    )


def answered(asked: Sequence[str] | None = None, /, **amounts: str) -> bytes:
    """An exchange of the adapter `fetched`: the price that it answered with for each sku; None: asked about those."""
    rows = orjson.dumps({sku: {"price": amount} for sku, amount in amounts.items()})
    return Exchange(tuple(amounts) if asked is None else tuple(asked), {"rows": rows}).encode()


@dataclass
class Workshop:
    """One process's feeds stage without its loops. touched: feeds that its finisher was told of."""

    engines: Engines
    database: str
    prefix: str
    pool: Pool
    bus: Bus
    producer: Producer
    suppliers: Suppliers
    profiles: Profiles
    touched: list[int] = field(default_factory=list)

    async def _touched(self, feed_no: int) -> None:
        self.touched.append(feed_no)

    @property
    def producers(self) -> dict[Lane, Producer]:
        return dict.fromkeys(Lane, self.producer)

    @property
    def processor(self) -> ChunkProcessor:
        return self.processor_with(SEAL)

    def processor_with(self, seal: ChunkSeal) -> ChunkProcessor:
        """One of a process with other secret keys."""
        return ChunkProcessor(
            self.pool, Applier(self.producers), self.profiles, seal, self._touched, rejected_bytes=REJECTED_BYTES
        )

    @property
    def admission(self) -> Admission:
        return Admission(self.pool, self.producers, FeedNumbers(self.pool), SEAL, self._touched)

    @property
    def runs(self) -> Runs:
        return Runs(self.pool, self.producer, self.admission, SEAL, self._touched)

    @property
    def finisher(self) -> Finisher:
        return Finisher(self.pool)

    @property
    def withdrawer(self) -> Withdrawer:
        return Withdrawer(self.pool, self.producer)

    @property
    def holds(self) -> Holds:
        return Holds(self.pool, Contents(self.bus, self.pool, self.profiles, SEAL), lambda: None)

    @property
    def reports(self) -> Reports:
        return Reports(self.pool)

    @property
    def deferred(self) -> DeferredChunks:
        return DeferredChunks(self.pool, self.bus, self.processor, self._touched)

    async def push(
        self, *lines: bytes, key: str | None = None, mode: Mode = Mode.UPSERT, facet: Facet = Facet.PRICE
    ) -> Receipt:
        """Admit a feed of these records."""
        number = await self.admission.next_feed_no()
        return await self.admission.admit(submission(number, lines, key=key, mode=mode, facet=facet))

    async def waiting(self) -> list[Record]:
        """The chunks on the feeds topics that have not been taken."""
        ends = await end_offsets(self.bus, LANE_TOPIC.values())
        found: list[Record] = []
        for partition, start in (await starting_offsets(self.pool, self.bus, list(ends))).items():
            if start < ends[partition]:
                async for records in self.bus.scan(*partition, start, ends[partition]):
                    found += records
        return found

    async def work(self) -> None:
        """Take everything that waits on the feeds topics, then finish what is whole; as the loops would, patiently."""
        async for attempt in retrying_while_unavailable():
            with attempt:
                for record in await self.waiting():
                    assert await self.processor.process(record) is Step.TAKEN
                await self.finisher.sweep()

    async def withdraw(self) -> None:
        """Withdraw until nothing is left to be."""
        withdrawer = self.withdrawer
        while await withdrawer.round():
            pass

    async def fed(self, *lines: bytes, key: str | None = None, mode: Mode = Mode.UPSERT) -> int:
        """Push a feed and see it to its end; its number."""
        receipt = await self.push(*lines, key=key, mode=mode)
        await self.work()
        return receipt.feed_no

    async def next_run(self) -> Run:
        """A run whose first question is about to leave."""
        return Run(await self.admission.next_feed_no(), SUPPLIER, 1, Facet.PRICE, NOON)

    async def opened(self) -> Run:
        """A run that has begun."""
        run = await self.next_run()
        async with transaction(self.pool) as connection:
            await self.runs.open(connection, run)
        return run

    async def next_page(self, *exchanges: bytes) -> Page:
        """A page whose question leaves now, with what it will be answered."""
        return Page(await self.admission.next_feed_no(), NOON, pack(exchanges))

    async def close(self, run: Run, chunks: int, *, records: int = 0, flaw: str | None = None) -> None:
        """End a run of so many chunks and see it to its end."""
        async with transaction(self.pool) as connection:
            await self.runs.close(connection, run, chunks=chunks, records=records, flaw=flaw)
        await self.runs.closed(run)
        await self.work()

    async def chunk(
        self, feed_no: int, *lines: bytes, mode: Mode = Mode.UPSERT, seal: ChunkSeal | None = SEAL, **head: Any
    ) -> Record:
        """A chunk put on the express topic as it was read from there. seal: None for a chunk without one."""
        written = replace(ChunkHead(SUPPLIER, feed_no, 0, 0, Facet.PRICE, mode, Lane.EXPRESS, 1, NOON), **head)
        value = encode(RawRecord(number, line) for number, line in enumerate(lines, start=1))
        headers = seal.headers(written, value) if seal else head_to_headers(written)
        [position] = await self.producer.send([Message(EXPRESS, None, value, headers, 0)])
        await starting_offsets(self.pool, self.bus, [Partition(EXPRESS, 0)])
        record = await self.bus.read(EXPRESS, *position)
        assert record is not None
        return record

    async def append(self, *entries: Entry | Message) -> list[Position]:
        """Append records as a broker would that wakes with old batches in its hands: by another producer, unasked."""
        producer = AIOKafkaProducer(**client_options(self.engines.kafka_bootstrap))
        await producer.start()
        positions = []
        try:
            for each in entries:
                headers = list(each.headers.items() if isinstance(each, Entry) else each.headers)
                acked = await producer.send_and_wait(
                    self.prefix + each.topic, each.value, each.key, partition=each.partition, headers=headers
                )
                positions.append(Position(acked.partition, acked.offset))
        finally:
            await producer.stop()
        return positions

    async def books(self) -> Books:
        return await read_books(self.database)

    async def prices(self) -> list[Entry]:
        """Every record of the prices topic."""
        return (await read_topics(self.engines.kafka_bootstrap, self.prefix, [PRICES]))[PRICES]

    async def last(self, sku: str) -> tuple[int, str | None]:
        """Version and amount that the prices topic ends on for a sku."""
        entry = [each for each in await self.prices() if each.key == f"{SUPPLIER}:{sku}:*".encode()][-1]
        return entry.version, orjson.loads(entry.value)["agreement_price"] if entry.value else None

    async def state(self, sku: str) -> dict[str, Any]:
        """What `feed_state` says of one price."""
        [row] = [row for row in (await self.books()).keys if row["sku"] == sku]
        return row

    async def feed(self, feed_no: int) -> FeedStatus:
        """How a feed stands."""
        found = await self.reports.feed(feed_no, None)
        assert found is not None
        return found

    async def on_sale(self) -> dict[str, str]:
        """What a program of the mall core has after reading the whole prices topic: amounts by sku."""
        table = TableBootstrap({}, orjson.loads)
        for entry in await self.prices():
            table.take(entry.key or b"", entry.headers.items(), entry.value)
        return {each["sku"]: each["agreement_price"] for each in table.values()}

    async def is_true(self) -> bool:
        """Whether the prices topic ends on what the states say, key by key."""
        return not last_is_newest(await self.prices(), await self.books())

    def replays(self) -> Replays:
        """Replays of the dead letters of this stage."""
        applier = Applier(self.producers)
        feeds = FeedReplays(applier, self.producer, self.profiles, SupplierCache(self.pool), SEAL)
        return Replays(self.pool, feeds.handlers(), feeds.predictors(), owner="tests")

    async def brake(self, withdraw: float) -> None:
        """Declare another brake of the supplier."""
        await self.suppliers.apply([config(brakes=Brakes(withdraw=withdraw))], "tests")

    async def execute(self, statement: str, *arguments: object) -> None:
        """Change the tables behind the gateway's back."""
        async with transaction(self.pool) as connection:
            await connection.execute(statement, *arguments)

    @asynccontextmanager
    async def keeping(self) -> AsyncIterator[asyncio.Task[None]]:
        """A keeper at work for the length of the block; what ends it fails the block."""
        repairs = Repairs(self.pool, self.producer, Contents(self.bus, self.pool, self.profiles, SEAL))
        keeper = Keeper(self.bus, self.pool, repairs, busy=lambda: False)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(keeper.run())
            yield task
            keeper.stop()


async def cut(workshop: Workshop, topic: str, position: Position) -> None:
    """Have a topic hold nothing up to this record, as retention and compaction bring about in time."""
    admin = AIOKafkaAdminClient(**client_options(workshop.engines.kafka_bootstrap))
    await admin.start()
    name = workshop.prefix + topic
    target = {TopicPartition(name, position.partition): RecordsToDelete(before_offset=position.offset + 1)}

    async def deleted() -> bool:
        with suppress(PolicyViolationError):  # until the broker has heard of the other policy
            await admin.delete_records(target)
            return True
        return False

    try:
        # Kafka deletes nothing at once from a topic that is only compacted.
        for policy in ("delete", TOPICS[topic].policy):
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": policy})])
            if policy == "delete":
                await eventually(deleted)
    finally:
        await admin.close()


def config(*, adapter: str = "native", **more: Any) -> SupplierConfig:
    """The supplier's configuration."""
    return SupplierConfig(
        supplier=SUPPLIER, name="Acme", adapter=adapter, facets=EVERYTHING, periods={Facet.PRICE: 86_400}, **more
    )


@asynccontextmanager
async def open_workshop(
    engines: Engines, database: str, prefix: str, pool: Pool, bus: Bus, *, adapter: str = "native"
) -> AsyncIterator[Workshop]:
    """A workshop with one supplier that feeds every facet and says that prices hold a day.

    adapter: of the gateway's own or of `tests.adapters`.
    """
    suppliers = Suppliers(pool, SecretBox(b"\x07" * 32))
    await suppliers.apply([config(adapter=adapter)], "tests")
    async with bus.producer("tests") as producer:
        registry = Registry() if adapter == "native" else Registry("tests.adapters", "mallgate.tests")
        yield Workshop(engines, database, prefix, pool, bus, producer, suppliers, Profiles(suppliers, registry))
