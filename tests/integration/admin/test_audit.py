"""The audit: what is in it, and that nobody can change it unseen."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest

from gateway.admin.audit import FailedLogins
from gateway.deadletters import DeadLetter, record
from gateway.outbound import AdminClient, RefusedError
from gateway.sdk.errors import Issue
from gateway.store import Pool, acquired, audit, transaction

pytestmark = pytest.mark.engines


async def noted(pool: Pool, *actions: str) -> None:
    for action in actions:
        async with transaction(pool) as connection:
            await audit.record(connection, "ann", action, target="acme", detail={"名": "办公", "n": 1})


async def rows(pool: Pool) -> list[tuple[str, str, str | None]]:
    async with acquired(pool) as connection:
        found = await connection.fetch("SELECT actor, action, peer FROM audit ORDER BY id")
    return [(row["actor"], row["action"], row["peer"]) for row in found]


async def tampered(pool: Pool, statement: str) -> None:
    """What only the owner of the tables can do: triggers and references do not hold him."""
    async with transaction(pool) as connection:
        await connection.execute("ALTER TABLE audit_chain DROP CONSTRAINT audit_chain_audit_id_fkey")
        await connection.execute("ALTER TABLE audit DISABLE TRIGGER USER; ALTER TABLE audit_chain DISABLE TRIGGER USER")
        await connection.execute(statement)


async def test_a_chain_that_nobody_touched_holds(pool: Pool) -> None:
    assert await audit.verify(pool) == audit.Verification(audit.BEGINNING)
    await noted(pool, "a.one", "a.two", "a.three")
    found = await audit.verify(pool)
    assert (found.head.position, found.fault) == (3, None)
    await noted(pool, "a.four")
    assert (await audit.verify(pool, found.head)).fault is None


async def test_rows_of_one_transaction_and_of_many_at_once_are_one_chain(pool: Pool) -> None:
    async def several() -> None:
        async with transaction(pool) as connection:
            await audit.record(connection, "ann", "a.one", target="acme")
            await audit.record(connection, "ann", "a.two", target="acme")

    await asyncio.gather(*(several() for _ in range(8)))
    found = await audit.verify(pool)
    assert (found.head.position, found.fault) == (16, None)


@pytest.mark.parametrize("table", ["audit", "audit_chain"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {}",
        "TRUNCATE {} CASCADE",
        "UPDATE {} SET {} = {}",
    ],
)
async def test_rows_are_neither_changed_nor_removed(pool: Pool, table: str, statement: str) -> None:
    await noted(pool, "a.one")
    column = "object" if table == "audit" else "hash"
    with pytest.raises(asyncpg.RaiseError, match="never changed or removed"):
        async with transaction(pool) as connection:
            await connection.execute(statement.format(table, column, column))
    assert (await audit.verify(pool)).head.position == 1


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE audit SET reason = 'other' WHERE action = 'a.two'", "is not what was recorded"),
        ("UPDATE audit SET at = at + interval '1 microsecond' WHERE action = 'a.two'", "is not what was recorded"),
        ("""UPDATE audit SET detail = detail || '{"n": 2}' WHERE action = 'a.two'""", "is not what was recorded"),
        ("DELETE FROM audit WHERE action = 'a.two'", "is missing"),
        ("DELETE FROM audit_chain WHERE position = 2", "position 2 is missing"),
        ("INSERT INTO audit (actor, action, object) VALUES ('bob', 'a.x', 'acme')", "is not part of the chain"),
    ],
)
async def test_what_the_owner_of_the_tables_changes_is_seen(pool: Pool, statement: str, fault: str) -> None:
    await noted(pool, "a.one", "a.two", "a.three")
    await tampered(pool, statement)
    found = (await audit.verify(pool)).fault
    assert found is not None
    assert fault in found


async def test_an_end_that_was_cut_off_is_seen_by_who_noted_it_down(pool: Pool) -> None:
    await noted(pool, "a.one", "a.two")
    head = (await audit.verify(pool)).head
    await tampered(pool, "DELETE FROM audit_chain WHERE position = 2; DELETE FROM audit WHERE action = 'a.two'")
    assert (await audit.verify(pool)).fault is None
    found = (await audit.verify(pool, head)).fault
    assert found is not None
    assert "position 2" in found


async def test_the_chain_is_written_by_its_owner_whoever_adds_the_row(pool: Pool) -> None:
    """So that a role which may only add rows to the audit is enough for the gateway."""
    async with acquired(pool) as connection:
        definer = await connection.fetchval("SELECT prosecdef FROM pg_proc WHERE proname = 'chain_audit'")
    assert definer is True


async def test_who_tries_to_get_in_is_recorded_once_a_minute(pool: Pool) -> None:
    now = 1000.0
    logins = FailedLogins(pool, lambda: now)
    for _ in range(5):
        await logins.note("10.0.0.1")
    await logins.note("10.0.0.2")
    now += 61
    await logins.note("10.0.0.1")
    async with acquired(pool) as connection:
        details = [row["detail"] for row in await connection.fetch("SELECT detail FROM audit ORDER BY id")]
    assert details == [{"failures": 1}, {"failures": 1}, {"failures": 5}]


async def test_a_login_that_failed_says_where_it_came_from(pool: Pool, url: str) -> None:
    async with AdminClient(url, "wrong-token-of-somebody") as stranger:
        with pytest.raises(RefusedError):
            await stranger.get("suppliers")
    assert await rows(pool) == [("unknown", "login.refuse", "127.0.0.1")]


async def test_who_reads_original_bytes_is_recorded(pool: Pool, client: AdminClient) -> None:
    letter = DeadLetter(stage="normalise", issues=(Issue("malformed_json"),), original=b"{", supplier="acme")
    async with transaction(pool) as connection:
        await record(connection, [letter])
        identity = await connection.fetchval("SELECT id FROM dead_letters")
    assert (await client.get("deadletters", str(UUID(str(identity)))))["original_text"] == "{"
    assert await rows(pool) == [("bootstrap:ann", "deadletter.read", "127.0.0.1")]
    found = await client.get("audit", "verify")
    assert (found["position"], found["fault"]) == (1, None)
