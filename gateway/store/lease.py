"""One owner at a time, by PostgreSQL's clock.

The owner counts its term by its own clock from before the statement left, so it always ends for the owner before it
ends for the others. A process that was frozen meanwhile is stopped by `fence`: every write takes the lease's row
`FOR KEY SHARE` under its epoch, and a takeover takes it `FOR UPDATE`. The epoch also tells an owner whose term ran out,
because PostgreSQL was away, that nobody has taken the lease over: it may begin the term again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from gateway.sdk.errors import GatewayError
from gateway.store.pool import Connection, Pool, StoreUnavailableError, acquired, transaction

log = structlog.get_logger(__name__)

ENSURE = "INSERT INTO leases (name, owner, epoch, until) VALUES ($1, '', 0, '-infinity') ON CONFLICT DO NOTHING"
LOCK = "SELECT true FROM leases WHERE name = $1 AND until < clock_timestamp() FOR UPDATE"
TAKE = """
    UPDATE leases SET owner = $2, epoch = epoch + 1, until = clock_timestamp() + make_interval(secs => $3)
     WHERE name = $1 RETURNING epoch
"""
RENEW = """
    UPDATE leases SET until = clock_timestamp() + make_interval(secs => $3)
     WHERE name = $1 AND epoch = $2 AND until > clock_timestamp() RETURNING true
"""
# A term that ran out is started again as long as nobody has taken the lease over: the epoch tells.
REGAIN = """
    UPDATE leases SET until = clock_timestamp() + make_interval(secs => $3)
     WHERE name = $1 AND epoch = $2 RETURNING true
