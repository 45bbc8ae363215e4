"""Resealing what is kept sealed, so that a former secret key is needed no more.

Rows are read in pages and sealed one at a time, each in a transaction of its own: no two locks are ever held together,
so that no gateway waits for long, and a run that is cut short leaves rows that the next run finds current. A row is
read again under its lock: what a gateway wrote meanwhile is what gets sealed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.store import Pool, Row, acquired, transaction
from gateway.store.audit import record
from gateway.suppliers import queries
from gateway.suppliers.secrets import SecretBox, SecretUnreadableError

PAGE = 200
"""Rows read at a time."""

ACTION = "secrets.reseal"
"""In the audit."""


@dataclass(frozen=True, slots=True)
class SealedTable:
    """A table with sealed values, each sealed as a supplier's value of a name.

    page: rows (supplier, name, ciphertext, needed) behind a place, so many, in the order of places; lock: the
    ciphertext of the one at a place, locked; store: gives it another ciphertext.
    """

    name: str
    page: str
    lock: str
    store: str
    beginning: Mapping[str, object] = field(default_factory=lambda: {"supplier": "", "name": ""})
    """Columns that tell a place, which are parameters of the statements, and what lies before the first."""


SEALED_BY_SUPPLIERS = (
    SealedTable("supplier_secrets", queries.SEALED, queries.LOCK_SEALED, queries.RESEAL),
    SealedTable("api_keys", queries.SEALED_KEYS, queries.LOCK_KEY, queries.RESEAL_KEY),
)


@dataclass(frozen=True, slots=True)
class UnreadableSecret:
    """A sealed value that none of the keys opens. name: of the secret, or the id of the key."""

    table: str
    supplier: str
    name: str
    reason: str


@dataclass(slots=True)
class ResealReport:
    """How sealed values stand to a secret key.

    key: its public name; resealed: how many were resealed or, where they were only counted, have yet to be.
    What cannot be opened and serves nobody any more, a revoked key say, counts nowhere.
    """

    key: str
    resealed: int
    current: int
    unreadable: list[UnreadableSecret]


Move = Callable[[SealedTable, Row], Awaitable[bool]]
"""Takes a value that another key sealed; returns whether it was still so. Raises SecretUnreadableError."""


async def count_sealed(pool: Pool, box: SecretBox, tables: Iterable[SealedTable]) -> ResealReport:
    """How every sealed value stands to the keys of the box; changes nothing. Raises StoreUnavailableError."""

    async def change_nothing(_: SealedTable, __: Row) -> bool:
        return True

    return await _visit_sealed(pool, box, tables, change_nothing)


async def reseal(pool: Pool, box: SecretBox, tables: Sequence[SealedTable], actor: str) -> ResealReport:
    """Seal with the box's first key what another of its keys sealed. Raises StoreUnavailableError: begin again then.

    The audit row is written before the first change, so that a run that is cut short has one as well.
    """
    ahead = await count_sealed(pool, box, tables)
    detail = {"key": ahead.key, "to_reseal": ahead.resealed, "unreadable": len(ahead.unreadable)}
    async with transaction(pool) as connection:
        await record(connection, actor, ACTION, target="secrets", detail=detail)

    async def reseal_row(table: SealedTable, row: Row) -> bool:
        return await _reseal_value(pool, box, table, row)

    return await _visit_sealed(pool, box, tables, reseal_row)


async def rotated_at(pool: Pool, box: SecretBox) -> datetime | None:
    """When values were last resealed with the box's first key, or it was first found that none had to be."""
    async with acquired(pool) as connection:
        at: datetime | None = await connection.fetchval(queries.ROTATED_AT, ACTION, box.current_key_id)
    return at


async def _visit_sealed(pool: Pool, box: SecretBox, tables: Iterable[SealedTable], move: Move) -> ResealReport:
    found = ResealReport(box.current_key_id, 0, 0, [])
    async for table, row in _sealed_rows(pool, tables):
        try:
            box.open(row["supplier"], row["name"], row["ciphertext"])
            moved = not box.is_current(row["ciphertext"]) and await move(table, row)
        except SecretUnreadableError as error:
            if row["needed"]:
                found.unreadable.append(UnreadableSecret(table.name, row["supplier"], row["name"], str(error)))
            continue
        found.resealed += moved
        found.current += not moved
    return found


async def _sealed_rows(pool: Pool, tables: Iterable[SealedTable]) -> AsyncIterator[tuple[SealedTable, Row]]:
    """Every sealed value, with its table."""
    for table in tables:
        place: Sequence[object] = list(table.beginning.values())
        while True:
            async with acquired(pool) as connection:
                rows = await connection.fetch(table.page, *place, PAGE)
            for row in rows:
                yield table, row
            if len(rows) < PAGE:
                break
            place = _place(table, rows[-1])


def _place(table: SealedTable, row: Row) -> Sequence[object]:
    return [row[column] for column in table.beginning]


async def _reseal_value(pool: Pool, box: SecretBox, table: SealedTable, row: Row) -> bool:
    """Seal one value as it is now; False when somebody did meanwhile, or it is gone.

    Raises SecretUnreadableError when a gateway with an unknown key has written it meanwhile.
    """
    place, supplier, name = _place(table, row), row["supplier"], row["name"]
    async with transaction(pool) as connection:
        sealed = await connection.fetchval(table.lock, *place)
        if sealed is None or box.is_current(sealed):
            return False
        resealed = box.seal(supplier, name, box.open(supplier, name, sealed))
        await connection.execute(table.store, *place, resealed)
    return True
