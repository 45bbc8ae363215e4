"""One supplier, owned by this process: its sweeps, pools and re-reads side by side, begun anew when its row changes.

A task that fails by a fault of ours is begun again after a while and said to operators; it takes no other with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import structlog

from gateway.feeds.numbers import DatabaseWentBackError, FeedNumbers
from gateway.feeds.runs import Runs
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError, ServiceUnavailableError
from gateway.sessions import queries
from gateway.sessions.breaker import State
from gateway.sessions.calls import Calls, CallStatus, limits_of, open_calls
from gateway.sessions.check import check
from gateway.sessions.desk import AREAS, Desk, InFlight, wanted_by_subject
from gateway.sessions.errors import foremost
from gateway.sessions.limiter import Priority
from gateway.sessions.pool import Pool as MessagePool
from gateway.sessions.pulls import Pulls
from gateway.sessions.rereads import AreaRereads, Rereads
from gateway.sessions.tokens import TokenStore
from gateway.store import Lease, LeaseLostError, Pool, StoreUnavailableError, acquired, transaction
from gateway.suppliers import SecretBox, SecretUnreadableError, Supplier, SupplierCache
from gateway.suppliers import State as SupplierState

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often the supplier's row, as this process knows it, is compared with what the session runs by."""

AWAY_SECONDS = 1.0
"""After Kafka or PostgreSQL was away, before a task is begun again."""

SAY_SECONDS = 2.0
"""How often the session says how it fares, and looks whether somebody wants a check."""

AGAIN_SECONDS = 30.0
"""After a fault of ours, before the task is begun again."""


@dataclass(frozen=True, slots=True)
class Means:
    """What sessions stand on in one process."""

    pool: Pool
    suppliers: SupplierCache
    registry: Registry
    box: SecretBox
    numbers: FeedNumbers
    runs: Runs
    owner: str


