"""Wire record to canonical JSON and hash, in memory on one core, beside bare orjson loads and dumps of the record."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context

import orjson

from adapters.native import Adapter
from contrib.bench import goods
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage
from gateway.feeds.chunk import RawRecord
from gateway.feeds.normalise import Rejection, Rules, normalise_some
from gateway.feeds.process import batches
from gateway.sdk.adapter import Options
from schemas.catalog import Facet
from schemas.directories import CategoryMap

RECORDS = 2_000
"""Different records of one measurement: more than the caches of a processor hold twice."""

CASES = (
    (Facet.PRICE, goods.price, Budget(0.12, at_least=True)),
    (Facet.PRODUCT, goods.product, Budget(0.08, at_least=True)),
)

LEAST_PAIRS = 5

Pair = tuple[float, float]
"""Records per second: normalised, and bare."""


class RefusedError(Exception):
    """A benchmark's record is not what the gateway takes."""


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """A row per facet, each measured in a fresh process."""
    rows = []
    for facet, record, budget in CASES:
        pairs = await asyncio.get_running_loop().run_in_executor(_fresh(), partial(take, facet, record, plan.runs))
        runs = [{"normalise": ours, "orjson": bare} for ours, bare in pairs]
        rows.append(paired(f"normalise a {facet}, beside orjson", "records/s", pairs, budget, runs))
    return rows


def _fresh() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def take(facet: Facet, record: Callable[[int], bytes], runs: int) -> list[Pair]:
    """Interleaved pairs, each over all records. Raises RefusedError."""
    raws = [record(index) for index in range(RECORDS)]
    adapter, rules = Adapter(Options()), Rules(facet, datetime.now(UTC), CategoryMap({}))
    records = [RawRecord(line, raw) for line, raw in enumerate(raws, 1)]

    def ours() -> None:
        for batch in batches(records, products=facet is Facet.PRODUCT):  # as a chunk of a feed is normalised
            normalise_some(adapter, batch, rules)

    def bare() -> None:
        for raw in raws:
            orjson.dumps(orjson.loads(raw))

    _check(normalise_some(adapter, records, rules))
    gc.collect()
    return [(_rate(ours, 5), _rate(bare, 40)) for _ in range(max(runs, LEAST_PAIRS))]


def _rate(work: Callable[[], None], rounds: int) -> float:
    """Records per second over so many rounds."""
    started = time.perf_counter()
    for _ in range(rounds):
        work()
    return rounds * RECORDS / (time.perf_counter() - started)


def _check(results: Sequence[object]) -> None:
    for result in results:
        if isinstance(result, Rejection):
            raise RefusedError(result.issues)
