"""What the tasks of one supplier's session share: its row and adapter, the ways to it and into the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from gateway.calls.calls import Calls, limits_of
from gateway.events import set_within
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.runs import Runs
from gateway.pulls.drain import Drain
from gateway.pulls.reading import Reading, Witness
from gateway.sdk.adapter import Adapter, PullsFeeds
from gateway.sdk.manifest import Manifest
from gateway.store import Connection, Lease, Pool, acquired
from gateway.suppliers import Supplier
from schemas.catalog import Facet

AREAS, ORDERS, INVOICES = "areas", "orders", "invoices"
"""Subjects of re-reads that are no facets; who reads orders is another task of the session."""


class Signal:
    """Says that there may be something to reread."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """There is."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until there is, or for so long."""
        await set_within(self._event, seconds)
        self._event.clear()


def signals_by_subject() -> Mapping[str, Signal]:
    """One for every subject of re-reads."""
    return {subject: Signal() for subject in (*Facet, AREAS, ORDERS, INVOICES)}


class InFlight:
    """Skus that are being asked about: questions that may tell of the same key never overlap.

    Their answers could otherwise arrive in another order than the versions that were taken before they left.
    """

    def __init__(self) -> None:
        self._asked: dict[Facet, set[str]] = {facet: set() for facet in Facet}
        self._moved = asyncio.Condition()

    @asynccontextmanager
    async def asking(self, facet: Facet, skus: Iterable[str]) -> AsyncIterator[None]:
        """Wait until none of these is being asked about; then they are, until the block ends."""
        wanted, asked = set(skus), self._asked[facet]
        async with self._moved:
            await self._moved.wait_for(lambda: asked.isdisjoint(wanted))
            asked |= wanted
        try:
            yield
        finally:
            asked -= wanted
            async with self._moved:
                self._moved.notify_all()


@dataclass(slots=True)
class SupplierContext:
    """One supplier, ready to be worked for.

    supplier: its row, replaced in place by revisions that change no question and no reading of an answer; same_since:
    the first revision whose questions and readings are those of today; urgent: for what messages ask; patient: for
    sweeps, which wait for the former; report_health: says to operators how a task of the session fares, None for well.
    """

    supplier: Supplier
    same_since: int
    adapter: Adapter
    manifest: Manifest
    urgent: Calls
    patient: Calls
    lease: Lease
    pool: Pool
    numbers: FeedNumbers
    runs: Runs
    in_flight: InFlight
    signals: Mapping[str, Signal]
    report_health: Callable[[str, str | None], None]
    drain: Drain = field(default_factory=Drain)
    witnesses: dict[Facet, Witness] = field(default_factory=dict)

    @property
    def concurrency(self) -> int:
        """Calls that may be under way at once."""
        return limits_of(self.manifest, self.supplier.config.http).concurrency

    def begin_drain(self) -> None:
        """Have all tasks end after the unit of work that they are at."""
        self.drain.begin()
        for each in self.signals.values():
            each.set()

    @property
    def facets(self) -> tuple[Facet, ...]:
        """What is pulled: the supplier's facets that its adapter can pull."""
        return tuple(facet for facet in self.supplier.config.facets if facet in self.manifest.pulls)

    def reading(self, facet: Facet, calls: Calls) -> Reading:
        """Questions about a facet, by these calls."""
        adapter = cast(PullsFeeds, self.adapter)
        return Reading(adapter, facet, calls, calls.suspecting(), self.witnesses)

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction that only the supplier's owner can have. Raises LeaseLostError, StoreUnavailableError."""
        return self.lease.transaction()

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Connection]:
        """A connection for what only reads; what is done about it is fenced. Raises StoreUnavailableError."""
        async with acquired(self.pool) as connection:
            yield connection
