"""The token of one supplier: obtained by one call at a time, shared by all, kept for whoever owns the supplier next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from gateway.calls import token_queries as queries
from gateway.calls.attempts import CallsEndedError
from gateway.calls.breakers import BreakerOpenError
from gateway.sdk.adapter import Token
from gateway.sdk.errors import SupplierError, TransientError, UnavailableError
from gateway.store import Connection, LeaseLostError, Pool, StoreUnavailableError, transaction
from gateway.store.outage import retry_while_unavailable
from gateway.suppliers import SealedTable, SecretBox, SecretUnreadableError
from gateway.telemetry import metrics

T = TypeVar("T")

log = structlog.get_logger(__name__)

Obtain = Callable[[Token | None], Awaitable[Token]]
"""Asks the supplier for a new token; given the one before. Raises SupplierError."""

Fence = Callable[[Connection], Awaitable[None]]
"""Holds the supplier's lease for a transaction. Raises LeaseLostError."""

AHEAD = 0.1
"""Share of its life before whose end a token is exchanged, give or take a fifth: owners must not all do it at once."""

ATTEMPTS = 3
BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 5.0

LEAST_LIFE = timedelta(seconds=60)
"""A token is used for so long whatever its end says: a supplier whose clock is wrong is not asked before each call.

After a failure to exchange a token that is still good, so much time passes too.
"""

SEALED_AS = ".token"
"""Its name in the box: no secret of a row can be called so."""

SEALED_TOKENS = SealedTable("supplier_tokens", queries.SEALED, queries.LOCK, queries.RESEAL)

_TOKEN = TypeAdapter(Token)


class NoTokenError(UnavailableError):
    """The supplier gives no token for now."""


@dataclass(frozen=True, slots=True)
class Held:
    """A token and when it was obtained."""

    token: Token
    obtained_at: datetime

    @property
    def ends_at(self) -> datetime:
        """Until when it can be used."""
        return max(self.token.expires_at, self.obtained_at + LEAST_LIFE)

    def due_at(self, roll: float) -> datetime:
        """From when on it is to be exchanged. roll: in [0, 1)."""
        ahead = (self.ends_at - self.obtained_at) * AHEAD * (0.8 + 0.4 * roll)
        return max(self.ends_at - ahead, self.obtained_at + LEAST_LIFE)


