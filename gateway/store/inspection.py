"""Whether a database is fit for the gateway, without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.store.migrate import APPLIED, Migration, migrations, missing
from gateway.store.pool import Connection, translate

OLDEST = 170000
"""`server_version_num` of the first PostgreSQL with transaction_timeout, which bounds what a frozen process holds."""

VERSION = "SELECT current_setting('server_version_num')::int"

EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"

# What a commit must survive; a server that was told otherwise loses what suppliers were told is safe.
DURABLE: Mapping[str, str] = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}

SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])"


async def unfit(connection: Connection) -> list[str]:
    """Why the database cannot be used, a line each. Raises StoreUnavailableError."""
    with translate():
        version = await connection.fetchval(VERSION)
        rows = await connection.fetch(SETTINGS, list(DURABLE))
    return list(problems(version, {row["name"]: row["setting"] for row in rows}))


def problems(version: int, settings: Mapping[str, str]) -> Iterator[str]:
    """Why a server cannot be used. version: its `server_version_num`."""
    if version < OLDEST:
        yield f"PostgreSQL {version // 10000} is too old; {OLDEST // 10000} or newer is needed"
    for name, value in DURABLE.items():
        if settings.get(name) != value:
            yield f"{name} is {settings.get(name)}, must be {value}: a crash would lose what was committed"


async def outstanding(connection: Connection) -> list[Migration]:
    """Migrations that the next start applies. Raises SchemaMismatchError when the tables are not this program's."""
    with translate():
        exists = await connection.fetchval(EXISTS)
        rows = await connection.fetch(APPLIED) if exists else []
    return missing(migrations(), {row["version"]: row["sha256"] for row in rows})
