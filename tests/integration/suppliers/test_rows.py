"""Declaring suppliers: what was said last holds, what was said before is kept, and who said it is known."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.sdk.errors import ConfigError
from gateway.store import Pool, acquired
from gateway.suppliers import Change, SecretBox, State, Suppliers, UnknownSupplierError, watch_suppliers
from tests.eventually import eventually
from tests.integration.suppliers.conftest import KEY, declared

pytestmark = pytest.mark.engines


async def audit_of(pool: Pool) -> list[tuple[str, str, str, str | None]]:
    async with acquired(pool) as connection:
        rows = await connection.fetch("SELECT actor, action, object, reason FROM audit ORDER BY id")
    return [tuple(row) for row in rows]


async def stored_secrets(pool: Pool) -> dict[str, bytes]:
    async with acquired(pool) as connection:
        rows = await connection.fetch("SELECT name, ciphertext FROM supplier_secrets")
    return {row["name"]: row["ciphertext"] for row in rows}


async def test_applying_the_same_twice_changes_nothing_the_second_time(suppliers: Suppliers, pool: Pool) -> None:
    configs = [declared("acme"), declared("bolt")]
    first = await suppliers.apply(configs, "ann")
    second = await suppliers.apply(configs, "ann")
    assert [each.change for each in first] == [Change.CREATED, Change.CREATED]
    assert [(each.change, each.revision) for each in second] == [(Change.UNCHANGED, 1)] * 2
    assert await audit_of(pool) == [
        ("ann", "supplier.apply", "acme", None),
        ("ann", "supplier.apply", "bolt", None),
    ]


async def test_every_revision_stays_readable(suppliers: Suppliers) -> None:
    await suppliers.apply([declared(name="First")], "ann")
    await suppliers.apply([declared(name="Second")], "bob")
    detail = await suppliers.get("acme")
    assert (detail.revision, detail.config.name) == (2, "Second")
    assert [(each.revision, each.actor) for each in detail.revisions] == [(2, "bob"), (1, "ann")]
    first = await suppliers.revision("acme", 1)
    assert first is not None
    assert first.name == "First"
    assert await suppliers.revision("acme", 3) is None


async def test_two_files_applied_at_once_leave_one_revision_each(pool: Pool, suppliers: Suppliers) -> None:
    names = [f"Name {number}" for number in range(4)]
    await asyncio.gather(*(suppliers.apply([declared("bolt"), declared(name=name)], "ann") for name in names))
    detail = await suppliers.get("acme")
    assert detail.revision == len(names)
    assert {(await suppliers.revision("acme", n)).name for n in range(1, 5)} == set(names)  # type: ignore[union-attr]


async def test_a_paused_supplier_stays_paused_when_its_declaration_changes(suppliers: Suppliers, pool: Pool) -> None:
    await suppliers.apply([declared()], "ann")
    await suppliers.pause("acme", "bob", "prices look wrong")
    await suppliers.pause("acme", "bob", "again")
    await suppliers.apply([declared(name="Other")], "ann")
    assert (await suppliers.get("acme")).state is State.PAUSED
    await suppliers.resume("acme", "bob")
    assert (await suppliers.get("acme")).state is State.ACTIVE
    assert [(row[1], row[3]) for row in await audit_of(pool)] == [
        ("supplier.apply", None),
        ("supplier.pause", "prices look wrong"),
        ("supplier.apply", None),
        ("supplier.resume", None),
    ]


async def test_nothing_is_known_of_a_supplier_that_was_never_declared(suppliers: Suppliers) -> None:
    with pytest.raises(UnknownSupplierError, match="bolt"):
        await suppliers.get("bolt")
    with pytest.raises(UnknownSupplierError):
        await suppliers.pause("bolt", "ann", "why not")


async def test_the_audit_says_who_opened_our_own_network_to_a_supplier(suppliers: Suppliers, pool: Pool) -> None:
    opened = {"base_url": "http://10.0.0.5", "allow_private": True}
    await suppliers.apply([declared(), declared("bolt", http=opened)], "ann")
    async with acquired(pool) as connection:
        rows = await connection.fetch("SELECT object, detail FROM audit ORDER BY object")
    assert [(row["object"], row["detail"].get("allow_private")) for row in rows] == [("acme", None), ("bolt", True)]


async def test_secrets_are_stored_sealed_and_shown_by_name_alone(suppliers: Suppliers, pool: Pool) -> None:
    await suppliers.apply([declared()], "ann", secrets={"acme": {"api_password": "hunter2"}})
    sealed = (await stored_secrets(pool))["api_password"]
    assert b"hunter2" not in sealed
    assert SecretBox(KEY).open("acme", "api_password", sealed) == b"hunter2"
    detail = await suppliers.get("acme")
    assert [secret.name for secret in detail.secrets] == ["api_password"]
    assert "hunter2" not in repr(detail)
    async with acquired(pool) as connection:
        assert "hunter2" not in repr(await connection.fetch("SELECT detail FROM audit"))


async def test_declared_secrets_replace_those_before_and_count_as_a_change(suppliers: Suppliers, pool: Pool) -> None:
    await suppliers.apply([declared()], "ann", secrets={"acme": {"user": "u", "password": "p"}})
    before = await stored_secrets(pool)

    async def apply(secrets: dict[str, str] | None) -> tuple[Change, int]:
        [applied] = await suppliers.apply([declared()], "ann", secrets=None if secrets is None else {"acme": secrets})
        return applied.change, applied.revision

    assert await apply({"user": "u", "password": "p"}) == (Change.UNCHANGED, 1)
    assert await stored_secrets(pool) == before
    assert await apply(None) == (Change.UNCHANGED, 1)
    assert await apply({"password": "other"}) == (Change.UPDATED, 1)
    assert list(await stored_secrets(pool)) == ["password"]


async def test_a_secret_sealed_under_a_lost_key_is_mended_by_declaring_it_again(pool: Pool) -> None:
    secrets = {"acme": {"api_password": "hunter2"}}
    await Suppliers(pool, SecretBox(bytes(32))).apply([declared()], "ann", secrets=secrets)
    [applied] = await Suppliers(pool, SecretBox(KEY)).apply([declared()], "ann", secrets=secrets)
    assert applied.change is Change.UPDATED
    sealed = (await stored_secrets(pool))["api_password"]
    assert SecretBox(KEY).open("acme", "api_password", sealed) == b"hunter2"


async def of_a_newer_release(pool: Pool, supplier: str = "acme") -> None:
    """Have a row say what only a newer release understands."""
    async with acquired(pool) as connection:
        await connection.execute("ALTER TABLE suppliers DROP CONSTRAINT suppliers_state_check")
        newer = """config = config || '{"a_newer_member": {"of": 1}}', revision = 7"""
        await connection.execute(f"UPDATE suppliers SET {newer}, state = 'retiring' WHERE supplier = $1", supplier)
        copied = "SELECT supplier, 7, config, 'ann' FROM suppliers WHERE supplier = $1"
        await connection.execute(
            f"INSERT INTO supplier_revisions (supplier, revision, config, actor) {copied}", supplier
        )


async def test_a_row_whose_json_is_beyond_what_is_read_keeps_no_other_from_being_known(
    suppliers: Suppliers, pool: Pool, box: SecretBox
) -> None:
    await suppliers.apply([declared(), declared("bolt")], "ann")
    async with acquired(pool) as connection:
        await connection.execute(
            """UPDATE suppliers SET config = config || '{"options": {"most": 1e400}}' WHERE supplier = 'acme'"""
        )
    async with watch_suppliers(pool, box) as live:
        assert [supplier.id for supplier in live.suppliers.known()] == ["bolt"]
        with pytest.raises(ConfigError, match="acme, revision 1"):
            await live.suppliers.get("acme")
    assert [each.id for each in await suppliers.list()] == ["acme", "bolt"]


async def test_a_row_of_a_newer_release_is_shown_as_it_stands_beside_the_others(
    suppliers: Suppliers, pool: Pool
) -> None:
    await suppliers.apply([declared(), declared("bolt")], "ann")
    await of_a_newer_release(pool)
    newer, other = await suppliers.list()
    assert (newer.id, newer.revision, newer.state) == ("acme", 7, "retiring")
    assert dict(newer.config)["a_newer_member"] == {"of": 1}
    assert (other.id, other.config.name) == ("bolt", declared("bolt").name)
    detail = await suppliers.get("acme")
    assert (detail.state, len(detail.revisions)) == ("retiring", 2)
    shown = await suppliers.shown_revision("acme", 7)
    assert shown is not None
    assert "a_newer_member" in dict(shown)
    with pytest.raises(ConfigError, match=r"acme, revision 7, which another release wrote: a_newer_member"):
        await suppliers.revision("acme", 7)


async def test_a_row_of_a_newer_release_keeps_no_other_from_being_followed(
    suppliers: Suppliers, pool: Pool, box: SecretBox
) -> None:
    await suppliers.apply([declared(), declared("bolt")], "ann")
    with capture_logs() as logs:
        async with watch_suppliers(pool, box) as live:
            await of_a_newer_release(pool)
            for number in range(3):
                await suppliers.apply([declared("bolt", name=f"Name {number}")], "ann")

                async def followed(name: str = f"Name {number}") -> bool:
                    return (await live.suppliers.get("bolt")).config.name == name

                await eventually(followed)
            assert (await live.suppliers.get("acme")).revision == 1  # what was known of it still holds
    assert [log["supplier"] for log in logs if log["event"] == "supplier.unreadable"] == ["acme"]
