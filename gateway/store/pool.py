"""Connections to PostgreSQL that fail in bounded time, with one error, and come back by themselves.

asyncpg is untyped; the Protocols here are what the rest of the gateway may use of it. Rows are mappings by column name.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol, TypeAlias, TypeVar

import asyncpg
import orjson
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from gateway.sdk.errors import ConfigError, ServiceUnavailableError
from gateway.store.address import unprotected, unreadable
from gateway.telemetry import metrics

T = TypeVar("T")

Promise: TypeAlias = Coroutine[Any, Any, T]
"""What an asynchronous method returns."""

Listener: TypeAlias = Callable[[Any, int, str, Any], object]
"""Called with connection, process, channel and payload of a notification."""

SESSION: Mapping[str, str] = {
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "statement_timeout": "60s",
    "transaction_timeout": "60s",
    "synchronous_commit": "on",
    # Generated SQL dates and the operators' psql sessions agree on instants whatever the server's zone is.
    "timezone": "UTC",
}
"""Server settings of every connection of the gateway."""

# A frozen server answers nothing and closes nothing: these bound what the server's own timeouts cannot.
_ACQUIRE_SECONDS = 10.0
_COMMAND_SECONDS = 30.0
_RELEASE_SECONDS = 5.0

_AWAY: tuple[type[BaseException], ...] = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, cancelled by statement_timeout
    asyncpg.InsufficientResourcesError,  # too many connections, out of disk or memory
    asyncpg.TransactionRollbackError,  # deadlock: the other one won
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, until the fail-over is through
)

_MISCONFIGURED: tuple[type[BaseException], ...] = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ClientConfigurationError,
)


_CERTIFICATE_FILES = ("PEM", "X509")
"""The parts of OpenSSL that read files of certificates: what they refuse never came over the line."""

# asyncpg says so of a connection that broke earlier; everything else it says of itself is a bug of ours.
_BROKEN = (
    "is closed",
    "is closing",
    "has been released back to the pool",  # by the pool itself, when the server ended it
    "cannot switch to state",  # the server's last word came in between
)


class StoreUnavailableError(ServiceUnavailableError):
    """PostgreSQL is away or too busy; nothing was committed, save by a commit whose answer was lost."""


class RowLockedError(StoreUnavailableError):
    """Somebody else held a row for longer than is waited for it; nothing was committed, and all else goes on."""


class Row(Protocol):
    """One row of a result: `row["column"]`, `row[0]`, `dict(row)`."""

    def __getitem__(self, key: str | int) -> Any: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def get(self, key: str, default: Any = None) -> Any: ...
    def keys(self) -> Iterable[str]: ...
    def values(self) -> Iterable[Any]: ...
    def items(self) -> Iterable[tuple[str, Any]]: ...


class Connection(Protocol):
    """What the gateway uses of an asyncpg connection. jsonb is Python values both ways; timeouts are seconds."""

    def execute(self, query: str, *args: object, timeout: float | None = None) -> Promise[str]: ...
    def executemany(
        self, command: str, args: Iterable[Sequence[object]], *, timeout: float | None = None
    ) -> Promise[None]: ...
    def fetch(self, query: str, *args: object, timeout: float | None = None) -> Promise[list[Row]]: ...
    def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Promise[Row | None]: ...
    def fetchval(self, query: str, *args: object, column: int = 0, timeout: float | None = None) -> Promise[Any]: ...
    def cursor(self, query: str, *args: object, prefetch: int | None = None) -> AsyncIterable[Row]: ...
    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> AbstractAsyncContextManager[None]: ...
    def add_listener(self, channel: str, callback: Listener) -> Promise[None]: ...
    def remove_listener(self, channel: str, callback: Listener) -> Promise[None]: ...
    def add_termination_listener(self, callback: Callable[[Any], Any]) -> None: ...
    def is_closed(self) -> bool: ...


class Pool(Protocol):
    """A pool as opened by `open_pool`; use it through `transaction` and `acquired`, which bound and translate."""

    def acquire(self, *, timeout: float | None = None) -> Promise[Any]: ...
    def release(self, connection: Any, *, timeout: float | None = None) -> Promise[None]: ...
    def get_size(self) -> int: ...
    def get_idle_size(self) -> int: ...


@contextmanager
def translate() -> Iterator[None]:
    """Turn every way in which PostgreSQL can be away or too busy into StoreUnavailableError."""
    try:
        yield
    except _AWAY as error:
        metrics.store_errors_total.labels(kind=type(error).__name__).inc()
        kind = RowLockedError if isinstance(error, asyncpg.LockNotAvailableError) else StoreUnavailableError
        raise kind(f"PostgreSQL: {error or type(error).__name__}") from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if not any(phrase in str(error) for phrase in _BROKEN):
            raise
        metrics.store_errors_total.labels(kind=type(error).__name__).inc()
        raise StoreUnavailableError(f"PostgreSQL: {error}") from error


@asynccontextmanager
async def open_pool(
    url: str, *, name: str, size: int, session: Mapping[str, str] | None = None, wait_seconds: float = 30.0
) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections that names itself `mallgate <name>` to the server.

    session: further server settings of its connections; wait_seconds: seconds to wait for a server that is still away.
    Raises ConfigError when the server refuses us, StoreUnavailableError when it stays away.
    """

    refuse_unusable(url)

    async def attempt() -> Any:
        options = _options(name, session)
        return await asyncpg.create_pool(
            url, min_size=1, max_size=size, init=_speak_json, connection_class=_Unchanged, **options
        )

    pool = await _until_available(attempt, wait_seconds)
    try:
        yield pool
    finally:
        await _closed(pool)


