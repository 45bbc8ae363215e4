"""Which suppliers this process owns: as many as its share, each by a lease, and no more than one owner each.

Processes note that they live. Of n suppliers that are pulled, each of m live processes takes up to ⌈n/m⌉; one that
holds more hands the surplus over, one that is gone is replaced when its leases end. Suppliers with a webhook are owned
the same way, by leases of their own, for sending to it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Protocol

import structlog
from prometheus_client import Gauge

from gateway.calls.state import CallStates
from gateway.events import set_within
from gateway.registry import Registry
from gateway.relay.offered import fetches_commands
from gateway.relay.webhooks import WebhookDelivery, WebhookDependencies
from gateway.sdk.errors import ConfigError, ServiceUnavailableError
from gateway.sdk.manifest import Manifest
from gateway.sessions import queries
from gateway.sessions.session import Session, SessionDependencies
from gateway.store import Lease, Pool, StoreUnavailableError, acquired
from gateway.suppliers import Supplier, SupplierCache, lease_of, webhook_lease_of
from gateway.telemetry import metrics
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
"""How often suppliers that were declared meanwhile are looked for, in what this process knows of them."""

TAKEN_TOGETHER = 4
"""Leases that are tried at a time: one whose row somebody holds is waited for, and not by all connections."""


def share(suppliers: int, processes: int) -> int:
    """How many suppliers one process may own."""
    return ceil(suppliers / max(1, processes))


def given_up(owned: Sequence[str], wanted: Collection[str], most: int) -> list[str]:
    """Which of the suppliers that are ours we own no more: those that are not pulled any more take nobody's place, and
    of the others the last beyond our share.
    """
    pulled = [supplier for supplier in owned if supplier in wanted]
    return [supplier for supplier in owned if supplier not in wanted] + pulled[most:]


class Work(Protocol):
    """What is done for one supplier by its owner."""

    @property
    def stopping(self) -> bool:
        """It is coming to its end."""
        ...

    def stop(self) -> None:
        """Have the work drained; `run` returns then."""
        ...

    async def run(self) -> None:
        """Until stopped."""
        ...


@dataclass(frozen=True, slots=True)
class Purpose:
    """What suppliers are owned for. wanted: which ones; lease: name of a supplier's; begin: the work for one."""

    loop: str
    wanted: Callable[[Supplier, Manifest], bool]
    lease: Callable[[str], str]
    begin: Callable[[str, Lease], Work]
    owned: Gauge


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that owns suppliers. name: what it is known by to the others.

    term: seconds that a lease lasts without renewal, and that a process counts as live after its last sign of life; a
    killed or frozen owner is replaced within two of them.
    """

    name: str
    pool: Pool
    suppliers: SupplierCache
    registry: Registry
    term: float


def supplier_sessions(dependencies: SessionDependencies, *, term: float) -> Sessions:
    """The sessions of suppliers that are called."""
    states = CallStates()
    purpose = Purpose(
        "sessions",
        lambda _, manifest: manifest.http is not None,
        lease_of,
        lambda supplier, lease: Session(dependencies, supplier, lease, states),
        metrics.suppliers_owned,
    )
    return Sessions(
        Owner(dependencies.owner, dependencies.pool, dependencies.suppliers, dependencies.registry, term), purpose
    )


def webhook_sessions(owner: Owner, dependencies: WebhookDependencies) -> Sessions:
    """Sending to webhooks of suppliers whose vendors fetch."""
    purpose = Purpose(
        "webhooks",
        lambda supplier, manifest: supplier.config.webhook is not None and fetches_commands(manifest),
        webhook_lease_of,
        partial(WebhookDelivery, dependencies),
        metrics.webhooks_owned,
    )
    return Sessions(owner, purpose)


class Sessions:
    """What this process does for the suppliers that it owns for one purpose."""

    def __init__(self, owner: Owner, purpose: Purpose) -> None:
        self._owner = owner
        self._purpose = purpose
        self._owned: dict[str, Work] = {}
        self._stopping = asyncio.Event()
        self.supervisor = Supervisor[str](purpose.loop, "supplier")

    def stop(self) -> None:
        """Own nothing more; `run` returns when all work is drained and every lease is given back."""
        self._stopping.set()

    async def run(self) -> None:
        """Until stopped."""
        try:
            async with asyncio.TaskGroup() as group:
                while not self._stopping.is_set():
                    with suppress(ServiceUnavailableError):
                        await self._round(group)
                    await self._rest()
                for session in self._owned.values():
                    session.stop()
        finally:
            with suppress(StoreUnavailableError):
                async with acquired(self._owner.pool) as connection:
                    await connection.execute(queries.LEFT, self._owner.name)

    async def _rest(self) -> None:
        """Until the next round; a supplier that is declared meanwhile does not wait for it."""
        known, until = self._wanted(), time.monotonic() + self._owner.term / 3
        while not self._stopping.is_set() and time.monotonic() < until and self._wanted() == known:
            await set_within(self._stopping, LOOK_SECONDS)

    async def _round(self, group: asyncio.TaskGroup) -> None:
        """Note that we live, give up what is too much, take what is free. A lease at fault keeps no other from us."""
        async with acquired(self._owner.pool) as connection:
            await connection.execute(queries.SEEN, self._owner.name)
            live: int = await connection.fetchval(queries.LIVE, self._owner.term)
            await connection.execute(queries.GONE)
        wanted = self._wanted()
        most = share(len(wanted), live)
        for supplier in given_up(self._working(), wanted, most):
            log.info("session.handed_over", supplier=supplier)
            self._owned[supplier].stop()
        free = [supplier for supplier in wanted if supplier not in self._owned]
        random.shuffle(free)  # two processes that start together do not all want the same
        while free and (room := most - len(self._working())) > 0:
            together = [free.pop() for _ in range(min(room, len(free), TAKEN_TOGETHER))]
            tries = (self.supervisor.run(supplier, partial(self._take, supplier, group)) for supplier in together)
            await asyncio.gather(*tries)
            self.supervisor.raise_outage()
        self._purpose.owned.set(len(self._owned))

    def _working(self) -> list[str]:
        """Suppliers that are ours, but for those whose work is coming to its end: these take no place."""
        return [supplier for supplier, session in self._owned.items() if not session.stopping]

    def _wanted(self) -> list[str]:
        """Suppliers to be owned; one whose adapter cannot be loaded is told of by the others' ways."""
        found = []
        for supplier in self._owner.suppliers.known():
            with suppress(ConfigError):
                if self._purpose.wanted(supplier, self._owner.registry.load(supplier.config.adapter).manifest):
                    found.append(supplier.id)
        return found

    async def _take(self, supplier: str, group: asyncio.TaskGroup) -> None:
        lease = Lease(self._owner.pool, self._purpose.lease(supplier), self._owner.name, term=self._owner.term)
        if not await lease.take():
            return
        session = self._purpose.begin(supplier, lease)
        self._owned[supplier] = session
        group.create_task(self._keep(supplier, session, lease), name=f"session {supplier}")

    async def _keep(self, supplier: str, session: Work, lease: Lease) -> None:
        try:
            await lease.keep(session.run, outlasts_outages=True)
        except Exception:
            # Whatever it was, it was this supplier's; the lease is free, and the next round takes it again.
            log.exception("session.failed", supplier=supplier)
        finally:
            del self._owned[supplier]
