"""What tests of suppliers that are pulled ask of tables, topics and simulators, whatever was killed between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from contrib.simulators.jd_vop.simulator import Simulator
from gateway.store import connect
from tests.eventually import eventually
from tests.history import last_is_newest, repeats_are_the_same
from tests.integration.pulled.conftest import Ground
from tests.program import Program
from tests.pulling import TOPIC_OF, Operator, calls, differences, drop, row_of, truths
from tests.reader import read_topics

LEASE = {"MALLGATE_LEASE_SECONDS": "4"}
"""Environment of programs whose suppliers are taken over soon."""

CODES = {"product": "p", "price": "$", "stock": "s", "listing": "l"}

AT_ONCE = 2
"""Questions that are under way at once, so that some of a facet have not been asked when the first is answered."""

RUNS = """
    SELECT f.feed_no, f.supplier, f.facet, f.state, f.flaw, f.withdrawn, f.chunks, f.records,
           count(c.chunk_no) AS whole, coalesce(sum(c.records), 0) AS found
      FROM feeds f LEFT JOIN feed_chunks c USING (feed_no)
     WHERE f.origin = 'sweep'
     GROUP BY f.feed_no
     ORDER BY f.feed_no
"""


def slow_row(simulator: Simulator, **changes: Any) -> dict[str, Any]:
    """The row of a supplier that is asked few questions at once."""
    row = row_of(simulator, **changes)
    return {**row, "http": {**row["http"], "concurrency": AT_ONCE}}


async def rows(ground: Ground, query: str, *arguments: object) -> list[dict[str, Any]]:
    """What a query finds in the program's tables."""
    async with connect(ground.database, name="tests") as connection:
        return [dict(row) for row in await connection.fetch(query, *arguments)]


async def runs(ground: Ground, supplier: str = "jd") -> dict[str, list[dict[str, Any]]]:
    """The sweeps of a supplier so far, oldest first, by facet."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in await rows(ground, RUNS):
        if row["supplier"] == supplier:
            found.setdefault(row["facet"], []).append(row)
    return found


def unsound(by_facet: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Runs that are not done without a flaw, or whose chunks and records do not add up."""
    wrong = []
    for facet, found in by_facet.items():
        for run in found:
            if (run["state"], run["flaw"]) != ("done", None):
                wrong.append(f"{facet} {run['feed_no']} is {run['state']}: {run['flaw']}")
            if (run["chunks"], run["records"]) != (run["whole"], run["found"]):
                wrong.append(f"{facet} {run['feed_no']}: {run['whole']} chunks, {run['found']} records of {run}")
    return wrong


async def judged(ground: Ground, simulator: Simulator, supplier: str = "jd") -> list[str]:
    """Everything that is wrong: with the history on the topics, with the runs, with what the topics say by now."""
    topics = await read_topics(ground.engines.kafka_bootstrap, ground.prefix, [*TOPIC_OF.values()])
    books = await ground.books()
    wrong = unsound(await runs(ground, supplier)) + await ground.wrong(simulator, supplier)
    for facet, topic in TOPIC_OF.items():
        wrong += last_is_newest(topics[topic], books, CODES[facet]) + repeats_are_the_same(topics[topic])
    return wrong + [f"dead letter: {letter}" for letter in books.letters]


async def wrong_for_buyers(ground: Ground, simulator: Simulator) -> list[str]:
    """Where the topics do not say what is so; goods not offered any more are off the shelf until a sweep."""
    records = await ground.latest()
    told = {sku: orjson.loads(entry.value) for sku, entry in records["listing"].items() if entry.value is not None}
    off = {sku for sku, listing in told.items() if listing["shelf"] == "off"} - truths(simulator).keys()
    kept = {facet: {sku: each[sku] for sku in each.keys() - off} for facet, each in records.items()}
    return differences(kept, truths(simulator))


def questions(simulator: Simulator) -> Counter[tuple[str, str]]:
    """How often each question about goods was asked: operation and skus."""
    asked: Counter[tuple[str, str]] = Counter()
    for call in calls(simulator):
        skus = next((call["form"][name] for name in ("sku", "skuIds", "skuNums") if name in call["form"]), None)
        if skus is not None:
            asked[call["operation"], skus] += 1
    return asked


def repeated(simulator: Simulator) -> Counter[str]:
    """How many questions were asked again, by operation."""
    again: Counter[str] = Counter()
    for (operation, _), count in questions(simulator).items():
        if count > 1:
            again[operation] += count - 1
    return again


def tokens(simulator: Simulator) -> int:
    """How often a token was asked for."""
    return sum(call["operation"].startswith("oauth2/") for call in calls(simulator))


async def until_calls(simulator: Simulator, count: int) -> None:
    """Wait until the supplier was asked so often about goods."""

    async def holds() -> bool:
        return questions(simulator).total() >= count

    await eventually(holds, within=60)


async def pull_again(ground: Ground, operator: Operator, supplier: str = "jd") -> None:
    """Have all facets pulled once more, and wait for the end."""
    before = {facet: len(found) for facet, found in (await runs(ground, supplier)).items()}
    await operator.ask("POST", f"suppliers/{supplier}/pull", {})

    async def again() -> bool:
        now = await runs(ground, supplier)
        return all(len(now[facet]) > count and now[facet][-1]["state"] == "done" for facet, count in before.items())

    await eventually(again, within=60)
    await operator.until_finished()


def drop_some(simulator: Simulator, count: int = 5) -> list[str]:
    """The supplier stops offering a few goods and says nothing; which ones."""
    gone = sorted(truths(simulator))[:count]
    for sku in gone:
        drop(simulator, sku)
    return gone


async def withdrawn(ground: Ground, supplier: str = "jd") -> dict[str, list[str]]:
    """Skus whose last record is null, by facet."""
    records = await ground.latest(supplier)
    return {facet: sorted(sku for sku, entry in each.items() if entry.value is None) for facet, each in records.items()}


async def messages_taken(simulator: Simulator, operator: Operator) -> None:
    """Wait until the supplier's pool is empty for good, and what it asked for is done."""

    async def empty() -> bool:
        return not len(simulator.messages) and not simulator.messages.due

    await eventually(empty, within=60)
    await operator.until_finished("jd")


async def until_owner(program: Program, supplier: str = "jd", *, owner: bool = True, within: float = 60.0) -> None:
    """Wait until a program has logged that a supplier is its own; owner: or that it no longer is."""

    async def holds() -> bool:
        told = program.events("lease.taken" if owner else "lease.lost")
        return any(event["lease"] == f"session {supplier}" for event in told)

    await eventually(holds, within=within)


OWNED = "SELECT owner, count(*) AS suppliers FROM leases WHERE name LIKE 'session %' AND until > now() GROUP BY owner"


async def shares(ground: Ground) -> list[int]:
    """How many suppliers each process owns, most first."""
    return sorted((row["suppliers"] for row in await rows(ground, OWNED)), reverse=True)


async def until_shared(ground: Ground, *wanted: int) -> None:
    """Wait until the suppliers are shared so."""

    async def holds() -> bool:
        return await shares(ground) == [*wanted]

    await eventually(holds, within=60)
