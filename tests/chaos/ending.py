"""The end of a run: everything healed, quiet waited for, and what is there read by a separate reader."""

from __future__ import annotations

import asyncio
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncpg
import orjson

from gateway.embedded import Engines
from tests.chaos.contents import TOPICS, value_of
from tests.chaos.operators import Operator
from tests.chaos.recorder import Recorder
from tests.chaos.vendors import Follower
from tests.history import last_is_newest
from tests.reader import Entry, read_books, read_topics

WITHIN = 150.0
"""Seconds without any progress after which the end is not waited for any more."""

CODES = {"product": "p", "price": "$", "stock": "s", "listing": "l"}

# Requests that began feeds are all over: an hour passes for those that nobody will send again.
AGE = """
    UPDATE feeds SET touched_at = touched_at - interval '1 hour'
     WHERE origin <> 'sweep' AND state IN ('admitted', 'incomplete')
"""

UNDER_WAY = """
    SELECT feed_no, supplier, facet, mode, state FROM feeds
     WHERE origin = 'push' AND (state IN ('produced', 'withdrawing', 'held')
                                OR (state IN ('admitted', 'incomplete') AND feed_no = ANY($1)))
     ORDER BY feed_no
"""

UNSENT = "SELECT count(*) FROM outbox WHERE refused IS NULL"

STATES = """
    SELECT facet::text, supplier, sku, area, version, partition, "offset", hash IS NOT NULL AS accepted FROM feed_state
"""

AUDIT = "SELECT action, object FROM audit"

LETTERS = "SELECT stage, feed_no, record_index, original FROM dead_letters WHERE stage <> 'withdraw'"


async def rows(database: str, query: str, *arguments: object) -> list[dict[str, Any]]:
    """What a query finds, on a connection of its own."""
    connection = await asyncpg.connect(database)
    try:
        return [dict(row) for row in await connection.fetch(query, *arguments)]
    finally:
        await connection.close()


class Ending:
    """Brings one run to its end."""

    def __init__(self, engines: Engines, operator: Operator, followers: list[Follower], recorder: Recorder) -> None:
        self._engines = engines
        self._operator = operator
        self._followers = followers
        self._recorder = recorder

    async def reach(self, done: Callable[[], Awaitable[bool]]) -> None:
        """Wait until it is quiet, then write down what is there. done: whether whatever else had to end has."""
        await rows(self._engines.database_url, AGE)
        ended = await comes_to_hold(self._ended, self._waiting) and await comes_to_hold(done)
        quiet = await comes_to_hold(self._quiet)
        self._recorder.record("quiet", reached=ended, waiting=[*await self._waiting(), *([] if quiet else ["topics"])])
        for follower in self._followers:
            await follower.look(pages=1_000)
        await self._write_down()

    async def _ended(self) -> bool:
        await self._operator.decide_about_held(share=1.0)
        unsent = await rows(self._engines.database_url, UNSENT)
        return not await self._waiting() and unsent[0]["count"] == 0

    async def _waiting(self) -> list[str]:
        """Feeds that should have ended."""
        found = await rows(self._engines.database_url, UNDER_WAY, list(self._recorder.numbers))
        return [" ".join(map(str, row.values())) for row in found]

    async def _quiet(self) -> bool:
        """Whether the topics end on what the tables say."""
        topics = await read_topics(self._engines.kafka_bootstrap, names=[*TOPICS])
        books = await read_books(self._engines.database_url)
        return not any(last_is_newest(topics[topic], books, CODES[facet]) for topic, facet in TOPICS.items())

    async def _write_down(self) -> None:
        topics = await read_topics(self._engines.kafka_bootstrap)
        for topic, facet in TOPICS.items():
            for entry in topics[topic]:
                self._published(facet, entry)
        for entry in topics["mall.feeds.reports.v1"]:
            self._report(orjson.loads(entry.value or b"{}"))
        facets = {code: facet for facet, code in CODES.items()}
        for row in await rows(self._engines.database_url, STATES):
            key = [facets[row.pop("facet")], row.pop("supplier"), row.pop("sku"), row.pop("area")]
            self._recorder.record("state", key=key, **row)
        for row in await rows(self._engines.database_url, AUDIT):
            self._recorder.record("audit", action=row["action"], target=row["object"])
        for row in await rows(self._engines.database_url, LETTERS):
            original = row["original"].decode(errors="replace")
            number, index = row["feed_no"], row["record_index"]
            self._recorder.record("letter", stage=row["stage"], number=number, index=index, original=original)

    def _published(self, facet: str, entry: Entry) -> None:
        supplier, sku, *area = map(urllib.parse.unquote, (entry.key or b"").decode().split(":"))
        owner = entry.headers.get("gw-supplier", b"").decode()
        value = value_of(facet, entry.value)
        content = None if entry.value is None else entry.value.decode()
        record = [entry.partition, entry.offset, entry.version, entry.ce_id, value, content, owner]
        self._recorder.record("published", key=[facet, supplier, sku, (area or [""])[0]], record=record)

    def _report(self, report: dict[str, Any]) -> None:
        told = {member: report.get(member) for member in ("state", "counts", "withdrawn")}
        self._recorder.record("report", number=int(report["feed"]), **told)


async def _nothing() -> list[str]:
    return []


async def comes_to_hold(
    holds: Callable[[], Awaitable[bool]], waiting: Callable[[], Awaitable[list[str]]] = _nothing
) -> bool:
    """Whether it came to hold; given up once nothing has moved for too long in what it still waits for."""
    deadline, before = time.monotonic() + WITHIN, await waiting()
    while time.monotonic() < deadline:
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            if await holds():
                return True
            now = await waiting()
            if now != before:
                deadline, before = time.monotonic() + WITHIN, now
        await asyncio.sleep(1.0)
    return False
