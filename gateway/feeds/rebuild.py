"""Republishing what a catalog topic has lost, a batch of keys at a time, under versions above all that were given.

The content of a key is read from the topic where its stored place still holds it, else made again from the archive of
raw chunks. Where it is nowhere its supplier is asked, if that is pulled; otherwise it has to push. Such a key is not
withdrawn, since the mall may hold it: it gets a hash of no content, so that the same content is published when it
comes, and a full feed that does not name it withdraws it as ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gateway.feeds import keys, rebuild_queries
from gateway.feeds.contents import Content, Contents, withdrawal
from gateway.feeds.message import PERISHABLE
from gateway.feeds.numbers import NEXT
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.reconciliation import Stored
from gateway.feeds.versions import version_of
from gateway.kafka import Producer
from gateway.store import Connection, Lease, Pool, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from schemas.catalog import Facet
from schemas.envelope import ItemKey

BATCH = 250
"""Keys published in one transaction; they are locked while Kafka acknowledges them."""

AskRereads = Callable[[Connection, str, Facet, Collection[str]], Awaitable[bool]]
"""Has a supplier asked again about skus of a facet, in this transaction; False: it is none that is asked."""

NO_CONTENT = b""
"""Hash of a key whose content is not known any more."""


@dataclass(frozen=True, slots=True)
class RebuildJob:
    """What a batch is part of. supplier: '' for all; rate: keys per second at most."""

    id: int
    facet: Facet
    supplier: str
    rate: float


class RebuildCounts(NamedTuple):
    """Keys by what became of them."""

    from_topic: int = 0
    from_archive: int = 0
    withdrawn: int = 0
    asked: int = 0
    missing: int = 0


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What keys are to end on. Keys that are in none of them have no content any more."""

    from_topic: Mapping[ItemKey, Content]
    from_archive: Mapping[ItemKey, Content]
    withdrawn: Mapping[ItemKey, Content]


def batch_size(rate: float) -> int:
    """Keys of one batch: no more than are due in a second."""
    return max(1, min(BATCH, int(rate)))


def by_supplier(found: Collection[ItemKey]) -> dict[str, list[ItemKey]]:
    """Keys by whose they are, in order."""
    own: defaultdict[str, list[ItemKey]] = defaultdict(list)
    for key in sorted(found, key=rebuild_position):
        own[key.supplier].append(key)
    return dict(own)


def rebuild_position(key: ItemKey) -> tuple[str, str, str]:
    """A key's place in the order of `feed_state`."""
    return key.supplier, key.sku, key.area or ""


class Rebuilder:
    """Does batches of rebuilds. ask: given by whoever pulls; producer: whose acks are awaited."""

    def __init__(self, pool: Pool, producer: Producer, contents: Contents, lease: Lease, ask: AskRereads) -> None:
        self._pool = pool
        self._producer = producer
        self._contents = contents
        self._lease = lease
        self._ask = ask

    async def batch(self, job: RebuildJob) -> int:
        """Do the next keys, and have the cursor behind them; how many there were, 0 once there are none.

        A key that moves meanwhile is looked at again. Raises ServiceUnavailableError and LeaseLostError: what is left
        of the batch is done again, under higher versions.
        """
        found = left = await self._next(job)
        while left:
            left = await self._publish(job, left, end=rebuild_position(found[-1]))
        return len(found)

    async def _next(self, job: RebuildJob) -> list[ItemKey]:
        query = rebuild_queries.STATES_OF_ONE if job.supplier else rebuild_queries.STATES
        async with transaction(self._pool) as connection:
            await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
            after = await connection.fetchval(rebuild_queries.AFTER, job.id)
            code, most = FACET_CODES[job.facet], batch_size(job.rate)
            rows = await connection.fetch(query, code, *after, job.supplier, most)
        areas = job.facet in PERISHABLE
        return [ItemKey(row["supplier"], row["sku"], row["area"] if areas else None) for row in rows]

    async def _publish(self, job: RebuildJob, wanted: Sequence[ItemKey], *, end: tuple[str, str, str]) -> list[ItemKey]:
        """Publish what has a content, and note what has none; the keys that moved while their contents were read.

        end: where the cursor goes once no key is left.
        """
        async with acquired(self._pool) as connection:
            known = await keys.read_stored(connection, job.facet, wanted)
            version = version_of(await connection.fetchval(NEXT), 0)
        plan = await self._planned(job.facet, known, version)
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            locked = await keys.lock_stored(connection, job.facet, wanted)
            moved = [key for key in wanted if locked[key] != known[key]]
            counts = await self._take(connection, job.facet, set(wanted) - set(moved), plan, version)
            await connection.execute(rebuild_queries.COUNT, job.id, *counts)
            if not moved:
                await connection.execute(rebuild_queries.ADVANCE, job.id, end)
        metrics.catalog_rebuilt_total.labels(facet=job.facet).inc(sum(counts[:3]))
        return moved

    async def _planned(self, facet: Facet, known: Mapping[ItemKey, Stored], version: int) -> BatchPlan:
        """What keys are to end on under the version."""
        contents = {
            key: state._replace(version=state.content_version, own_version=None)
            for key, state in known.items()
            if state.hash not in (None, NO_CONTENT)
        }
        published = await self._contents.published(facet, contents)
        archived = await self._contents.archived(
            facet, {key: contents[key] for key in contents.keys() - published.keys()}
        )
        gone = {key: withdrawal(facet, key, version) for key, state in known.items() if state.hash is None}
        return BatchPlan(
            from_topic=await self._contents.under(facet, published, version),
            from_archive=await self._contents.under(facet, archived, version),
            withdrawn=gone,
        )

    async def _take(
        self, connection: Connection, facet: Facet, still: Collection[ItemKey], plan: BatchPlan, version: int
    ) -> RebuildCounts:
        """Send what the plan has for locked keys, and say of the others that they are missing."""
        parts = [
            {key: content for key, content in part.items() if key in still}
            for part in (plan.from_topic, plan.from_archive, plan.withdrawn)
        ]
        sends = {key: content for part in parts for key, content in part.items()}
        if sends:
            positions = await self._producer.send([content.message for content in sends.values()])
            failpoint("rebuild.sent")
            places = dict(zip(sends, positions, strict=True))
            await keys.move_keys(connection, facet, places, dict.fromkeys(places, version))
        asked, missing = await self._miss(connection, facet, [key for key in still if key not in sends])
        from_topic, from_archive, withdrawn = map(len, parts)
        return RebuildCounts(from_topic, from_archive, withdrawn, asked, missing)

    async def _miss(self, connection: Connection, facet: Facet, lost: Collection[ItemKey]) -> tuple[int, int]:
        """Note keys without a content; how many their suppliers are asked for, and how many they have to push."""
        asked = missing = 0
        for supplier, own in by_supplier(lost).items():
            is_asked = await self._ask(connection, supplier, facet, sorted({key.sku for key in own}))
            columns = [list(column) for column in zip(*map(rebuild_position, own), strict=True)]
            await connection.execute(rebuild_queries.CLEAR, FACET_CODES[facet], *columns)
            await connection.execute(rebuild_queries.NOTE_MISSING, FACET_CODES[facet], *columns, is_asked)
            asked, missing = asked + len(own) * is_asked, missing + len(own) * (not is_asked)
        return asked, missing
