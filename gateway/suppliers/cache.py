"""What a running process knows of suppliers: changes take effect without restart, at once or within two seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from gateway.events import set_within
from gateway.sdk.errors import ConfigError, ServiceUnavailableError
from gateway.store import Connection, Pool, Row, acquired, listening
from gateway.suppliers import queries
from gateway.suppliers.keyring import Keyring
from gateway.suppliers.rows import Supplier, UnknownSupplierError, supplier_of
from gateway.suppliers.secrets import SecretBox

POLL = 2.0
"""Seconds between two looks at the table, should a notice be lost."""

FLUSH = 60.0
"""Seconds between two writes of when keys were used."""

log = structlog.get_logger()


class SupplierCache:
    """The suppliers as last seen. While PostgreSQL is away what was seen stays known."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._suppliers: dict[str, Supplier] = {}
        self._unreadable: dict[str, tuple[int, str]] = {}

    async def get(self, supplier: str) -> Supplier:
        """A supplier; one not seen yet is looked up.

        Raises UnknownSupplierError, StoreUnavailableError, and ConfigError for one of another release.
        """
        known = self._suppliers.get(supplier)
        return known if known is not None else await self._find(supplier)

    def known(self) -> list[Supplier]:
        """Every supplier as last seen, by id."""
        return sorted(self._suppliers.values(), key=lambda supplier: supplier.id)

    async def refresh(self, connection: Connection) -> None:
        """See what is new. Configurations are read where the revision moved, so that looking costs little."""
        stamps = {row["supplier"]: row for row in await connection.fetch(queries.STAMPS)}
        for gone in self._suppliers.keys() - stamps.keys():
            del self._suppliers[gone]
        moved = [each for each, row in stamps.items() if not _same(self._suppliers.get(each), row)]
        rows = await connection.fetch(queries.SEVERAL, moved) if moved else []
        for row in rows:
            self._take(row)

    def _take(self, row: Row) -> None:
        """A row of another release is said once; the others must not suffer, and what was known of it still holds."""
        supplier, stamp = row["supplier"], _stamp(row)
        try:
            self._suppliers[supplier] = supplier_of(row)
        except ConfigError:
            if self._unreadable.get(supplier) != stamp:
                log.exception("supplier.unreadable", supplier=supplier, revision=row["revision"])
            self._unreadable[supplier] = stamp

    async def _find(self, supplier: str) -> Supplier:
        async with acquired(self._pool) as connection:
            row = await connection.fetchrow(queries.ONE, supplier)
        if row is None:
            raise UnknownSupplierError(f"There is no supplier {supplier!r}.")
        return self._suppliers.setdefault(supplier, supplier_of(row))


def _same(known: Supplier | None, row: Row) -> bool:
    return known is not None and (known.revision, known.state.value) == _stamp(row)


def _stamp(row: Row) -> tuple[int, str]:
    return row["revision"], row["state"]


@dataclass(frozen=True, slots=True)
class Live:
    """Suppliers and their credentials, kept current."""

    suppliers: SupplierCache
    keys: Keyring


@asynccontextmanager
async def watch_suppliers(pool: Pool, box: SecretBox) -> AsyncIterator[Live]:
    """Suppliers and keys, kept current until the block ends; holds one connection of the pool.

    Raises StoreUnavailableError when they cannot be read at the start; later outages are waited out.
    """
    live = Live(SupplierCache(pool), Keyring(pool, box))
    async with acquired(pool) as connection:
        await live.suppliers.refresh(connection)
    watching = asyncio.create_task(_watch(pool, live), name="suppliers.watch")
    try:
        yield live
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        with suppress(ServiceUnavailableError):
            async with acquired(pool) as connection:
                await live.keys.flush(connection)


async def _watch(pool: Pool, live: Live) -> None:
    away, changed = False, asyncio.Event()
    while True:
        try:
            async with listening(pool, queries.CHANNEL, changed) as connection:
                away = False
                await _follow(connection, live, changed)
        except ServiceUnavailableError as error:
            if not away:
                log.warning("suppliers.unwatched", error=str(error))
            away = True
        except Exception:
            # A bug here must not leave the process with what it knew an hour ago.
            log.exception("suppliers.watch_failed")
        await asyncio.sleep(POLL)


async def _follow(connection: Connection, live: Live, changed: asyncio.Event) -> None:
    """Look at every notice and at least every POLL seconds. Ends by what the connection raises."""
    loop = asyncio.get_running_loop()
    flushed = loop.time()
    while True:
        live.keys.forget()
        await live.suppliers.refresh(connection)
        if loop.time() - flushed >= FLUSH:
            flushed = loop.time()
            await live.keys.flush(connection)
        await set_within(changed, POLL)
        changed.clear()