class TokenStore:
    """Where the token of a supplier outlives its owner: sealed, and written under the owner's lease alone."""

    def __init__(self, pool: Pool, box: SecretBox, supplier: str, fence: Fence) -> None:
        self._pool = pool
        self._box = box
        self._supplier = supplier
        self._fence = fence

    async def load(self) -> Held | None:
        """What is kept; None also for what cannot be opened any more. Raises StoreUnavailableError."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.LOAD, self._supplier)
        if row is None:
            return None
        try:
            opened = self._box.open(self._supplier, SEALED_AS, row["ciphertext"])
            return Held(_TOKEN.validate_json(opened), row["obtained_at"])
        except (SecretUnreadableError, ValidationError):
            log.warning("token.unreadable", supplier=self._supplier)
            return None

    async def confirm(self) -> None:
        """Make sure that the supplier is still ours. Raises LeaseLostError, and StoreUnavailableError."""
        async with transaction(self._pool) as connection:
            await self._fence(connection)

    async def save(self, held: Held) -> None:
        """Keep a token. Raises LeaseLostError, and StoreUnavailableError."""
        sealed = self._box.seal(self._supplier, SEALED_AS, orjson.dumps(asdict(held.token)))
        async with transaction(self._pool) as connection:
            await self._fence(connection)
            await connection.execute(queries.SAVE, self._supplier, sealed, held.token.expires_at, held.obtained_at)


class Tokens:
    """The token of one supplier, for all its calls. clock: an instant with offset; dice: a number in [0, 1)."""

    def __init__(
        self,
        supplier: str,
        obtain: Obtain,
        store: TokenStore,
        *,
        clock: Callable[[], datetime],
        dice: Callable[[], float],
        backoff: float = BACKOFF_SECONDS,
    ) -> None:
        self._supplier = supplier
        self._obtain = obtain
        self._store = store
        self._clock = clock
        self._dice = dice
        self._backoff = backoff
        self._held: Held | None = None
        self._due_at = clock()
        self._exchanging: asyncio.Task[Token] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def load(self) -> None:
        """Take over what the owner before has left. Raises StoreUnavailableError."""
        if held := await self._store.load():
            self._hold(held)

    async def close(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def use(self, obtain: Obtain) -> None:
        """The secrets are others now: a token that was given for the former ones is used and kept no more."""
        self._obtain = obtain
        self._held = None
        self._exchanging = None

    async def current(self) -> Token:
        """A token that can be used now; one that ends soon is exchanged meanwhile.

        While PostgreSQL is away, none is exchanged. Raises the SupplierError that kept us from having one, and
        LeaseLostError.
        """
        now = self._clock()
        if self._held is None or now >= self._held.ends_at:
            return await asyncio.shield(self._exchange())
        if now >= self._due_at:
            _ = self._exchange()
        return self._held.token

    async def renew(self, used: Token) -> Token:
        """Another token than one that the supplier refused: obtained now, unless that has happened. Raises as above."""
        if self._held is not None and self._held.token.value != used.value:
            return self._held.token
        return await asyncio.shield(self._exchange())

    def _exchange(self) -> asyncio.Future[Token]:
        """The one exchange under way. It is a task: a call that is cancelled must not end what others wait for."""
        if self._exchanging is None or self._exchanging.done():
            self._exchanging = self._begin(self._exchanged(), "exchange token")
            self._exchanging.add_done_callback(_retrieved)
        return self._exchanging

    def _begin(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=f"{name} of {self._supplier}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _exchanged(self) -> Token:
        obtain = self._obtain
        # An owner that was frozen past its lease finds out here, before it spends the token of the next one.
        await retry_while_unavailable(self._store.confirm)
        self._due_at = self._clock() + LEAST_LIFE
        held = Held(await self._obtained(obtain, self._held.token if self._held else None), self._clock())
        if obtain is not self._obtain:  # the secrets changed meanwhile: whoever waited finds out whether it still does
            return held.token
        self._hold(held)
        try:
            await self._store.save(held)
        except StoreUnavailableError:  # it is good without being kept, and is kept as soon as it can be
            _ = self._begin(self._save(held), "save token")
        return held.token

    async def _save(self, held: Held) -> None:
        async def save() -> None:
            if held is self._held:
                await self._store.save(held)

        with suppress(LeaseLostError):
            await retry_while_unavailable(save)

    async def _obtained(self, obtain: Obtain, before: Token | None) -> Token:
        async def ask() -> Token:  # tenacity awaits only what is declared async
            return await obtain(before)

        refreshes = metrics.token_refreshes_total
        try:
            token: Token = await asking(self._backoff)(ask)
        except SupplierError as error:
            refreshes.labels(supplier=self._supplier, outcome="failed").inc()
            log.warning("token.refused", supplier=self._supplier, error=type(error).__name__, reason=str(error))
            if isinstance(error, TransientError):
                raise NoTokenError(f"{NoTokenError()} {error}", operation=error.operation) from error
            raise
        refreshes.labels(supplier=self._supplier, outcome="obtained").inc()
        return token

    def _hold(self, held: Held) -> None:
        self._held = held
        self._due_at = held.due_at(self._dice())


def asking(backoff: float) -> AsyncRetrying:
    """The one policy of asking for tokens: a few times, with full jitter. What it repeats repeats nothing itself."""
    return AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, TransientError) and not _is_final(error)),
        wait=wait_random_exponential(multiplier=backoff, max=LONGEST_BACKOFF_SECONDS),
        stop=stop_after_attempt(ATTEMPTS),
        reraise=True,
    )


def _is_final(error: BaseException) -> bool:
    return isinstance(error, BreakerOpenError | CallsEndedError)


def _retrieved(task: asyncio.Task[Token]) -> None:
    """An exchange that nobody waits for may fail without a word of asyncio's: its log line has been written."""
    if not task.cancelled():
        task.exception()
