"""Rebuilds as operators know them: asked for, watched, and worked on by whichever process holds the lease.

All that is known of a rebuild is in PostgreSQL: whoever has the lease next goes on at its cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog

from gateway.feeds import rebuild_queries
from gateway.feeds.contents import Contents
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.rebuild import AskRereads, Rebuilder, RebuildJob
from gateway.feeds.recreated_topics import delete_offsets
from gateway.kafka import CATALOG_TOPIC, Producer
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Connection, Lease, LeaseLostError, Pool, Row, acquired, audit, transaction
from gateway.telemetry.supervise import Supervisor
from schemas.catalog import Facet

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0

MIN_RATE, MAX_RATE = 1.0, 10_000.0
"""Keys per second that may be asked for."""

NEWEST = 2**63 - 1
"""Before the newest rebuild."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuild:
    """One rebuild. supplier: '' for all; rate: keys per second at most; the rest counts keys by what became of them.

    facet: also one that only another release knows.
    """

    id: int
    facet: str
    supplier: str
    state: str
    actor: str
    rate: float
    created_at: datetime
    finished_at: datetime | None
    from_topic: int
    from_archive: int
    withdrawn: int
    asked: int
    missing: int

    @property
    def published(self) -> int:
        """Keys that were republished, withdrawals among them."""
        return self.from_topic + self.from_archive + self.withdrawn


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingKey:
    """A key whose content is nowhere. asked: its supplier is asked for it; else it has to push it."""

    supplier: str
    sku: str
    area: str
    asked: bool
    noted_at: datetime


class Rebuilds:
    """What operators ask of rebuilds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def start(self, facet: Facet, supplier: str, *, rate: float, actor: str) -> tuple[Rebuild, bool]:
        """Rebuild a facet of a supplier, '' for all, or join the rebuild of the same that is under way.

        Whether it is new: one that is joined keeps its rate.
        """
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(rebuild_queries.ADD_JOB, facet, supplier, actor, rate)
            added = row is not None
            if row is None:
                row = await connection.fetchrow(rebuild_queries.RUNNING, facet, supplier)
            if row is None:  # it ended between the two
                raise ServiceUnavailableError
            detail = {"supplier": supplier or None, "rate": row["rate"], "joined": not added}
            await audit.record(connection, actor, "catalog.rebuild", target=facet, detail=detail | {"id": row["id"]})
        return _rebuild(row), added

    async def one(self, rebuild: int) -> Rebuild | None:
        """A rebuild by its id."""
        async with acquired(self._pool) as connection:
            row = await connection.fetchrow(rebuild_queries.JOB, rebuild)
        return None if row is None else _rebuild(row)

    async def newest(self, *, before: int = NEWEST, limit: int = 50) -> list[Rebuild]:
        """Rebuilds, the newest first."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(rebuild_queries.JOBS, before, limit)
        return list(map(_rebuild, rows))

    async def missing(
        self, facet: Facet, supplier: str, *, after: tuple[str, str, str], limit: int
    ) -> list[MissingKey]:
        """Keys of a facet whose content is nowhere, behind `after` in order of supplier, sku and area."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(rebuild_queries.MISSING, FACET_CODES[facet], *after, supplier, limit)
        return [MissingKey(**dict(row)) for row in rows]


class RebuildRunner:
    """Works on rebuilds under the lease, the oldest first. ensure_topic: makes a facet's topic where it is missing."""

    def __init__(
        self,
        pool: Pool,
        producer: Producer,
        contents: Contents,
        ask: AskRereads,
        ensure_topic: Callable[[str], Awaitable[None]],
        *,
        owner: str,
        lease_term: float = 15.0,
    ) -> None:
        self._pool = pool
        self._lease = Lease(pool, "rebuild", owner, term=lease_term)
        self._rebuilder = Rebuilder(pool, producer, contents, self._lease, ask)
        self._ensure_topic = ensure_topic
        self.supervisor = Supervisor[int]("rebuild", "job", passes=(LeaseLostError,))

    async def run(self) -> None:
        """For ever, while the lease is ours. The known state of lost records is forgotten first."""
        await self._lease.hold(self._work)

    async def _work(self) -> None:
        """Raises LeaseLostError."""
        while True:
            try:
                await delete_offsets(self._pool)
                if (row := await self._next()) is None:
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    await self.supervisor.run(row["id"], partial(self._rebuild, row))
            except ServiceUnavailableError as error:
                log.warning("rebuild.waiting", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _next(self) -> Row | None:
        async with acquired(self._pool) as connection:
            return await connection.fetchrow(rebuild_queries.NEXT_JOB, self.supervisor.not_due())

    async def _rebuild(self, row: Row) -> None:
        job = RebuildJob(row["id"], Facet(row["facet"]), row["supplier"], row["rate"])
        await self._ensure_topic(CATALOG_TOPIC[job.facet])  # a loss that is only noticed now is mended as well
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            await connection.execute(rebuild_queries.BEGIN, job.id)
        clock = asyncio.get_running_loop().time
        due = clock()
        while done := await self._rebuilder.batch(job):
            due = max(due, clock() - 1.0) + done / job.rate
            await asyncio.sleep(max(0.0, due - clock()))
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            await _finish(connection, job)
        log.info("rebuild.done", job=job.id, facet=job.facet, supplier=job.supplier or None)


async def _finish(connection: Connection, job: RebuildJob) -> None:
    row = await connection.fetchrow(rebuild_queries.FINISH, job.id)
    await connection.execute(rebuild_queries.FORGET_FOUND, FACET_CODES[job.facet])
    if row is not None and not job.supplier:
        await connection.execute(rebuild_queries.MENDED, CATALOG_TOPIC[job.facet], row["begun_at"])


def _rebuild(row: Row) -> Rebuild:
    return Rebuild(**dict(row))
