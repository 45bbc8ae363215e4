"""The schema on a real PostgreSQL: made once, whoever starts first."""

from __future__ import annotations

import asyncio

import pytest

from contrib.scratch import of_database
from gateway.embedded import Engines
from gateway.feeds.decide import count_problems
from gateway.store import Connection, connect, migrate
from gateway.store.migrate import SchemaMismatchError, migrations

TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


@pytest.fixture
async def empty(engines: Engines) -> str:
    """URL of a database with nothing in it."""
    async with connect(engines.database_url, name="tests") as connection:
        await connection.execute("DROP DATABASE IF EXISTS empty")
        await connection.execute("CREATE DATABASE empty")
    return of_database(engines.database_url, "empty")


async def test_processes_that_start_together_apply_each_file_once(empty: str) -> None:
    async def start() -> list[str]:
        async with connect(empty, name="tests") as connection:
            return await migrate(connection)

    applied = await asyncio.gather(start(), start(), start())
    assert sorted(applied) == [[], [], [migration.name for migration in migrations()]]


async def test_a_database_of_a_newer_program_is_refused(empty: str) -> None:
    async with connect(empty, name="tests") as connection:
        await migrate(connection)
        await connection.execute("INSERT INTO schema_migrations (version, name, sha256) VALUES (9999, 'later', '')")
        with pytest.raises(SchemaMismatchError, match="9999"):
            await migrate(connection)


async def test_a_migration_that_fails_leaves_nothing_behind(empty: str) -> None:
    async with connect(empty, name="tests") as connection:
        await _occupy(connection, "outbox")
        with pytest.raises(Exception, match="outbox"):
            await migrate(connection)
        assert await connection.fetchval(TABLES) == 1


async def _occupy(connection: Connection, table: str) -> None:
    await connection.execute(f"CREATE TABLE {table} ()")


async def test_problems_of_chunks_that_are_there_already_are_counted(empty: str) -> None:
    rows = [
        {"sku": sku, "issues": [{"code": code} for code in codes]}
        for sku, *codes in (("B", "stale"), ("A", "stale", "stale", "bad"), (None, "bad"), ("C",))
    ]
    async with connect(empty, name="tests") as connection:
        await migrate(connection)
        await _undo_problem_counts(connection)
        await connection.executemany(
            """
            INSERT INTO feed_chunks (feed_no, chunk_no, topic, partition, "offset", first_record, records, outcomes,
                                     problems)
            VALUES (1, $1, 't', 0, 0, 0, 4, '', $2)
            """,
            [(0, rows), (1, [])],
        )
        await migrate(connection)
        found = await connection.fetch("SELECT problem_counts FROM feed_chunks ORDER BY chunk_no")
    assert [row["problem_counts"] for row in found] == [count_problems(rows), {}]


async def _undo_problem_counts(connection: Connection) -> None:
    """Have the database be as before the migration that counts."""
    await connection.execute("ALTER TABLE feed_chunks DROP COLUMN problem_counts")
    await connection.execute("ALTER TABLE feeds DROP COLUMN top_problems")
    await connection.execute("DELETE FROM schema_migrations WHERE name LIKE '%problem_counts%'")
