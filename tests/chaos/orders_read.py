"""What there is of orders, read from outside: offsets all through a run, topics, tables and logs at its end."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg
import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT, Command
from gateway.embedded import Engines
from gateway.kafka import client_options
from schemas.deadletters import DLQ_ID, DLQ_STAGE
from tests.chaos.ending import rows
from tests.chaos.fleet import Fleet
from tests.chaos.ledgers import API, FETCHES, HOOK, Ledgers
from tests.chaos.recorder import Recorder
from tests.history.conversation_recorded import CANCEL_SERVICE, REQUEST, SERVICE
from tests.reader import Entry, read_topics

ORDERS = "mall.orders."
DEADLETTERS = "gateway.deadletters."
"""Prefixes of the topics that are read; all are of version 1."""

COMMANDS, GROUP = "mall.orders.commands.v1", "gateway.relay"

EVERY = 3.0
"""Seconds between two looks at offsets, beside those when a program has ended."""

LOOK = 5.0
"""Seconds that a look may take; Kafka or PostgreSQL may be away."""

WRITES = (SUBMIT, CONFIRM, CANCEL)
CALLED = {**dict.fromkeys((*WRITES, REQUEST), "natural"), **dict.fromkeys((SERVICE, CANCEL_SERVICE), "query")}
BY_MESSAGE = dict.fromkeys((*WRITES, REQUEST, SERVICE, CANCEL_SERVICE), "key")

SUPPLIERS: Sequence[Mapping[str, Any]] = (
    {"name": API, "idempotency": CALLED, "settle": 7.0},
    {"name": FETCHES, "idempotency": BY_MESSAGE, "settle": 0.0},
    {"name": HOOK, "idempotency": BY_MESSAGE, "settle": 0.0},
)
"""VOP knows an order, and an application, by our number for good, says when an order was confirmed or cancelled before,
and has to be asked about a service; a message keeps its id.

Settled is what was begun when a lease of 4 s and a call of 3 s have run out.
"""

STAGES = ("commands", "relay", "order_events", "order_rereads")
"""Where a dead letter is about orders."""

STORED = "SELECT partition, next FROM source_offsets WHERE topic = $1"

STEPS = """
    SELECT id, supplier, order_no, command_id, extract(epoch FROM at)::float8 AS at, kind, facts
      FROM order_steps ORDER BY id
"""

KEPT = """
    SELECT command_id, supplier, order_no, operation, place, state, attempt, partition, "offset" FROM commands
     WHERE contract_no IS NULL
"""

LETTERS = """
    SELECT id::text, stage, code, partition, "offset", original FROM dead_letters WHERE stage = ANY($1::text[])
       AND position('"contract' in convert_from(original, 'LATIN1')) = 0
