"""Sealing anew what a former key sealed: nothing is lost, whoever writes meanwhile and whenever the run ends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gateway.calls import SEALED_TOKENS
from gateway.store import Pool, acquired, transaction
from gateway.suppliers import (
    SEALED_BY_SUPPLIERS,
    KeyKind,
    Keyring,
    Keys,
    ResealReport,
    SecretBox,
    SecretUnreadableError,
    SupplierConfig,
    Suppliers,
    count_sealed,
    reseal,
    rotated_at,
)
from tests.eventually import eventually

pytestmark = pytest.mark.engines

OLD, NEW, LOST = bytes(range(32)), bytes(reversed(range(32))), b"\x05" * 32
SEALED = (*SEALED_BY_SUPPLIERS, SEALED_TOKENS)
NOW = datetime.now(UTC)


def config(supplier: str) -> SupplierConfig:
    return SupplierConfig.model_validate({"supplier": supplier, "name": "A", "adapter": "native", "facets": ["price"]})


async def declare(pool: Pool, box: SecretBox, supplier: str, **secrets: str) -> None:
    await Suppliers(pool, box).apply([config(supplier)], "tests", secrets={supplier: secrets})


async def keep_token(pool: Pool, box: SecretBox, supplier: str, token: bytes, life: timedelta) -> None:
    async with transaction(pool) as connection:
        await connection.execute(
            """INSERT INTO supplier_tokens VALUES ($1, $2, $3, $4)
               ON CONFLICT (supplier) DO UPDATE SET ciphertext = excluded.ciphertext""",
            supplier,
            box.seal(supplier, ".token", token),
            NOW + life,
            NOW,
        )


async def stored(pool: Pool) -> dict[tuple[str, str], bytes]:
    """Every sealed value by supplier and name, read past the code under test."""
    async with acquired(pool) as connection:
        rows = await connection.fetch(
            """SELECT supplier, name, ciphertext FROM supplier_secrets
               UNION ALL SELECT supplier, key_id, ciphertext FROM api_keys WHERE ciphertext IS NOT NULL
               UNION ALL SELECT supplier, '.token', ciphertext FROM supplier_tokens"""
        )
    return {(row["supplier"], row["name"]): row["ciphertext"] for row in rows}


async def opened(pool: Pool, box: SecretBox) -> dict[tuple[str, str], bytes]:
    return {owner: box.open(*owner, sealed) for owner, sealed in (await stored(pool)).items()}


async def filled(pool: Pool) -> dict[tuple[str, str], bytes]:
    """A database that the old key sealed; what is in it."""
    box = SecretBox(OLD)
    for supplier in ("acme", "bolt"):
        await declare(pool, box, supplier, api_password=f"pw of {supplier}", token="t")
        await Keys(pool, box).issue(supplier, KeyKind.WEBHOOK, actor="tests", scopes=["read"])
        await Keys(pool, box).issue(supplier, KeyKind.BEARER, actor="tests", scopes=["read"])
        await keep_token(pool, box, supplier, f"token of {supplier}".encode(), timedelta(days=1))
    return await opened(pool, box)


async def test_every_column_that_holds_sealed_values_is_known(pool: Pool) -> None:
    async with acquired(pool) as connection:
        rows = await connection.fetch(
            """SELECT table_name FROM information_schema.columns
                WHERE table_schema = 'public' AND column_name = 'ciphertext'"""
        )
    assert sorted(row["table_name"] for row in rows) == sorted(table.name for table in SEALED)


async def test_after_it_the_new_key_alone_opens_everything_and_a_second_run_finds_nothing(pool: Pool) -> None:
    before = await filled(pool)
    rotated = SecretBox(NEW, OLD)
    key = rotated.current_key_id
    assert await count_sealed(pool, rotated, SEALED) == ResealReport(key, 8, 0, [])
    sealed = await stored(pool)
    assert await opened(pool, SecretBox(OLD)) == before
    assert await reseal(pool, rotated, SEALED, "cli:ann") == ResealReport(key, 8, 0, [])
    assert await opened(pool, SecretBox(NEW)) == before
    again = await stored(pool)
    assert await reseal(pool, rotated, SEALED, "cli:ann") == ResealReport(key, 0, 8, [])
    assert await stored(pool) == again != sealed
    assert len(await Keyring(pool, SecretBox(NEW)).webhook_keys("acme")) == 1


async def test_it_changes_no_more_than_the_seal(pool: Pool) -> None:
    await filled(pool)
    looks = "SELECT (SELECT jsonb_agg(to_jsonb(s) - 'ciphertext') FROM {} s)"
    names = [table.name for table in SEALED]
    async with acquired(pool) as connection:
        before = [await connection.fetchval(looks.format(name)) for name in names]
        await reseal(pool, SecretBox(NEW, OLD), SEALED, "cli:ann")
        assert [sorted(map(str, await connection.fetchval(looks.format(name)))) for name in names] == [
            sorted(map(str, rows)) for rows in before
        ]


async def test_each_run_is_in_the_audit_without_a_secret(pool: Pool) -> None:
    await filled(pool)
    box = SecretBox(NEW, OLD)
    assert await rotated_at(pool, box) is None
    for _ in range(2):
        await reseal(pool, box, SEALED, "cli:ann")
    async with acquired(pool) as connection:
        rows = await connection.fetch("SELECT at, actor, detail FROM audit WHERE action = 'secrets.reseal' ORDER BY id")
    key = box.current_key_id
    assert [(row["actor"], row["detail"]) for row in rows] == [
        ("cli:ann", {"key": key, "to_reseal": 8, "unreadable": 0}),
        ("cli:ann", {"key": key, "to_reseal": 0, "unreadable": 0}),
    ]
    assert await rotated_at(pool, box) == rows[0]["at"]
    assert await rotated_at(pool, SecretBox(OLD)) is None


async def test_what_no_key_opens_is_named_and_left_and_stops_nothing(pool: Pool) -> None:
    await filled(pool)
    await declare(pool, SecretBox(LOST), "crate", api_password="x")
    async with transaction(pool) as connection:  # damaged, under a key that is known
        await connection.execute(
            "UPDATE supplier_tokens SET ciphertext = set_byte(ciphertext, 25, 255 - get_byte(ciphertext, 25))"
            " WHERE supplier = 'acme'"
        )
    before = await stored(pool)
    found = await reseal(pool, SecretBox(NEW, OLD), SEALED, "cli:ann")
    named = [(each.table, each.supplier, each.name) for each in found.unreadable]
    assert named == [("supplier_secrets", "crate", "api_password"), ("supplier_tokens", "acme", ".token")]
    assert (found.resealed, found.current) == (7, 0)
    after = await stored(pool)
    assert after["crate", "api_password"] == before["crate", "api_password"]
    assert after["acme", ".token"] == before["acme", ".token"]


async def test_with_a_wrong_former_key_nothing_is_touched(pool: Pool) -> None:
    await filled(pool)
    before = await stored(pool)
    found = await reseal(pool, SecretBox(NEW, LOST), SEALED, "cli:ann")
    assert (found.resealed, found.current, len(found.unreadable)) == (0, 0, 8)
    assert await stored(pool) == before


async def test_a_secret_that_nobody_needs_any_more_is_no_failure(pool: Pool) -> None:
    lost = SecretBox(LOST)
    await declare(pool, lost, "acme")
    keys = Keys(pool, lost)
    revoked = await keys.issue("acme", KeyKind.WEBHOOK, actor="tests", scopes=["read"])
    await keys.revoke("acme", revoked.key_id, actor="tests")
    await keep_token(pool, lost, "acme", b"t", timedelta(days=-1))
    assert (await reseal(pool, SecretBox(NEW, OLD), SEALED, "cli:ann")).unreadable == []


async def test_more_than_a_page_is_gone_through(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.suppliers.sealed.PAGE", 2)
    box = SecretBox(OLD)
    for number in range(3):
        await declare(pool, box, f"s{number}", **{f"n{each}": "x" for each in range(3)})
        await keep_token(pool, box, f"s{number}", b"t", timedelta(days=1))
    assert (await reseal(pool, SecretBox(NEW, OLD), SEALED, "cli:ann")).resealed == 12
    assert len(await opened(pool, SecretBox(NEW))) == 12


async def test_a_run_that_is_cut_short_is_finished_by_the_next(pool: Pool) -> None:
    before = await filled(pool)
    rotated = SecretBox(NEW, OLD)
    async with transaction(pool) as connection:  # the run waits here, with a part of its work done
        await connection.fetch("SELECT 1 FROM api_keys WHERE supplier = 'acme' FOR UPDATE")
        running = asyncio.create_task(reseal(pool, rotated, SEALED, "cli:ann"))

        async def a_part_is_done() -> bool:
            return (await count_sealed(pool, rotated, SEALED)).current == 4

        await eventually(a_part_is_done)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert await opened(pool, rotated) == before
    assert await reseal(pool, rotated, SEALED, "cli:ann") == ResealReport(rotated.current_key_id, 4, 4, [])
    assert await opened(pool, SecretBox(NEW)) == before


@pytest.mark.parametrize("writer", [OLD, NEW], ids=["a gateway not restarted yet", "a gateway with the new key"])
async def test_a_token_that_is_exchanged_meanwhile_is_not_overwritten(pool: Pool, writer: bytes) -> None:
    await resealed_while_a_token_is_exchanged(pool, writer)
    assert (await opened(pool, SecretBox(NEW)))["acme", ".token"] == b"fresh"


async def test_a_secret_that_an_unknown_key_seals_meanwhile_is_named(pool: Pool) -> None:
    found = await resealed_while_a_token_is_exchanged(pool, LOST)
    assert [(each.supplier, each.name) for each in found.unreadable] == [("acme", ".token")]
    with pytest.raises(SecretUnreadableError):
        await opened(pool, SecretBox(NEW))


async def resealed_while_a_token_is_exchanged(pool: Pool, writer: bytes) -> ResealReport:
    """What a reseal comes to that waits for a gateway with this key to seal another token of acme's."""
    await filled(pool)
    async with transaction(pool) as connection:
        sealed = SecretBox(writer).seal("acme", ".token", b"fresh")
        await connection.execute("UPDATE supplier_tokens SET ciphertext = $1 WHERE supplier = 'acme'", sealed)
        running = asyncio.create_task(reseal(pool, SecretBox(NEW, OLD), SEALED, "cli:ann"))
        await until_somebody_waits(pool)
    return await running


async def until_somebody_waits(pool: Pool) -> None:
    """Until a transaction of this database waits for a row that another holds."""

    async def waits() -> bool:
        async with acquired(pool) as connection:
            found: bool = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock')"
            )
        return found

    await eventually(waits)