@asynccontextmanager
async def connect(url: str, *, name: str, wait_seconds: float = 30.0) -> AsyncIterator[Connection]:
    """One connection without a pool, for what is done once. Raises as `open_pool` does."""

    refuse_unusable(url)

    async def attempt() -> Any:
        connection = await asyncpg.connect(url, **_options(name, None))
        await _speak_json(connection)
        return connection

    connection = await _until_available(attempt, wait_seconds)
    try:
        yield connection
    finally:
        await _closed(connection)


def refuse_unusable(url: str) -> None:
    """Raises ConfigError for a line that nobody said may be unverified, or whose certificates cannot be read."""
    if reason := unprotected(url, os.environ) or unreadable(url, os.environ):
        raise ConfigError([f"DATABASE_URL: {reason}"])


async def _closed(closable: Any) -> None:
    """End a pool or a connection in an orderly way; a server that does not answer is left at once."""
    try:
        async with asyncio.timeout(_RELEASE_SECONDS):
            await closable.close()
    except _AWAY:
        closable.terminate()


async def _until_available(attempt: Callable[[], Awaitable[T]], wait_seconds: float) -> T:
    """The one policy of reconnecting to PostgreSQL: full jitter up to 2 s, only while it is away."""
    policy = AsyncRetrying(
        retry=retry_if_exception_type(StoreUnavailableError),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        stop=stop_after_delay(wait_seconds),
        reraise=True,
    )

    async def guarded() -> T:
        try:
            with translate():
                return await _verified(attempt)
        except _MISCONFIGURED as error:
            raise ConfigError([f"DATABASE_URL: {error}"]) from error

    return await policy(guarded)


async def _verified(attempt: Callable[[], Awaitable[T]]) -> T:
    """Raises ConfigError where the server is not who it should be: waiting would not change that."""
    try:
        return await attempt()
    except ssl.SSLCertVerificationError as error:
        raise ConfigError([f"DATABASE_URL: the server is not to be trusted: {error.verify_message}"]) from error
    except ssl.SSLError as error:
        if error.library not in _CERTIFICATE_FILES:
            raise
        raise ConfigError([f"DATABASE_URL: a file of certificates cannot be used: {error.reason}"]) from error


@asynccontextmanager
async def acquired(pool: Pool) -> AsyncIterator[Connection]:
    """A connection of the pool without a transaction, for single statements and for listening."""
    with translate():
        connection = await pool.acquire(timeout=_ACQUIRE_SECONDS)
        try:
            yield connection
        finally:
            await pool.release(connection, timeout=_RELEASE_SECONDS)


@asynccontextmanager
async def listening(pool: Pool, channel: str, notified: asyncio.Event) -> AsyncIterator[Connection]:
    """A connection of the pool that sets `notified` whenever the channel is notified, from before the block begins.

    A notice may be lost with its connection, so whoever listens looks by himself as well, from time to time.
    """

    def notice(*_: object) -> None:
        notified.set()

    async with acquired(pool) as connection:
        await connection.add_listener(channel, notice)
        try:
            yield connection
        finally:
            # With the connection broken it must not take the place of what ended the block, a cancellation say.
            with suppress(StoreUnavailableError), translate():
                await connection.remove_listener(channel, notice)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A connection in a transaction that commits when the block ends well.

    Raises StoreUnavailableError instead of every way in which PostgreSQL can be away; whatever else the block raises
    rolls back and passes.
    """
    async with acquired(pool) as connection, connection.transaction():
        yield connection


async def ping(pool: Pool) -> None:
    """One round trip. Raises StoreUnavailableError."""
    async with acquired(pool) as connection:
        await connection.fetchval("SELECT 1", timeout=5.0)


class _Unchanged(asyncpg.Connection):  # type: ignore[misc]  # untyped base
    """Goes back to its pool without the question that undoes what a session changed: nothing here changes one.

    Locks, cursors and settings of ours all end with their transaction, and whoever listens says when he stops.
    """

    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""


def _options(name: str, session: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "server_settings": {**SESSION, **(session or {}), "application_name": f"mallgate {name}"},
        "command_timeout": _COMMAND_SECONDS,
        "timeout": _ACQUIRE_SECONDS,
    }


async def _speak_json(connection: Any) -> None:
    """json and jsonb as Python values. The binary form of json is its text; jsonb has a version byte, 1, before it."""
    await connection.set_type_codec(
        "json", schema="pg_catalog", format="binary", encoder=orjson.dumps, decoder=_value_of
    )
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda data: _value_of(data[1:]),
    )


def _value_of(data: bytes) -> Any:
    """The value of a JSON text; the text itself where it is beyond what we read, as 1e400: never written by us.

    What a decoder raises would end the statement, and so keep every other row of it from being read.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode()
