"""Credentials: who holds one is let in, who does not is kept out, and who has to be told to wait is told so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.embedded import EmbeddedPostgres
from gateway.store import Pool, StoreUnavailableError, acquired, connect, migrate, open_pool, transaction
from gateway.suppliers import (
    SCOPES,
    InvalidCredentialError,
    KeyKind,
    Keyring,
    Keys,
    Live,
    SecretBox,
    SecretUnreadableError,
    State,
    Suppliers,
    TooManyKeysError,
    UnknownKeyError,
    UnknownSupplierError,
    watch_suppliers,
)
from tests.eventually import eventually
from tests.integration.suppliers.conftest import KEY, declared

pytestmark = pytest.mark.engines


@pytest.fixture(autouse=True)
async def acme(suppliers: Suppliers) -> None:
    await suppliers.apply([declared("acme"), declared("bolt")], "ann")


async def until_refused(live: Live, token: str) -> None:
    async def refused() -> bool:
        try:
            await live.keys.verify_bearer(token)
        except InvalidCredentialError:
            return True
        return False

    await eventually(refused)


async def until_paused(live: Live, supplier: str) -> None:
    async def paused() -> bool:
        return (await live.suppliers.get(supplier)).state is State.PAUSED

    await eventually(paused)


async def test_a_token_lets_its_supplier_in_with_its_scopes_alone(live: Live, keys: Keys) -> None:
    issued = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes={"feeds:price"})
    caller = await live.keys.verify_bearer(issued.secret)
    assert (caller.supplier, caller.key_id, caller.scopes) == ("acme", issued.key_id, frozenset({"feeds:price"}))


async def test_a_token_is_stored_as_a_hash_and_a_webhook_secret_sealed(keys: Keys, pool: Pool) -> None:
    bearer = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    webhook = await keys.issue("acme", KeyKind.WEBHOOK, actor="ann", scopes=SCOPES)
    async with acquired(pool) as connection:
        rows = repr([tuple(row) for row in await connection.fetch("SELECT * FROM api_keys")])
        rows += repr([tuple(row) for row in await connection.fetch("SELECT * FROM audit")])
    assert bearer.secret.split("_", 2)[2] not in rows
    assert webhook.secret not in rows


@pytest.mark.parametrize("damage", ["", "x", "mg_0000000000000000_secret"])
async def test_no_other_token_lets_anybody_in(live: Live, keys: Keys, damage: str) -> None:
    issued = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    with pytest.raises(InvalidCredentialError):
        await live.keys.verify_bearer(damage if damage != "x" else issued.secret + "x")


async def test_the_secret_of_one_key_does_not_open_another(live: Live, keys: Keys) -> None:
    first = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    second = await keys.issue("bolt", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    mixed = f"mg_{second.key_id}_{first.secret.split('_', 2)[2]}"
    with pytest.raises(InvalidCredentialError):
        await live.keys.verify_bearer(mixed)


async def test_a_webhook_secret_is_no_token_and_signs_for_its_supplier_alone(live: Live, keys: Keys) -> None:
    issued = await keys.issue("acme", KeyKind.WEBHOOK, actor="ann", scopes=SCOPES)
    [key] = await live.keys.webhook_keys("acme")
    assert (key.secret, key.caller.supplier, key.caller.scopes) == (issued.secret, "acme", SCOPES)
    assert await live.keys.webhook_keys("bolt") == ()
    assert await live.keys.webhook_keys("nobody") == ()
    with pytest.raises(InvalidCredentialError):
        await live.keys.verify_bearer(f"mg_{issued.key_id}_{issued.secret}")


async def test_a_webhook_secret_that_cannot_be_read_keeps_no_other_of_its_supplier_from_signing(
    suppliers: Suppliers, keys: Keys, live: Live, pool: Pool
) -> None:
    lost = await Keys(pool, SecretBox(bytes(32))).issue("acme", KeyKind.WEBHOOK, actor="ann", scopes=SCOPES)
    with pytest.raises(SecretUnreadableError):
        await live.keys.webhook_keys("acme")
    issued = await keys.issue("acme", KeyKind.WEBHOOK, actor="ann", scopes=SCOPES)
    live.keys.forget()
    found = {key.caller.key_id: key.secret for key in await live.keys.webhook_keys("acme")}
    assert found == {issued.key_id: issued.secret, lost.key_id: None}


async def test_a_key_whose_row_is_held_keeps_no_other_from_being_marked_as_used(
    live: Live, keys: Keys, pool: Pool
) -> None:
    held, free = [await keys.issue(each, KeyKind.BEARER, actor="ann", scopes=SCOPES) for each in ("acme", "bolt")]
    async with transaction(pool) as holding:
        await holding.execute("SELECT FROM api_keys WHERE key_id = $1 FOR UPDATE", held.key_id)
        for issued in (held, free):
            await live.keys.verify_bearer(issued.secret)
        async with acquired(pool) as connection:
            await live.keys.flush(connection)
        [used] = await keys.list("bolt")
        assert used.last_used_at is not None
        [unused] = await keys.list("acme")
        assert unused.last_used_at is None


async def test_an_expired_key_is_not_valid(live: Live, keys: Keys, pool: Pool) -> None:
    issued = await keys.issue(
        "acme", KeyKind.BEARER, actor="ann", scopes=SCOPES, expires_at=datetime.now(UTC) + timedelta(days=1)
    )
    async with acquired(pool) as connection:
        await connection.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    with pytest.raises(InvalidCredentialError):
        await live.keys.verify_bearer(issued.secret)


async def test_a_revoked_key_stops_in_every_process(pool: Pool, live: Live, keys: Keys) -> None:
    issued = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    async with watch_suppliers(pool, SecretBox(KEY)) as elsewhere:
        assert await live.keys.verify_bearer(issued.secret)
        assert await elsewhere.keys.verify_bearer(issued.secret)
        await keys.revoke("acme", issued.key_id, actor="ann", reason="leaked")
        await until_refused(live, issued.secret)
        await until_refused(elsewhere, issued.secret)


async def test_at_most_two_keys_of_a_kind_are_live(keys: Keys) -> None:
    first = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    await keys.issue("acme", KeyKind.WEBHOOK, actor="ann", scopes=SCOPES)
    with pytest.raises(TooManyKeysError):
        await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    await keys.revoke("acme", first.key_id, actor="ann")
    await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    assert len(await keys.list("acme")) == 4


async def test_of_many_issued_at_once_two_are_live(keys: Keys) -> None:
    issuing = (keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES) for _ in range(6))
    results = await asyncio.gather(*issuing, return_exceptions=True)
    assert sum(isinstance(result, TooManyKeysError) for result in results) == 4


async def test_revoking_again_is_no_change_and_what_is_not_there_is_said(keys: Keys, pool: Pool) -> None:
    issued = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    await keys.revoke("acme", issued.key_id, actor="ann", reason="leaked")
    await keys.revoke("acme", issued.key_id, actor="ann")
    async with acquired(pool) as connection:
        rows = await connection.fetch("SELECT reason, detail FROM audit WHERE action = 'key.revoke'")
    assert [(row["reason"], row["detail"]["key_id"]) for row in rows] == [("leaked", issued.key_id)]
    with pytest.raises(UnknownKeyError):
        await keys.revoke("bolt", issued.key_id, actor="ann")
    with pytest.raises(UnknownSupplierError):
        await keys.issue("nobody", KeyKind.BEARER, actor="ann", scopes=SCOPES)


async def test_when_a_key_was_used_is_written_when_the_process_ends(pool: Pool, keys: Keys, box: SecretBox) -> None:
    issued = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
    async with watch_suppliers(pool, box) as live:
        await live.keys.verify_bearer(issued.secret)
        assert [key.last_used_at for key in await keys.list("acme")] == [None]
    [key] = await keys.list("acme")
    assert key.last_used_at is not None
    assert key.last_used_at >= key.created_at


async def test_a_change_reaches_a_running_process(live: Live, suppliers: Suppliers) -> None:
    assert (await live.suppliers.get("acme")).revision == 1
    await suppliers.apply([declared("acme", name="Other")], "ann")
    await suppliers.pause("acme", "ann", "looks wrong")
    await until_paused(live, "acme")
    known = await live.suppliers.get("acme")
    assert (known.revision, known.config.name) == (2, "Other")


async def test_a_supplier_is_known_at_once_after_it_was_declared(live: Live, suppliers: Suppliers) -> None:
    with pytest.raises(UnknownSupplierError):
        await live.suppliers.get("core")
    await suppliers.apply([declared("core")], "ann")
    assert (await live.suppliers.get("core")).id == "core"


async def test_an_outage_is_no_verdict_on_a_key_and_passes_without_a_restart(tmp_path: Path) -> None:
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    await postgres.start()
    try:
        async with connect(postgres.url, name="test") as connection:
            await migrate(connection)
        box = SecretBox(KEY)
        async with open_pool(postgres.url, name="test", size=3) as pool, watch_suppliers(pool, box) as live:
            suppliers, keys = Suppliers(pool, box), Keys(pool, box)
            await suppliers.apply([declared()], "ann")
            issued = await keys.issue("acme", KeyKind.BEARER, actor="ann", scopes=SCOPES)
            await live.suppliers.get("acme")
            await postgres.kill()
            with pytest.raises(StoreUnavailableError):
                await Keyring(pool, box).verify_bearer(issued.secret)
            with pytest.raises(StoreUnavailableError):
                await Keyring(pool, box).verify_bearer("mg_0000000000000000_secret")
            assert (await live.suppliers.get("acme")).id == "acme"
            await postgres.start()
            assert await Keyring(pool, box).verify_bearer(issued.secret)
            # The watch is back as well, else the change would never arrive.
            await suppliers.pause("acme", "ann", "looks wrong")
            await until_paused(live, "acme")
    finally:
        await postgres.stop()
