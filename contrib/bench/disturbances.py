"""What one vendor, one row or one topic can do to a gateway without much work: each holds for the length of a block.

A disturbance yields how its parts are counted, by the kernel's, PostgreSQL's or the gateway's own word: what is not
there disturbs nobody. None is undone: a gateway that was disturbed is thrown away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TypeAlias

from aiokafka.admin import AIOKafkaAdminClient

from contrib.bench.program import DECLARATION, SUPPLIERS, Gateway
from contrib.bench.stalled import open_connections, stalled
from contrib.scratch import delete_topics
from gateway.kafka import LISTINGS, client_options
from gateway.store import connect

Counts: TypeAlias = Callable[[], Awaitable[dict[str, int]]]
Disturbance: TypeAlias = Callable[[Gateway, str], AbstractAsyncContextManager[Counts]]
"""Of a gateway whose large report is at a path."""

DISTURBER = SUPPLIERS[0]
READERS = 12
STALLED = 600
REJECTED = 20_000
"""Rows of the large report: some megabytes, of which no kernel takes all."""

PLANTED_SECONDS = 60.0
LOOK_SECONDS = 0.2

NEWER = "newer-vendor"
NEWER_COUNT = "SELECT count(*) FROM suppliers WHERE config ? 'a_newer_member'"

REFUSING = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$
"""
REFUSED_FEED = f"""
    CREATE TRIGGER poison BEFORE UPDATE ON feeds FOR EACH ROW
      WHEN (NEW.supplier = '{DISTURBER}' AND NEW.state = 'done') EXECUTE FUNCTION refuse()
"""
REFUSED_LETTER = """
    CREATE TRIGGER poison BEFORE UPDATE ON replay_items FOR EACH ROW
      WHEN (NEW.outcome IS NOT NULL) EXECUTE FUNCTION refuse()
"""
OF_A_NEWER_RELEASE = """
    UPDATE suppliers SET config = config || '{"a_newer_member": 1}', revision = revision + 1 WHERE supplier = $1
"""
ITS_REVISION = """
    INSERT INTO supplier_revisions (supplier, revision, config, actor)
    SELECT supplier, revision, config, 'bench' FROM suppliers WHERE supplier = $1
"""


class NotPlantedError(Exception):
    """A disturbance did not come to be."""


def rejected(count: int) -> bytes:
    """NDJSON of rows that are all rejected: an exponent is no price."""
    return b"".join(b'{"sku":"R%09d","price":"1e3"}\n' % index for index in range(count))


async def large_report(program: Gateway) -> str:
    """Have a feed of the disturber rejected row by row; the path of its report."""
    status = await program.push("price", rejected(REJECTED), supplier=DISTURBER, wait=60)
    return str(status["links"]["report"])


@asynccontextmanager
async def readers(program: Gateway, report: str) -> AsyncIterator[Counts]:
    """Clients that ask for a large report and read none of it."""
    async with stalled("reading", READERS, program.url, report, program.tokens[DISTURBER]) as child:
        yield partial(_connections, "stalled_readers", child.pid)


@asynccontextmanager
async def half_pushes(program: Gateway, _report: str) -> AsyncIterator[Counts]:
    """Connections of one vendor, each stopped within the head or the body of a push."""
    async with stalled("pushing", STALLED, program.url, "/v1/feeds/price", program.tokens[DISTURBER]) as child:
        yield partial(_connections, "stalled_pushes", child.pid)


async def _connections(name: str, pid: int) -> dict[str, int]:
    return {name: await asyncio.to_thread(open_connections, pid)}


@asynccontextmanager
async def poison(program: Gateway, _report: str) -> AsyncIterator[Counts]:
    """One row for each of three jobs: a feed not to be closed, a letter not to be replayed, a supplier not to be read.

    Raises NotPlantedError when the gateway has not met them in time.
    """
    await program.admin.post("suppliers", "apply", body={"suppliers": {NEWER: DECLARATION}})
    letters = (await program.admin.get("deadletters", supplier=DISTURBER, limit=1))["letters"]
    async with connect(program.place.database, name="bench") as connection:
        for statement in (REFUSING, REFUSED_FEED, REFUSED_LETTER):
            await connection.execute(statement)
        await connection.execute(OF_A_NEWER_RELEASE, NEWER)
        await connection.execute(ITS_REVISION, NEWER)
    await program.push("price", b'{"sku":"P","price":"1.00"}', supplier=DISTURBER)
    selection = {"ids": [letter["id"] for letter in letters]}
    job = await program.admin.post("replays", body={"reason": "a benchmark", "selection": selection})
    await program.admin.post("replays", job["id"], "start", body={})
    counts = partial(_planted, program)
    await _until(counts, {"finish": 1, "replay_letter": 1, "rows_of_a_newer_release": 1})
    yield counts


async def _planted(program: Gateway) -> dict[str, int]:
    async with connect(program.place.database, name="bench") as connection:
        newer = await connection.fetchval(NEWER_COUNT)
    return {**await set_aside(program), "rows_of_a_newer_release": newer}


async def set_aside(program: Gateway) -> dict[str, int]:
    """Units that the gateway has set aside, by loop."""
    async with program.session.get(f"{program.probes_url}/metrics", raise_for_status=True) as response:
        return aside_in(await response.text())


def aside_in(metrics: str) -> dict[str, int]:
    """The same, of what the gateway tells of itself."""
    found: dict[str, int] = {}
    for line in metrics.splitlines():
        if line.startswith('mallgate_units_set_aside{loop="'):
            name, _, value = line.removeprefix('mallgate_units_set_aside{loop="').partition('"} ')
            if int(float(value)):
                found[name] = int(float(value))
    return found


async def _until(counts: Counts, wanted: Mapping[str, int]) -> None:
    latest = time.monotonic() + PLANTED_SECONDS
    while True:
        found = await counts()
        if all(found.get(name, 0) >= least for name, least in wanted.items()):
            return
        if time.monotonic() > latest:
            raise NotPlantedError(f"wanted {dict(wanted)}, found {found}")
        await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def lost_topic(program: Gateway, _report: str) -> AsyncIterator[Counts]:
    """The topic of listings is deleted, and one listing is on its way to it."""
    await delete_topics(program.place.bootstrap, f"{program.place.prefix}{LISTINGS}")
    counts = partial(_lost, program)
    await _until(counts, {"topics_lost": 1})
    await program.push("listing", b'{"sku":"L","shelf":"on"}', supplier=DISTURBER)
    yield counts


async def _lost(program: Gateway) -> dict[str, int]:
    admin = AIOKafkaAdminClient(**client_options(program.place.bootstrap))
    try:
        await admin.start()
        topics = await admin.list_topics()
    finally:
        await admin.close()
    return {"topics_lost": int(f"{program.place.prefix}{LISTINGS}" not in topics), **await set_aside(program)}


DISTURBANCES: Mapping[str, Disturbance] = {
    f"{READERS} readers of a report that stop reading": readers,
    "a poison row per job": poison,
    "a deleted catalog topic": lost_topic,
    f"{STALLED} stalled connections of one vendor": half_pushes,
}
"""In the order in which all of them can be begun: pushes that stall leave their vendor no room for others."""


@asynccontextmanager
async def all_at_once(program: Gateway, report: str) -> AsyncIterator[Counts]:
    """Every one of them."""
    async with AsyncExitStack() as stack:
        begun = [await stack.enter_async_context(disturb(program, report)) for disturb in DISTURBANCES.values()]

        async def counts() -> dict[str, int]:
            return {name: count for each in begun for name, count in (await each()).items()}

        yield counts
