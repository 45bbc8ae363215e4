"""The schema, brought up to date by numbered SQL files, once, whoever starts first.

A file that has been applied never changes again; its checksum says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from gateway.sdk.errors import ConfigError
from gateway.store.pool import Connection, translate
from gateway.telemetry.failpoints import failpoint

_NAME = re.compile(r"^(\d{4})_\w+\.sql$")

# Any number will do as long as nothing else in the database takes the same.
_LOCK = 0x6D616C6C67617465  # "mallgate"

# The usual bounds are for work; a migration of a large table, or waiting for another process's, may take longer.
UNBOUNDED = "SET LOCAL statement_timeout = 0; SET LOCAL transaction_timeout = 0; SET LOCAL lock_timeout = 0"
TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version     integer PRIMARY KEY,
        name        text NOT NULL,
        sha256      text NOT NULL,
        applied_at  timestamptz NOT NULL DEFAULT now()
    )
"""
APPLIED = "SELECT version, sha256 FROM schema_migrations ORDER BY version"
RECORD = "INSERT INTO schema_migrations (version, name, sha256) VALUES ($1, $2, $3)"


class SchemaMismatchError(ConfigError):
    """The database holds another schema than this program knows."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Checksum of the file, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The files of this program, by number."""
    folder = resources.files("gateway.store") / "migrations"
    named = ((_NAME.match(file.name), file) for file in folder.iterdir())
    found = (Migration(int(match[1]), file.name, file.read_text("utf-8")) for match, file in named if match)
    return sorted(found, key=lambda migration: migration.version)


def missing(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """What is still to be applied. applied: version -> checksum. Raises SchemaMismatchError with every difference."""
    by_version = {migration.version: migration for migration in known}
    problems = list(_differences(by_version, applied))
    if problems:
        raise SchemaMismatchError(problems)
    return [migration for migration in known if migration.version not in applied]


def _differences(known: Mapping[int, Migration], applied: Mapping[int, str]) -> Iterable[str]:
    for version, sha256 in applied.items():
        if version not in known:
            yield f"the database has migration {version:04}, which this program does not know; run the newer program"
        elif known[version].sha256 != sha256:
            yield f"{known[version].name} was changed after it was applied"


async def migrate(connection: Connection) -> list[str]:
    """Apply what is missing in one transaction; the names of what was applied.

    Processes that start together take turns. Raises SchemaMismatchError (the database is newer, or a file was changed)
    and StoreUnavailableError.
    """
    with translate():
        async with connection.transaction():
            await connection.execute(UNBOUNDED)
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK, timeout=3600)
            await connection.execute(TABLE)
            applied = {row["version"]: row["sha256"] for row in await connection.fetch(APPLIED)}
            todo = missing(migrations(), applied)
            for migration in todo:
                await connection.execute(migration.sql, timeout=3600)
                await connection.execute(RECORD, migration.version, migration.name, migration.sha256)
            failpoint("migrate.before_commit")
    return [migration.name for migration in todo]
