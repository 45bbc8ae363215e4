"""`mallgate secrets`: rotating the secret key, beside a gateway that runs."""

from __future__ import annotations

import base64

import asyncpg
import pytest

from gateway.config import kafka_settings, load_settings
from gateway.embedded import Engines
from gateway.feeds.seal import GW_SEAL, seal_of
from gateway.services import open_services
from gateway.store import connect
from gateway.suppliers import SecretBox
from tests.integration.cli.conftest import SECRET_KEY, Shell

pytestmark = pytest.mark.engines

NEW = bytes(reversed(range(32)))
NEW_KEY = base64.b64encode(NEW).decode()
LOST_KEY = base64.b64encode(b"\x05" * 32).decode()

FILE = """
[suppliers.acme]
name = "Acme"
adapter = "native"
facets = ["price"]
secrets = { api_password = "env:ACME_PW" }
"""


async def applied(mallgate: Shell) -> None:
    mallgate.write("suppliers.toml", FILE)
    assert (await mallgate("suppliers", "apply", "suppliers.toml", ACME_PW="hunter2")).status == 0
    issued = await mallgate("suppliers", "keys", "add", "acme", "--kind", "webhook", "--scope", "read", "--json")
    assert issued.status == 0, issued


async def checked(mallgate: Shell, **changes: str) -> str:
    """What `mallgate check` says of what is sealed."""
    ended = await mallgate("check", "--json", **changes)
    [found] = [each["words"] for each in ended.json if each["subject"] == "secrets"]
    return str(found)


async def password(mallgate: Shell) -> bytes:
    """The supplier's secret, by the new key alone."""
    async with connect(mallgate.environment["DATABASE_URL"], name="tests") as connection:
        sealed = await connection.fetchval("SELECT ciphertext FROM supplier_secrets")
    return SecretBox(NEW).open("acme", "api_password", sealed)


async def test_a_key_is_rotated(mallgate: Shell) -> None:
    await applied(mallgate)
    assert await checked(mallgate) == "2 sealed with the secret key"
    rotated = {"MALLGATE_SECRET_KEY": NEW_KEY, "MALLGATE_FORMER_SECRET_KEYS": SECRET_KEY}
    assert "2 sealed with a former secret key: mallgate secrets reseal" in await checked(mallgate, **rotated)
    dry = await mallgate("secrets", "reseal", "--dry-run", "--json", **rotated)
    key = SecretBox(NEW).current_key_id
    assert (dry.status, dry.err) == (0, "")
    assert dry.json == {"dry_run": True, "key": key, "resealed": 2, "current": 0, "unreadable": []}
    done = await mallgate("secrets", "reseal", **rotated)
    assert (done.status, done.err) == (0, "")
    assert [line.split()[-1] for line in done.out.splitlines()] == [key, "2", "0", "0"]
    assert await password(mallgate) == b"hunter2"
    again = await mallgate("secrets", "reseal", "--json", **rotated)
    assert again.json == {"dry_run": False, "key": key, "resealed": 0, "current": 2, "unreadable": []}
    assert "none needs a former one; chunks on Kafka may until" in await checked(mallgate, **rotated)
    assert await checked(mallgate, MALLGATE_SECRET_KEY=NEW_KEY) == "2 sealed with the secret key"
    audit = (await mallgate("audit", "list", "--object", "secrets", "--json")).json
    assert [(row["actor"], row["detail"]["to_reseal"]) for row in audit] == [("cli:ann", 0), ("cli:ann", 2)]
    assert (await mallgate("audit", "verify")).status == 0


async def test_what_cannot_be_opened_is_named_and_ends_with_1(mallgate: Shell) -> None:
    await applied(mallgate)
    wrong = {"MALLGATE_SECRET_KEY": NEW_KEY, "MALLGATE_FORMER_SECRET_KEYS": LOST_KEY}
    for arguments in (["--dry-run"], []):
        ended = await mallgate("secrets", "reseal", *arguments, **wrong)
        assert ended.status == 1
        assert "supplier_secrets" in ended.out
        assert "api_keys" in ended.out
        assert "2 secrets cannot be opened" in ended.err
        assert "hunter2" not in ended.out + ended.err
    found = (await mallgate("secrets", "reseal", "--json", **wrong)).json
    assert [(each["table"], each["supplier"]) for each in found["unreadable"]] == [
        ("supplier_secrets", "acme"),
        ("api_keys", "acme"),
    ]
    assert "2 cannot be opened" in await checked(mallgate, **wrong)
    assert await checked(mallgate) == "2 sealed with the secret key"


async def test_settings_that_cannot_rotate_are_told(mallgate: Shell) -> None:
    readable = mallgate.folder / "former"
    readable.write_text(SECRET_KEY)
    readable.chmod(0o644)
    cases: list[tuple[dict[str, str | None], str]] = [
        ({"MALLGATE_FORMER_SECRET_KEYS": SECRET_KEY}, "names the secret key itself"),
        ({"MALLGATE_FORMER_SECRET_KEYS": "c2hvcnQ="}, "key 1: must be 32 bytes"),
        ({"MALLGATE_FORMER_SECRET_KEYS_FILE": str(readable)}, f"chmod 600 {readable}"),
        ({"MALLGATE_SECRET_KEY": None}, "set MALLGATE_SECRET_KEY_FILE or MALLGATE_SECRET_KEY"),
        ({"DATABASE_URL": None}, "DATABASE_URL is not set"),
    ]
    for changes, told in cases:
        ended = await mallgate("secrets", "reseal", **changes)
        assert (ended.status, told in ended.err) == (78, True), ended


async def test_tables_of_an_older_version_are_left_alone(mallgate: Shell) -> None:
    connection = await asyncpg.connect(mallgate.environment["DATABASE_URL"])
    await connection.execute(
        "DELETE FROM schema_migrations WHERE version = (SELECT max(version) FROM schema_migrations)"
    )
    await connection.close()
    ended = await mallgate("secrets", "reseal")
    assert (ended.status, "start the gateway first" in ended.err) == (78, True)


async def test_a_gateway_with_former_keys_opens_and_believes_what_they_sealed(
    engines: Engines, database: str, topic_prefix: str
) -> None:
    old = base64.b64decode(SECRET_KEY)
    settings = load_settings(
        **kafka_settings(engines.kafka_bootstrap),
        database_url=database,
        topic_prefix=topic_prefix,
        partitions=1,
        secret_key=NEW_KEY,
        former_secret_keys=SECRET_KEY,
    )
    async with open_services(settings) as services:
        assert services.box.open("acme", "pw", SecretBox(old).seal("acme", "pw", b"hunter2")) == b"hunter2"
        assert SecretBox(NEW).open("acme", "pw", services.box.seal("acme", "pw", b"hunter2")) == b"hunter2"
        for key in (old, NEW):
            assert services.seal.holds(((GW_SEAL, seal_of(key, (), b"{}")),), b"{}")
