"""Re-reads: what messages said has changed, asked for at once and brought in over the express lane.

A row of `rereads` is one subject that waits. It is deleted only if no message moved it while its question was under
way: an answer may be older than the message that came meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import cast

from gateway.deadletters import record as record_letters
from gateway.feeds.runs import Run
from gateway.pulls import queries
from gateway.pulls.backoff import Backoff
from gateway.pulls.context import AREAS, SupplierContext
from gateway.pulls.errors import DrainingError
from gateway.pulls.reading import Answers, letters_of
from gateway.sdk.adapter import ReadsAreas
from gateway.sdk.errors import SupplierError
from gateway.store.outage import retry_while_unavailable
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from schemas.catalog import Facet

LOOK_SECONDS = 5.0
"""How often re-reads are looked for that nobody of this process asked for: those of an operator's replay."""

AT_ONCE = 4
"""Questions of one facet under way at once."""

CLOSED_SECONDS = 900.0
"""How long an area is not asked about that was refused: it has its dead letter, and the sweeps ask again."""


class Rereads:
    """The re-reads of one supplier in one facet."""

    def __init__(self, context: SupplierContext, facet: Facet) -> None:
        self._context = context
        self._facet = facet
        self._size = context.manifest.pulls[facet]
        self._reading = context.reading(facet, context.urgent)
        self._looking = asyncio.Lock()
        self._under_way: set[str] = set()
        self._unanswered: set[str] = set()
        self._closed: dict[str, float] = {}

    async def run(self) -> None:
        """Until drained; a question leaves as soon as there is one to ask and room for it."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._work(), name=f"reread {self._facet} {number}")

    async def _work(self) -> None:
        """One question after the other; while the supplier is away this one waits, so that few are asked in vain.

        While PostgreSQL is away it waits too: what raises here cuts the others' calls off.
        """
        backoff = Backoff(self._context, f"reread {self._facet}")
        with suppress(DrainingError):
            while not self._context.drain.begun:
                async with self._next() as waiting:
                    if not waiting:
                        continue
                    try:
                        await self._take(waiting)
                        backoff.well()
                    except SupplierError as error:
                        self._unanswered |= waiting.keys()
                        await backoff.wait(error)

    @asynccontextmanager
    async def _next(self) -> AsyncIterator[Mapping[str, int]]:
        """Skus of one question, this one's until the block ends; none once there was none for a while."""
        async with self._looking:
            waiting = {} if self._context.drain.begun else await retry_while_unavailable(self._waiting)
            if not waiting and not self._context.drain.begun:
                await self._context.signals[self._facet].wait(LOOK_SECONDS)
        try:
            yield waiting
        finally:
            self._under_way -= waiting.keys()

    async def _waiting(self) -> Mapping[str, int]:
        """Skus that nobody asks about yet, each with its place in the queue."""
        async with self._context.looking() as connection:
            rows = await connection.fetch(
                queries.WAITING_REREADS, self._context.supplier.id, self._facet, self._size, list(self._under_way)
            )
        found = {row["key"]: row["seq"] for row in rows if row["key"] not in self._under_way}
        self._under_way |= found.keys()
        return found

    async def _take(self, waiting: Mapping[str, int]) -> None:
        """Ask, bring the answers in, and only then forget that they were wanted. Raises SupplierError."""
        context, skus = self._context, list(waiting)
        async with context.in_flight.asking(self._facet, skus):
            number, received_at = await retry_while_unavailable(context.numbers.next), datetime.now(UTC)
            suspect = not self._unanswered.isdisjoint(skus)
            answers = await self._reading.ask(skus, closed=self._closed_areas(), suspect=suspect)
        self._unanswered.difference_update(skus)
        for refused in (each for each in answers.refused if each.sure):
            self._closed[refused.area] = time.monotonic() + CLOSED_SECONDS
        failpoint("reread.answered")
        await self._bring_in(answers, number, received_at)
        failpoint("reread.sent")
        await retry_while_unavailable(self._settle, answers, number, waiting)

    def _closed_areas(self) -> list[str]:
        now = time.monotonic()
        return [area for area, until in self._closed.items() if area and now < until]

    async def _bring_in(self, answers: Answers, number: int, received_at: datetime) -> None:
        if not answers.exchanges:
            return
        supplier = self._context.supplier
        run = Run(number, supplier.id, supplier.revision, self._facet, received_at)
        await self._context.runs.reread(run, [exchange.encode() for exchange in answers.exchanges])

    async def _settle(self, answers: Answers, number: int, waiting: Mapping[str, int]) -> None:
        supplier = self._context.supplier.id
        letters = letters_of(answers, supplier=supplier, facet=self._facet, number=number)
        async with self._context.transaction() as connection:
            await connection.execute(
                queries.REREAD, supplier, self._facet, list(waiting.keys()), list(waiting.values())
            )
            await record_letters(connection, letters)
        metrics.rereads_total.labels(supplier=supplier, facet=self._facet).inc(len(waiting))


class AreaRereads:
    """The re-reads of one supplier's area tree."""

    def __init__(self, context: SupplierContext) -> None:
        self._context = context

    async def run(self) -> None:
        """Until drained, one part of the tree at a time: areas seldom change."""
        backoff = Backoff(self._context, "reread areas")
        while not self._context.drain.begun:
            async with self._context.looking() as connection:
                row = await connection.fetchrow(queries.WAITING_REREADS, self._context.supplier.id, AREAS, 1, [])
            if row is None:
                await self._context.signals[AREAS].wait(LOOK_SECONDS)
                continue
            try:
                await self._take(row["key"], row["seq"])
                backoff.well()
            except SupplierError as error:
                await backoff.wait(error)

    async def _take(self, parent: str, seq: int) -> None:
        areas = await cast(ReadsAreas, self._context.adapter).read_areas(self._context.urgent, parent)
        columns: Sequence[list[str] | list[int]] = (
            [area.id for area in areas],
            [area.name for area in areas],
            [area.parent for area in areas],
            [area.level for area in areas],
        )
        await retry_while_unavailable(self._keep, parent, seq, columns)

    async def _keep(self, parent: str, seq: int, columns: Sequence[list[str] | list[int]]) -> None:
        supplier = self._context.supplier.id
        async with self._context.transaction() as connection:
            await connection.execute(queries.FORGET_AREAS, supplier, parent)
            await connection.execute(queries.KEEP_AREAS, supplier, *columns)
            await connection.execute(queries.REREAD, supplier, AREAS, [parent], [seq])