"""


class OffsetLooks:
    """Looks where the commands topic stands, in Kafka and in the database, also whenever a program has just ended."""

    def __init__(self, engines: Engines, fleet: Fleet, recorder: Recorder) -> None:
        self._engines = engines
        self._fleet = fleet
        self._recorder = recorder

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(KafkaError, OSError, TimeoutError, asyncpg.PostgresError):
                async with asyncio.timeout(LOOK):
                    await look(self._engines, self._recorder)
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._fleet.ended.wait()
            self._fleet.ended.clear()


async def look(engines: Engines, recorder: Recorder) -> None:
    """Note where it stands. Kafka is asked first: what the database has then it had before, or later."""
    admin = AIOKafkaAdminClient(**client_options(engines.kafka_bootstrap))
    try:
        await admin.start()
        found = await admin.list_consumer_group_offsets(GROUP)
    finally:
        await admin.close()
    committed = {str(each.partition): place.offset for each, place in found.items() if each.topic == COMMANDS}
    stored = {str(row["partition"]): row["next"] for row in await rows(engines.database_url, STORED, COMMANDS)}
    recorder.record("order.offsets", committed=committed, stored=stored)


class OrdersRead:
    """Writes down everything about orders, once nothing happens any more."""

    def __init__(self, engines: Engines, fleet: Fleet, recorder: Recorder) -> None:
        self._engines = engines
        self._fleet = fleet
        self._recorder = recorder

    async def write_down(
        self,
        placed: Sequence[Command],
        ledgers: Ledgers,
        others: Collection[str | None],
        *,
        reached: bool,
        waiting: Sequence[str],
    ) -> None:
        """placed: by the journals of the cores; others: tokens of whoever else called the supplier.

        reached, waiting: whether it came to its end, and what it waits for.
        """
        for supplier in SUPPLIERS:
            self._recorder.record("order.supplier", **supplier)
        topics = await read_topics(self._engines.kafka_bootstrap, ORDERS)
        for command in [*placed, *_others(topics["commands.v1"], placed)]:
            self._recorder.record("order.placed", value=command.value.decode())
        self._topics(topics)
        self._notes(ledgers, others)
        await self._tables()
        await self._exports()
        await look(self._engines, self._recorder)
        ends = Counter(str(entry.partition) for entry in topics["commands.v1"])
        self._recorder.record("order.quiet", reached=reached, waiting=waiting, ends=ends)

    def _notes(self, ledgers: Ledgers, others: Collection[str | None]) -> None:
        """What suppliers wrote down themselves, and programs logged."""
        for effect in ledgers.effects(others):
            self._recorder.record("order.effect", **asdict(effect))
        for call in ledgers.calls(others):
            self._recorder.record("order.call", call=call)
        for opened in breakers(program.log for program in self._fleet.programs):
            self._recorder.record("order.breaker", breaker=opened)

    def _topics(self, topics: Mapping[str, Sequence[Entry]]) -> None:
        for entry in topics["commands.v1"]:
            place = {"partition": entry.partition, "offset": entry.offset}
            self._recorder.record("order.record", **place, key=_coded(entry.key), value=_coded(entry.value))
        for entry in topics["events.v1"]:
            place = {"partition": entry.partition, "offset": entry.offset}
            key, content = (entry.key or b"").decode(), orjson.loads(entry.value or b"null")
            self._recorder.record("order.event", ce_id=entry.ce_id, key=key, **place, content=content)

    async def _tables(self) -> None:
        for row in await rows(self._engines.database_url, STEPS):
            self._recorder.record("order.step", step={**row, "facts": orjson.loads(row["facts"])})
        for row in await rows(self._engines.database_url, KEPT):
            self._recorder.record("order.kept", **row)
        for row in await rows(self._engines.database_url, LETTERS, STAGES):
            self._recorder.record("order.letter", **{**row, "original": _coded(row["original"])})

    async def _exports(self) -> None:
        topics = await read_topics(self._engines.kafka_bootstrap, DEADLETTERS)
        for entry in topics["v1"]:
            if entry.headers[DLQ_STAGE].decode() in STAGES and b'"contract' not in (entry.value or b""):
                self._recorder.record("order.export", id=entry.headers[DLQ_ID].decode(), value=_coded(entry.value))


def _others(records: Sequence[Entry], placed: Sequence[Command]) -> Iterator[Command]:
    """Commands on the topic that no core placed, each once: somebody wrote them who has to be answered as well."""
    known = {command.id for command in placed}
    for record in records:
        try:
            content = orjson.loads(record.value or b"")
        except orjson.JSONDecodeError:
            continue
        if not isinstance(content, dict) or content.get("operation") in (REQUEST, SERVICE, CANCEL_SERVICE):
            continue  # those are noted by whoever asks beside orders
        if content.get("command_id") not in known | {None}:
            known.add(content["command_id"])
            yield Command(record.value or b"", content)


def breakers(programs: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Each time that one opened, by what all programs logged."""
    logs = [[line for line in log if "timestamp" in line] for log in programs]
    taken = [
        (number, _at(line))
        for number, log in enumerate(logs)
        for line in log
        if line["event"] == "lease.taken" and line["lease"] == f"session {API}"
    ]
    for number, log in enumerate(logs):
        told = [line for line in log if str(line["event"]).startswith("breaker.") and line["supplier"] == API]
        for place, line in enumerate(told):
            if line["event"] == "breaker.opened":
                at, call = _at(line), line["operation"]
                later = [_at(each) for each in told[place + 1 :] if each["operation"] == call]
                later += [since for owner, since in taken if owner != number and since > at]
                ended = min(later, default=at + line["seconds"])
                yield {"supplier": API, "call": call, "at": at, "seconds": line["seconds"], "ended": ended}


def _at(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def _coded(content: bytes | None) -> str:
    return b64encode(content or b"").decode()
