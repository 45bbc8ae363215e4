"""One supplier, owned by this process: its sweeps, pools and re-reads side by side.

A revision of its row is taken in place: limits, secrets and schedules change under what is going on, and what was
learnt of the supplier stays. Only where the questions or the reading of answers change, or the work has to stop, is it
drained: each task finishes what it is at, nothing is cut off in mid-call, and the work starts again under the new row.

A task that fails by a fault of ours is begun again after a while and said to operators; it takes no other with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

import structlog

from gateway.calls.breaker import State
from gateway.calls.breakers import BreakerOrder
from gateway.calls.calls import Calls, CallStatus, limits_of, open_calls
from gateway.calls.limiter import Priority
from gateway.calls.state import CallStates
from gateway.calls.tokens import TokenStore
from gateway.events import set_within
from gateway.feeds.numbers import DatabaseWentBackError, FeedNumbers
from gateway.feeds.runs import Runs
from gateway.pulls.context import AREAS, INVOICES, ORDERS, InFlight, SupplierContext, signals_by_subject
from gateway.pulls.errors import DrainingError, foremost
from gateway.pulls.pool import Pool as MessagePool
from gateway.pulls.pulls import Pulls
from gateway.pulls.rereads import AreaRereads, Rereads
from gateway.registry import Registry
from gateway.relay.context import RelayContext
from gateway.relay.invoice_rereads import InvoiceRereads
from gateway.relay.relay import Relay
from gateway.relay.rereads import OrderRereads, RereadContext
from gateway.sdk.errors import ConfigError, ServiceUnavailableError
from gateway.sdk.invoices import RequestsInvoices
from gateway.sdk.orders import ReadsOrders
from gateway.sessions import queries
from gateway.sessions.check import check
from gateway.store import Lease, LeaseLostError, Pool, StoreUnavailableError, acquired, transaction
from gateway.suppliers import SecretBox, SecretUnreadableError, Supplier, SupplierCache, UnknownSupplierError
from gateway.suppliers import State as SupplierState

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often the supplier's row, as this process knows it, is compared with what the session runs by."""

AWAY_SECONDS = 1.0
"""After Kafka or PostgreSQL was away, before a task is begun again."""

HEALTH_SECONDS = 2.0
"""How often the session says how it fares, and looks whether somebody wants a check."""

AGAIN_SECONDS = 30.0
"""After a fault of ours, before the task is begun again."""

SETTLE_SECONDS = 5.0
"""For what has its answer, to be written down, once no call of a session that drains too slowly is under way."""


Task: TypeAlias = tuple[str, Callable[[], Awaitable[None]]]
"""Something that a session does, by name."""


@dataclass(frozen=True, slots=True)
class SessionDependencies:
    """What sessions stand on in one process. drain_seconds: how long work that has to end may go on unhindered."""

    pool: Pool
    suppliers: SupplierCache
    registry: Registry
    box: SecretBox
    numbers: FeedNumbers
    runs: Runs
    owner: str
    drain_seconds: float


class SupplierSnapshot(NamedTuple):
    """A supplier's row and the time of its secrets, as last seen."""

    supplier: Supplier
    secrets: str


def changes_in_place(old: Supplier, new: Supplier) -> bool:
    """Whether the work that goes on under one row may go on under the other: it asks the same, and reads it alike."""
    return _read_settings(old) == _read_settings(new)


def _read_settings(supplier: Supplier) -> tuple[object, ...]:
    config = supplier.config
    return (
        supplier.state,
        config.adapter,
        config.options,
        config.facets,
        config.category_map,
        config.price_mismatch,
        config.http.base_url,
        config.http.allow_private,  # it is judged as connections are made, and those that are open stay
    )


