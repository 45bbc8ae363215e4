"""Kafka, PostgreSQL or the disk away: a 503 that says when to come back, no word that was not kept, accepted once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from gateway.embedded import Engines, open_engines
from gateway.embedded.engine import Engine
from tests.disks import on_a_disk_of
from tests.integration.bad_input.conftest import request, send
from tests.program import Program, running
from tests.reader import PRICES, read_books, read_topics
from tests.vendor import NDJSON, Keys, Vendor, declared
from tests.wire import Answer

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(120)]

MIB = 1024 * 1024
PRODUCTS = "mall.catalog.products.v1"

LINES = [b'{"sku":"A-%d","price":"9.90"}' % number for number in range(3)]

LARGE = [orjson.dumps({"sku": f"A-{number}", "name": "x", "packing_list": "x" * 190_000}) for number in range(20)]
"""Records of almost 4 MiB, few of them: more than is kept in memory."""


@dataclass(frozen=True)
class Frail:
    """Engines that a test may stop, and a program on them."""

    engines: Engines
    program: Program

    async def feeds(self, supplier: str) -> list[str]:
        """States of a supplier's feeds."""
        books = await read_books(self.engines.database_url)
        return [feed["state"] for feed in books.feeds if feed["supplier"] == supplier]

    async def published(self, supplier: str) -> list[bytes]:
        """Keys of a supplier's records on the prices topic."""
        entries = (await read_topics(self.engines.kafka_bootstrap, names=[PRICES]))[PRICES]
        return sorted(entry.key or b"" for entry in entries if entry.headers["gw-supplier"] == supplier.encode())


@pytest.fixture(scope="module")
async def frail(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Frail]:
    """Engines and a program of this module's own."""
    async with (
        open_engines(tmp_path_factory.mktemp("frail")) as engines,
        running(engines.kafka_bootstrap, engines.database_url, "") as program,
    ):
        await program.started()
        yield Frail(engines, program)


async def push(url: str, keys: Keys, lines: list[bytes], facet: str = "price") -> Answer:
    """Always under the same key, in the bytes of `Vendor.push`."""
    headers = (f"Authorization: Bearer {keys.bearer}", f"Content-Type: {NDJSON}", "Idempotency-Key: k-1")
    return await send(url, request("POST", f"/v1/feeds/{facet}", headers, b"\n".join(lines) + b"\n"))


def refused(answer: Answer, code: str) -> None:
    """A 503 that says why, when to come back, and nothing about our hosts."""
    assert answer.problem == (503, code)
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json["retryable"] is True
    assert b"127.0.0.1" not in answer.body
    assert answer.headers.get("location", "").removeprefix("/v1/feeds/") == answer.json.get("feed", "")


@pytest.mark.parametrize(
    ("name", "code", "left"), [("kafka", "kafka_unavailable", ["incomplete"]), ("postgres", "store_unavailable", [])]
)
async def test_while_an_engine_is_away_nothing_is_promised(frail: Frail, name: str, code: str, left: list[str]) -> None:
    url, supplier = frail.program.url, f"without-{name}"
    keys = await declared(frail.program.admin_url, supplier)
    vendor = Vendor(url, keys)
    engine: Engine = getattr(frail.engines, name)
    await engine.stop()
    try:
        first, second = await asyncio.gather(*(push(url, keys, LINES) for _ in range(2)))
    finally:
        await engine.start()
    # Of two at once under one key, the later may also be told that the first still runs.
    problems = {answer.problem for answer in (first, second)}
    assert (503, code) in problems
    assert problems <= {(503, code), (409, "idempotency_in_progress")}
    told = first if first.status == 503 else second
    refused(told, code)
    assert (await frail.feeds(supplier), await frail.published(supplier)) == (left, [])
    taken = await vendor.push_until_taken(LINES, key="k-1")
    await vendor.all_finished()
    again = await push(url, keys, LINES)
    assert (again.status, again.json["duplicate"], again.json["feed"]) == (202, True, str(taken.feed_no))
    assert again.json["items"] == {"normalized": len(LINES)}
    assert await frail.feeds(supplier) == ["done"]
    if name == "kafka":  # the feed was recorded: who was refused could have looked what became of it
        assert told.json["feed"] == str(taken.feed_no)
        assert (await vendor.request("GET", told.headers["location"]))[0] == 200
    else:
        assert told.json["detail"] == "Of this request nothing was accepted."
    assert await frail.published(supplier) == [b"%b:A-%d:*" % (supplier.encode(), number) for number in range(3)]


async def test_while_the_disk_is_full_nothing_is_promised(
    engines: Engines, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with running(
        engines.kafka_bootstrap,
        database,
        topic_prefix,
        environment={"MALLGATE_SPOOL_DIR": str(tmp_path)},
        wrapper=on_a_disk_of("16m", tmp_path),
    ) as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        ballast = Path(f"/proc/{program.process.pid}/root{tmp_path}/ballast")
        await asyncio.to_thread(ballast.write_bytes, bytes(14 * MIB))
        refused(await push(program.url, keys, LARGE, "product"), "store_unavailable")
        assert (await read_books(database)).feeds == []
        vendor = Vendor(program.url, keys)
        assert (await vendor.push(LINES, key="small", wait=20)).acked
        await asyncio.to_thread(ballast.unlink)
        taken = await push(program.url, keys, LARGE, "product")
        assert taken.status == 202
        await vendor.all_finished()
        again = await push(program.url, keys, LARGE, "product")
        assert (again.json["feed"], again.json["duplicate"]) == (taken.json["feed"], True)
    topics = await read_topics(engines.kafka_bootstrap, topic_prefix)
    assert (len(topics[PRODUCTS]), len(topics[PRICES])) == (len(LARGE), len(LINES))
