"""Which migrations are still to be applied, and which databases are refused."""

from __future__ import annotations

import pytest

from gateway.store.migrate import Migration, SchemaMismatchError, migrations, missing

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE a ()")
SECOND = Migration(2, "0002_second.sql", "CREATE TABLE b ()")


def test_an_empty_database_gets_everything_in_order() -> None:
    assert missing([FIRST, SECOND], {}) == [FIRST, SECOND]


def test_what_was_applied_is_not_applied_again() -> None:
    assert missing([FIRST, SECOND], {1: FIRST.sha256}) == [SECOND]
    assert missing([FIRST, SECOND], {1: FIRST.sha256, 2: SECOND.sha256}) == []


def test_a_newer_database_and_a_changed_file_are_told_together() -> None:
    with pytest.raises(SchemaMismatchError) as caught:
        missing([FIRST], {1: "0" * 64, 2: SECOND.sha256})
    assert caught.value.problems == (
        "0001_first.sql was changed after it was applied",
        "the database has migration 0002, which this program does not know; run the newer program",
    )


def test_the_program_s_own_files_are_numbered_without_gaps() -> None:
    found = migrations()
    assert [migration.version for migration in found] == list(range(1, len(found) + 1))
    assert all(migration.sql.strip() for migration in found)
