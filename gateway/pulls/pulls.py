"""Which facet of a supplier is due to be pulled as a whole, and what became of the runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog

from gateway.feeds.numbers import DatabaseWentBackError
from gateway.feeds.runs import Run
from gateway.pulls import queries
from gateway.pulls.context import SupplierContext
from gateway.pulls.errors import DrainingError, foremost
from gateway.pulls.listing import SkuLists
from gateway.pulls.schedule import after_failure, next_run
from gateway.pulls.sweep import Sweep
from gateway.sdk.errors import ServiceUnavailableError, SupplierError
from gateway.store import LeaseLostError, Row, StoreUnavailableError
from gateway.store.outage import retry_while_unavailable
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from schemas.catalog import Facet

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often due runs are looked for; an operator's wish takes no longer."""

LONGEST = timedelta(hours=24)
"""A run older than this describes a catalog that is gone; it fails, and a new one begins."""

SETTINGS_CHANGED = "the supplier's settings changed under way"


class Pulls:
    """The sweeps of one supplier: one run per facet at a time, resumed where the last owner left it."""

    def __init__(self, context: SupplierContext) -> None:
        self._context = context
        self._lists = SkuLists(context)
        self._running: dict[Facet, asyncio.Task[None]] = {}
        self._runs: dict[Facet, Run] = {}

    async def run(self) -> None:
        """Until drained: what is due begins, and a run that an outage has ended is resumed."""
        async with self._context.transaction() as connection:
            for facet in self._context.facets:
                await connection.execute(queries.ENSURE_PULL, self._context.supplier.id, facet)
        async with asyncio.TaskGroup() as group:
            with suppress(DrainingError):  # what is raised here would cut the runs' calls off
                while not self._context.drain.begun:
                    await self._look(group)
                    await self._context.drain.rest(LOOK_SECONDS)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        """Have what is due go on or begin. While PostgreSQL is away the runs under way go on."""
        try:
            for run, row in await self._wanted():
                task = group.create_task(self._pull(run, row), name=f"pull {run.facet}")
                task.add_done_callback(self._forgetting(run.facet))
                self._running[run.facet] = task
            for run in tuple(self._runs.values()):
                await self._context.runs.touch(run)  # a supplier that hangs does not make its run a dead one
        except StoreUnavailableError as error:
            self._context.report_health("sweeps", str(error))
        else:
            self._context.report_health("sweeps", None)

    def _forgetting(self, facet: Facet) -> Callable[[asyncio.Task[None]], None]:
        def forget(_: asyncio.Task[None]) -> None:
            self._running.pop(facet, None)
            self._runs.pop(facet, None)

        return forget

    async def _wanted(self) -> list[tuple[Run, Row]]:
        """The runs that have to go on or to begin; all have begun before the first asks anything: one list serves all.

        Each with the facet's row as it was before.
        """
        running = frozenset(self._running)  # before the rows: what they tell of a run that ends meanwhile is old
        return [
            (self._resumed(row) if row["feed_no"] else await self._begin(row), row)
            for row in await self._pulls()
            if (row["due"] or row["feed_no"]) and row["facet"] not in running
        ]

    async def _pulls(self) -> list[Row]:
        async with self._context.looking() as connection:
            rows = await connection.fetch(queries.PULLS, self._context.supplier.id, LONGEST.total_seconds())
        known = [row for row in rows if row["facet"] in set(Facet)]  # another facet is another release's to pull
        return [row for row in known if row["facet"] in self._context.facets or row["feed_no"]]

    async def _pull(self, run: Run, row: Row) -> None:
        """One run to its end, a fault of ours included: it fails with a reason and is due again."""
        self._runs[run.facet] = run
        try:
            await self._go(run, row)
        except Exception as errors:  # noqa: BLE001 -- a bug of ours or the adapter's fails this run alone
            await self._failed(run, foremost(errors))

    async def _failed(self, run: Run, error: Exception) -> None:
        match error:
            case LeaseLostError() | DatabaseWentBackError():
                raise error
            case DrainingError() | ServiceUnavailableError():
                log.info("pull.left", supplier=run.supplier, facet=run.facet, feed=run.feed_no, reason=str(error))
            case SupplierError():
                await retry_while_unavailable(self._fail, run, str(error))
            case _:
                log.error("pull.failed", supplier=run.supplier, facet=run.facet, feed=run.feed_no, exc_info=error)
                await retry_while_unavailable(self._fail, run, f"a fault of the gateway: {type(error).__name__}")

    async def _begin(self, row: Row) -> Run:
        context, facet = self._context, Facet(row["facet"])
        new = await context.numbers.next(), datetime.now(UTC)
        async with context.transaction() as connection:
            wished_at = await connection.fetchval(queries.WISHED_AT, context.supplier.id, facet)
            number, started_at = await self._lists.number_for(connection, facet, wished_at) or new
            run = Run(number, context.supplier.id, context.supplier.revision, facet, started_at)
            await context.runs.open(connection, run)
            await connection.execute(queries.BEGIN_PULL, run.supplier, facet, run.feed_no, started_at)
        failpoint("sweep.begun")
        log.info("pull.begun", supplier=run.supplier, facet=facet, feed=run.feed_no)
        return run

    def _resumed(self, row: Row) -> Run:
        context, facet = self._context, Facet(row["facet"])
        log.info("pull.resumed", supplier=context.supplier.id, facet=facet, feed=row["feed_no"])
        return Run(row["feed_no"], context.supplier.id, context.supplier.revision, facet, row["started_at"])

    async def _go(self, run: Run, row: Row) -> None:
        resumed = row["feed_no"] is not None
        if resumed and (row["too_old"] or run.facet not in self._context.facets):
            await self._fail(run, "took longer than a day" if row["too_old"] else "the facet is not pulled any more")
            return
        if resumed:
            async with self._context.transaction() as connection:
                await self._context.runs.open(connection, run)
                if (row["revision"] or 0) < self._context.same_since:
                    await connection.execute(queries.NOTE_FLAW, run.supplier, run.facet, SETTINGS_CHANGED)
        left = LONGEST - (datetime.now(UTC) - run.received_at)
        try:
            async with asyncio.timeout(left.total_seconds()):
                await Sweep(self._context, self._lists, run).go(listed=resumed and row["listing_no"] is not None)
        except TimeoutError:
            await self._fail(run, "took longer than a day")
            return
        await self._close(run)

    async def _close(self, run: Run) -> None:
        outcome, flaw = await retry_while_unavailable(self._record_end, run)
        failpoint("sweep.closed")
        await self._context.runs.closed(run)
        metrics.pulls_total.labels(supplier=run.supplier, facet=run.facet, outcome=outcome).inc()
        log.info("pull.ended", supplier=run.supplier, facet=run.facet, feed=run.feed_no, outcome=outcome, flaw=flaw)

    async def _record_end(self, run: Run) -> tuple[str, str | None]:
        """Write down that the run is whole; its outcome, and its flaw."""
        context = self._context
        async with context.transaction() as connection:
            [totals] = await connection.fetch(queries.TOTALS, run.feed_no)
            flaw: str | None = await connection.fetchval(queries.FLAW, run.supplier, run.facet)
            await context.runs.close(connection, run, chunks=totals["chunks"], records=totals["records"], flaw=flaw)
            await connection.execute(queries.FORGET_BATCHES, run.feed_no)
            due = next_run(context.supplier.config, run.facet, run.received_at, datetime.now(UTC))
            outcome = "done" if flaw is None else "failed"
            await connection.execute(queries.END_PULL, run.supplier, run.facet, outcome, flaw, due)
            failpoint("sweep.closing")
        return outcome, flaw

    async def _fail(self, run: Run, reason: str) -> None:
        context = self._context
        async with context.transaction() as connection:
            await context.runs.abandon(connection, run, reason)
            await connection.execute(queries.FORGET_BATCHES, run.feed_no)
            due = after_failure(context.supplier.config, run.facet, run.received_at, datetime.now(UTC))
            await connection.execute(queries.END_PULL, run.supplier, run.facet, "failed", reason, due)
        metrics.pulls_total.labels(supplier=run.supplier, facet=run.facet, outcome="failed").inc()
        log.warning("pull.ended", supplier=run.supplier, facet=run.facet, feed=run.feed_no, reason=reason)