"""
RELEASE = "UPDATE leases SET until = '-infinity' WHERE name = $1 AND epoch = $2"
HOLD = "SELECT epoch, until > clock_timestamp() AS live FROM leases WHERE name = $1 FOR UPDATE"
FENCE = "SELECT true FROM leases WHERE name = $1 AND epoch = $2 FOR KEY SHARE"


AWAY_SECONDS = 1.0
"""Of one try to begin a term again that ran out, and between two of them."""


class LeaseLostError(GatewayError):
    """Another process has taken the lease over; nothing may be written any more."""


class Lease:
    """A named lease and this process's claim to it. term: seconds it lasts without renewal."""

    def __init__(self, pool: Pool, name: str, owner: str, *, term: float = 15.0) -> None:
        self.name = name
        self._pool = pool
        self._owner = owner
        self._term = term
        self._epoch = 0
        self._until = float("-inf")
        self._taken_over = False
        self._moved = asyncio.Event()

    @property
    def term(self) -> float:
        """Seconds that it lasts without renewal."""
        return self._term

    @property
    def epoch(self) -> int:
        """Number of the claim, higher with each owner; 0 before it was taken."""
        return self._epoch

    @property
    def held(self) -> bool:
        """Whether the lease is ours, as far as this process can know without asking."""
        return time.monotonic() < self._until

    async def take(self) -> bool:
        """Take the lease if its term is over. Raises StoreUnavailableError."""
        asked = time.monotonic()
        async with transaction(self._pool) as connection:
            await connection.execute(ENSURE, self.name)
            # FOR UPDATE, which the UPDATE alone would not be: it waits for writes that still hold FOR KEY SHARE.
            if not await connection.fetchval(LOCK, self.name):
                return False
            self._epoch = await connection.fetchval(TAKE, self.name, self._owner, self._term)
        self._taken_over = False
        self._until = asked + self._term
        return True

    async def renew(self) -> None:
        """Begin the term again. Raises LeaseLostError, and StoreUnavailableError when it is not known."""
        await self._start_term(RENEW)

    async def regain(self) -> None:
        """Begin the term again though it may be over, unless another has taken the lease over. Raises as `renew`."""
        await self._start_term(REGAIN)

    async def _start_term(self, statement: str) -> None:
        asked = time.monotonic()
        async with transaction(self._pool) as connection:
            renewed = await connection.fetchval(statement, self.name, self._epoch, self._term)
        if not renewed:
            raise self._lost()
        self._until = asked + self._term
        self._moved.set()

    async def until_held(self) -> None:
        """Return once the lease is ours for certain: while PostgreSQL is away nobody can tell.

        Raises LeaseLostError once it is another's.
        """
        while not self.held:
            if self._taken_over:
                raise LeaseLostError(f"lease {self.name} was lost")
            self._moved.clear()
            await self._moved.wait()

    def _lost(self) -> LeaseLostError:
        """Note that the lease is another's; the error that says so."""
        self._until = float("-inf")
        self._taken_over = True
        self._moved.set()
        return LeaseLostError(f"lease {self.name} was lost")

    async def release(self) -> None:
        """Give the lease back, so that the next owner need not wait for the term to end."""
        self._until = float("-inf")
        async with transaction(self._pool) as connection:
            await connection.execute(RELEASE, self.name, self._epoch)

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection without a transaction, for what any process may read. Raises StoreUnavailableError."""
        return acquired(self._pool)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that only the owner can have. Raises LeaseLostError, StoreUnavailableError."""
        async with transaction(self._pool) as connection:
            await self.fence(connection)
            yield connection

    async def fence(self, connection: Connection) -> None:
        """Hold the lease for the transaction of `connection`. Raises LeaseLostError: roll back, stop."""
        if not await connection.fetchval(FENCE, self.name, self._epoch):
            raise self._lost()

    async def hold(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` whenever the lease is ours, for ever; it is cancelled when the lease may be another's.

        What `work` raises ends this too, save LeaseLostError and StoreUnavailableError; when it returns, so does this.
        """
        while True:
            if await self._taken() and await self.keep(work):
                return
            await asyncio.sleep(self._term / 3)

    async def keep(self, work: Callable[[], Awaitable[None]], *, outlasts_outages: bool = False) -> bool:
        """Run `work` under a lease just taken; it is cancelled when the lease may be another's. Gives the lease back.

        outlasts_outages: it is cancelled when the lease is another's for certain. For work that awaits `until_held`
        before anything leaves this process, and writes fenced alone. True when the work came to its end, False when
        the lease did. What `work` raises passes, save LeaseLostError and StoreUnavailableError.
        """
        log.info("lease.taken", lease=self.name, epoch=self._epoch)
        try:
            ended = await self._work_while_held(work, outlasts_outages=outlasts_outages)
        finally:
            if self.held:
                with suppress(StoreUnavailableError):
                    await self.release()
        if not ended:
            log.warning("lease.lost", lease=self.name, epoch=self._epoch)
        return ended

    async def _taken(self) -> bool:
        with suppress(StoreUnavailableError):
            return await self.take()
        return False

    async def _work_while_held(self, work: Callable[[], Awaitable[None]], *, outlasts_outages: bool) -> bool:
        """True when the work came to its end, False when the lease did."""
        working = asyncio.ensure_future(work())
        renew, least = (self.regain, AWAY_SECONDS) if outlasts_outages else (self.renew, 0.0)
        try:
            while self.held or (outlasts_outages and not self._taken_over):
                left = max(least, self._until - time.monotonic())
                await asyncio.wait([working], timeout=min(self._term / 3, left))
                if working.done():
                    return _ended_well(working)
                await self._renewed(renew, within=max(least, self._until - time.monotonic()))
            return False
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _renewed(self, renew: Callable[[], Awaitable[None]], *, within: float) -> None:
        """Renew; while PostgreSQL is away the term runs on, and out."""
        with suppress(LeaseLostError, StoreUnavailableError, TimeoutError):
            async with asyncio.timeout(within):
                await renew()


@dataclass(frozen=True, slots=True)
class Held:
    """A transaction in which no owner of a lease writes. epoch: of the owner of today, None: there is none."""

    connection: Connection
    epoch: int | None


@asynccontextmanager
async def holding_off_owners(pool: Pool, name: str) -> AsyncIterator[Held]:
    """A transaction in which nobody writes as the owner of a lease, nor takes it over. Its row is held as a takeover
    holds it; who owns it goes on afterwards. Raises StoreUnavailableError.
    """
    async with transaction(pool) as connection:
        await connection.execute(ENSURE, name)
        row = await connection.fetchrow(HOLD, name)
        if row is None:
            raise StoreUnavailableError(f"lease {name} is gone")
        yield Held(connection, row["epoch"] if row["live"] else None)


def _ended_well(working: asyncio.Future[None]) -> bool:
    try:
        working.result()
    except (LeaseLostError, StoreUnavailableError):
        return False
    return True