class Session:
    """The work for one supplier while its lease is ours."""

    def __init__(self, means: Means, supplier: str, lease: Lease) -> None:
        self._means = means
        self._supplier = supplier
        self._lease = lease
        self._in_flight = InFlight()
        self._faults: dict[str, str] = {}

    async def run(self) -> None:
        """For ever; the supplier's row says what there is to do. Raises LeaseLostError, StoreUnavailableError."""
        while True:
            supplier = await self._means.suppliers.get(self._supplier)
            working = asyncio.ensure_future(self._work(supplier))
            changing = asyncio.ensure_future(self._changed(supplier))
            try:
                await asyncio.wait([working, changing], return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    working.result()
            finally:
                for task in (working, changing):
                    task.cancel()
                await asyncio.gather(working, changing, return_exceptions=True)

    async def _changed(self, supplier: Supplier) -> None:
        """Wait until the row says something else, or the secrets are others."""
        secrets = await self._stamp_of_secrets()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = await self._means.suppliers.get(self._supplier)
            moved = (now.revision, now.state) != (supplier.revision, supplier.state)
            if moved or await self._stamp_of_secrets() != secrets:
                log.info("session.changed", supplier=supplier.id, revision=now.revision, state=now.state)
                return

    async def _stamp_of_secrets(self) -> Any:
        async with acquired(self._means.pool) as connection:
            return await connection.fetchval(queries.STAMP_OF_SECRETS, self._supplier)

    async def _work(self, supplier: Supplier) -> None:
        """Everything there is to do under one revision. Ends only by being cancelled, or by what it raises."""
        self._faults.clear()
        try:
            async with self._opened(supplier) as (desk, calls), asyncio.TaskGroup() as group:
                group.create_task(self._tell(desk, calls), name=f"{supplier.id} tell")
                for name, run in _tasks(desk):
                    group.create_task(self._again_and_again(name, run), name=f"{supplier.id} {name}")
        except ExceptionGroup as errors:
            raise foremost(errors) from errors
        except ConfigError as error:
            self._faults["settings"] = str(error)
            log.warning("session.unusable", supplier=supplier.id, problem=str(error))
            await self._say({})
            await asyncio.Event().wait()

    @asynccontextmanager
    async def _opened(self, supplier: Supplier) -> AsyncIterator[tuple[Desk, Calls]]:
        """Everything that the tasks need. Raises ConfigError for a row that cannot be worked by."""
        means, config = self._means, supplier.config
        manifest = means.registry.load(config.adapter).manifest
        adapter = means.registry.adapter(config.adapter, config.options)
        store = TokenStore(means.pool, means.box, supplier.id, self._lease.fence)
        secrets, owned = await self._secrets(), lambda: self._lease.held
        async with open_calls(
            supplier.id, manifest, adapter, config.http, secrets=secrets, store=store, owned=owned
        ) as calls:
            yield (
                Desk(
                    supplier=supplier,
                    adapter=adapter,
                    manifest=manifest,
                    urgent=calls.at(Priority.DELTA),
                    patient=calls.at(Priority.SWEEP),
                    concurrency=limits_of(manifest, config.http).concurrency,
                    lease=self._lease,
                    pool=means.pool,
                    numbers=means.numbers,
                    runs=means.runs,
                    in_flight=self._in_flight,
                    wanted=wanted_by_subject(),
                    told=self._told,
                ),
                calls,
            )

    async def _secrets(self) -> dict[str, str]:
        """Raises ConfigError for one that was sealed under a key that is lost."""
        async with acquired(self._means.pool) as connection:
            rows = await connection.fetch(queries.SECRETS, self._supplier)
        try:
            return {
                row["name"]: self._means.box.open(self._supplier, row["name"], row["ciphertext"]).decode()
                for row in rows
            }
        except SecretUnreadableError as error:
            raise ConfigError([str(error)]) from error

    def _told(self, task: str, words: str | None) -> None:
        if words is None:
            self._faults.pop(task, None)
        else:
            self._faults[task] = words

    async def _again_and_again(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except Exception as error:  # noqa: BLE001 -- a fault of ours must not end the other tasks
                await self._mourn(name, foremost(error))

    async def _mourn(self, name: str, error: Exception) -> None:
        """After a task ended by an error: pass on what ends the session, wait out the rest."""
        match error:
            case LeaseLostError() | DatabaseWentBackError():
                raise error
            case ServiceUnavailableError():
                self._told(name, str(error))
                await asyncio.sleep(AWAY_SECONDS)
            case _:
                log.error("session.task_failed", supplier=self._supplier, task=name, exc_info=error)
                self._told(name, f"a fault of the gateway: {type(error).__name__}")
                await asyncio.sleep(AGAIN_SECONDS)

    async def _tell(self, desk: Desk, calls: Calls) -> None:
        """Say how the session fares, and answer who asks for a check."""
        while True:
            try:
                asked = await self._say(_health(calls.status()))
                if asked is not None:
                    steps = await check(desk, calls)
                    async with desk.transaction() as connection:
                        await connection.execute(queries.ANSWER_CHECK, self._supplier, asked, steps)
            except StoreUnavailableError:
                log.info("session.silent", supplier=self._supplier)
            await asyncio.sleep(SAY_SECONDS)

    async def _say(self, health: Mapping[str, Any]) -> Any:
        """Say how the session fares; the check that somebody asked for meanwhile, None for none."""
        async with transaction(self._means.pool) as connection:
            await self._lease.fence(connection)
            told = {**health, "faults": self._faults}
            await connection.execute(queries.SAY, self._supplier, self._means.owner, told)
            return await connection.fetchval(queries.ASKED_CHECK, self._supplier)


def _health(status: CallStatus) -> dict[str, Any]:
    """What operators are told of the calls."""
    breakers = {name: asdict(each) for name, each in status.breakers.items() if each.state is not State.CLOSED}
    return {"rate": status.rate, "rate_limit": status.maximum, "waiting": status.waiting, "breakers": breakers}


def _tasks(desk: Desk) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
    """What a session does, by name; nothing for a supplier that is paused."""
    if desk.supplier.state is SupplierState.PAUSED:
        return
    capabilities = desk.manifest.capabilities
    if "pulls_feeds" in capabilities:
        yield "sweeps", Pulls(desk).run
        for facet in desk.facets:
            yield f"reread {facet}", Rereads(desk, facet).run
    if "polls_messages" in capabilities:
        for pool in desk.manifest.pools:
            yield f"pool {pool}", MessagePool(desk, pool).run
    if "reads_areas" in capabilities:
        yield f"reread {AREAS}", AreaRereads(desk).run