class Session:
    """The work for one supplier while its lease is ours. states: what the process knows of suppliers it has called."""

    def __init__(self, dependencies: SessionDependencies, supplier: str, lease: Lease, states: CallStates) -> None:
        self._dependencies = dependencies
        self._supplier = supplier
        self._lease = lease
        self._states = states
        self._in_flight = InFlight()
        self._faults: dict[str, str] = {}
        self._stopping = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """It is coming to its end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Have the work drained; `run` returns then."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped; the supplier's row says what there is to do. Raises LeaseLostError, StoreUnavailableError."""
        while not self.stopping:
            try:
                supplier = await self._dependencies.suppliers.get(self._supplier)
            except UnknownSupplierError:
                return
            seen = SupplierSnapshot(supplier, await self._stamp_of_secrets())
            log.info("session.begun", supplier=supplier.id, revision=supplier.revision, state=supplier.state)
            await self._work(seen)

    async def _work(self, seen: SupplierSnapshot) -> None:
        """Everything there is to do, until it has to end or be started again, and is drained; or by what it raises."""
        self._faults.clear()
        try:
            async with self._opened(seen.supplier) as (context, calls), asyncio.TaskGroup() as group:
                telling = group.create_task(self._report_health(context, calls), name=f"{self._supplier} tell")
                tasks = [*_tasks(context, self._dependencies.box), *self._relay(context)]
                working = [
                    group.create_task(self._keep_running(context, name, run), name=f"{self._supplier} {name}")
                    for name, run in tasks
                ]
                await self._follow(context, calls, seen)
                await self._drain(context, calls, working)
                telling.cancel()
        except ExceptionGroup as errors:
            raise foremost(errors) from errors
        except ConfigError as error:
            self._faults["settings"] = str(error)
            log.warning("session.unusable", supplier=self._supplier, problem=str(error))
            await self._store_health({})
            while await self._look(seen) == seen and not self.stopping:
                await self._rest()

    async def _follow(self, context: SupplierContext, calls: Calls, seen: SupplierSnapshot) -> None:
        """Take what changes over in place; return once the work has to end or to start again."""
        while not self.stopping:
            await self._rest()
            now = await self._look(seen)
            if now == seen:
                continue
            if now is None or not changes_in_place(seen.supplier, now.supplier):
                log.info("session.changed", supplier=self._supplier, in_place=False)
                return
            try:
                await self._adopt(context, calls, seen, now)
            except StoreUnavailableError:
                continue
            except ConfigError:  # opened again, it is told
                return
            seen = now

    async def _rest(self) -> None:
        """Until the next look at the row, or until stopped."""
        await set_within(self._stopping, LOOK_SECONDS)

    async def _look(self, seen: SupplierSnapshot) -> SupplierSnapshot | None:
        """What the row says by now, what was seen where nobody can tell; None once there is no such supplier."""
        try:
            return SupplierSnapshot(
                await self._dependencies.suppliers.get(self._supplier), await self._stamp_of_secrets()
            )
        except UnknownSupplierError:
            return None
        except StoreUnavailableError:
            return seen

    async def _adopt(
        self, context: SupplierContext, calls: Calls, seen: SupplierSnapshot, now: SupplierSnapshot
    ) -> None:
        """Go on under another row. Raises ConfigError, StoreUnavailableError: nothing has changed."""
        secrets = None if now.secrets == seen.secrets else await self._secrets()
        if now.supplier.config.http != seen.supplier.config.http:
            calls.configure(limits_of(context.manifest, now.supplier.config.http))
            context.drain.wake()
        if secrets is not None:
            calls.use_secrets(secrets)
            context.drain.wake()
        context.supplier = now.supplier
        log.info("session.changed", supplier=self._supplier, in_place=True, revision=now.supplier.revision)

    async def _drain(self, context: SupplierContext, calls: Calls, working: Collection[asyncio.Task[None]]) -> None:
        """Have each task finish what it is at; one that takes too long ends after the call that it is at."""
        context.begin_drain()
        await _finished(working, self._dependencies.drain_seconds)
        await calls.end()
        await _finished(working, SETTLE_SECONDS)
        for task in working:
            task.cancel()

    async def _stamp_of_secrets(self) -> str:
        async with acquired(self._dependencies.pool) as connection:
            stamp: str = await connection.fetchval(queries.STAMP_OF_SECRETS, self._supplier)
        return stamp

    @asynccontextmanager
    async def _opened(self, supplier: Supplier) -> AsyncIterator[tuple[SupplierContext, Calls]]:
        """Everything that the tasks need. Raises ConfigError for a row that cannot be worked by."""
        dependencies, config = self._dependencies, supplier.config
        manifest = dependencies.registry.load(config.adapter).manifest
        adapter = dependencies.registry.adapter(config.adapter, config.options)
        store = TokenStore(dependencies.pool, dependencies.box, supplier.id, self._lease.fence)
        async with acquired(dependencies.pool) as connection:
            same_since = await connection.fetchval(queries.SAME_SINCE, supplier.id, supplier.revision)
        limits = limits_of(manifest, config.http)
        async with open_calls(
            self._states.of(supplier.id, manifest, limits),
            manifest,
            adapter,
            limits,
            secrets=await self._secrets(),
            store=store,
            owned=self._lease.until_held,
        ) as calls:
            await self._follow_breaker_orders(calls)
            yield (
                SupplierContext(
                    supplier=supplier,
                    same_since=same_since,
                    adapter=adapter,
                    manifest=manifest,
                    urgent=calls.at(Priority.DELTA),
                    patient=calls.at(Priority.SWEEP),
                    lease=self._lease,
                    pool=dependencies.pool,
                    numbers=dependencies.numbers,
                    runs=dependencies.runs,
                    in_flight=self._in_flight,
                    signals=signals_by_subject(),
                    report_health=self._set_fault,
                ),
                calls,
            )

    def _relay(self, context: SupplierContext) -> Iterator[Task]:
        """Orders, where the supplier takes any. While it is paused nothing is sent; deadlines pass all the same."""
        if not context.manifest.orders:
            return
        relay = RelayContext(
            supplier=lambda: context.supplier,
            adapter=context.adapter,
            manifest=context.manifest,
            calls=context.urgent,
            lease=self._lease,
            box=self._dependencies.box,
            draining=lambda: context.drain.begun,
            report_health=partial(self._set_fault, "orders"),
        )
        yield "orders", Relay(relay).run

    async def _secrets(self) -> dict[str, str]:
        """Raises ConfigError for one that was sealed under a key that is lost."""
        async with acquired(self._dependencies.pool) as connection:
            rows = await connection.fetch(queries.SECRETS, self._supplier)
        try:
            return {
                row["name"]: self._dependencies.box.open(self._supplier, row["name"], row["ciphertext"]).decode()
                for row in rows
            }
        except SecretUnreadableError as error:
            raise ConfigError([str(error)]) from error

    def _set_fault(self, task: str, words: str | None) -> None:
        if words is None:
            self._faults.pop(task, None)
        else:
            self._faults[task] = words

    async def _keep_running(self, context: SupplierContext, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task until drained, again whenever it failed."""
        with suppress(DrainingError):
            while True:
                context.drain.check()
                try:
                    await run()
                except Exception as error:  # noqa: BLE001 -- a fault of ours must not end the other tasks
                    await self._handle_task_error(context, name, foremost(error))
                    self._set_fault(name, None)

    async def _handle_task_error(self, context: SupplierContext, name: str, error: Exception) -> None:
        """After a task ended by an error: pass on what ends the session, wait out the rest."""
        match error:
            case LeaseLostError() | DatabaseWentBackError() | DrainingError():
                raise error
            case ServiceUnavailableError():
                self._set_fault(name, str(error))
                await context.drain.rest(AWAY_SECONDS)
            case _:
                log.error("session.task_failed", supplier=self._supplier, task=name, exc_info=error)
                self._set_fault(name, f"a fault of the gateway: {type(error).__name__}")
                await context.drain.rest(AGAIN_SECONDS)

    async def _report_health(self, context: SupplierContext, calls: Calls) -> None:
        """Say how the session fares, and answer who asks for a check. What raises here cuts the tasks' calls off."""
        while True:
            try:
                await self._follow_breaker_orders(calls)
                asked = await self._store_health(_health(calls.status()))
                if asked is not None:
                    steps = await check(context, calls)
                    async with context.transaction() as connection:
                        await connection.execute(queries.ANSWER_CHECK, self._supplier, asked, steps)
            except LeaseLostError:
                raise
            except StoreUnavailableError:
                log.info("session.silent", supplier=self._supplier)
            except Exception:
                log.exception("session.untold", supplier=self._supplier)
            await asyncio.sleep(HEALTH_SECONDS)

    async def _follow_breaker_orders(self, calls: Calls) -> None:
        async with acquired(self._dependencies.pool) as connection:
            rows = await connection.fetch(queries.BREAKER_ORDERS, self._supplier)
        calls.follow(
            BreakerOrder(row["operation"], row["seconds"], f"{row['reason']} ({row['actor']})", row["given_at"])
            for row in rows
        )

    async def _store_health(self, health: Mapping[str, Any]) -> Any:
        """Say how the session fares; the check that somebody asked for meanwhile, None for none."""
        async with transaction(self._dependencies.pool) as connection:
            await self._lease.fence(connection)
            values = {**health, "faults": self._faults}
            await connection.execute(queries.STORE_HEALTH, self._supplier, self._dependencies.owner, values)
            return await connection.fetchval(queries.ASKED_CHECK, self._supplier)


def _health(status: CallStatus) -> dict[str, Any]:
    """What operators are told of the calls."""
    breakers = {name: asdict(each) for name, each in status.breakers.items() if each.state is not State.CLOSED}
    return {"rate": status.rate, "rate_limit": status.maximum, "waiting": status.waiting, "breakers": breakers}


async def _finished(tasks: Collection[asyncio.Task[None]], seconds: float) -> None:
    """Wait so long for all of them."""
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


def _tasks(context: SupplierContext, box: SecretBox) -> Iterator[Task]:
    """What a session does, by name; nothing for a supplier that is paused."""
    if context.supplier.state is SupplierState.PAUSED:
        return
    capabilities = context.manifest.capabilities
    if "pulls_feeds" in capabilities:
        yield "sweeps", Pulls(context).run
        for facet in context.facets:
            yield f"reread {facet}", Rereads(context, facet).run
    if "polls_messages" in capabilities:
        for pool in context.manifest.pools:
            yield f"pool {pool}", MessagePool(context, pool, box).run
    if "reads_areas" in capabilities:
        yield f"reread {AREAS}", AreaRereads(context).run
    if "reads_orders" in capabilities:
        yield f"reread {ORDERS}", OrderRereads(_rereads_of(context, box, ORDERS)).run
    if "requests_invoices" in capabilities:
        adapter = cast(RequestsInvoices, context.adapter)
        yield f"reread {INVOICES}", InvoiceRereads(_rereads_of(context, box, INVOICES), adapter).run


def _rereads_of(context: SupplierContext, box: SecretBox, subject: str) -> RereadContext:
    """What reading orders, or their invoices, stands on."""
    return RereadContext(
        supplier=context.supplier.id,
        adapter=cast(ReadsOrders, context.adapter),
        calls=context.urgent,
        lease=context.lease,
        pool=context.pool,
        box=box,
        draining=lambda: context.drain.begun,
        report_health=lambda words: context.report_health(f"reread {subject}", words),
        wait=context.signals[subject].wait,
    )
