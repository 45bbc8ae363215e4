"""`mallgate secrets`: what is kept secret in the database, and the key that it is sealed with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated

from cyclopts import App, Parameter

from gateway.calls import SEALED_TOKENS
from gateway.cli.connection import operator
from gateway.cli.instance import CONNECT_SECONDS, settings
from gateway.cli.output import Json, console, emit, facts, table
from gateway.config import Settings
from gateway.evidence import EVIDENCE
from gateway.relay.sealed import SEALED_BY_RELAY
from gateway.sdk.errors import ConfigError, GatewayError
from gateway.store import Pool, connect, open_pool
from gateway.store.inspection import outstanding
from gateway.suppliers import SEALED_BY_SUPPLIERS, ResealReport, SecretBox, UnreadableSecret, count_sealed, reseal
from gateway.telemetry.logging import configure

SEALED = (*SEALED_BY_SUPPLIERS, SEALED_TOKENS, *SEALED_BY_RELAY, EVIDENCE)
"""Every table that holds sealed values."""

secrets = App(name="secrets", help="Seal what is kept secret anew, after the secret key was changed.")


class UnreadableSecretsError(GatewayError):
    """Some secrets cannot be opened."""


@secrets.command(name="reseal")
async def reseal_(*, dry_run: Annotated[bool, Parameter(negative="")] = False, json: Json = False) -> None:
    """Seal with the secret key what a former one sealed: suppliers' secrets, webhook secrets, tokens, orders.

    To rotate the secret key, in this order:

    1. Make a key: openssl rand -base64 32. Add it to MALLGATE_FORMER_SECRET_KEYS of every gateway and restart them,
    one after another. From now on all of them open what the new key seals.

    2. Make it MALLGATE_SECRET_KEY, and the old one MALLGATE_FORMER_SECRET_KEYS. Restart them, one after another.

    3. Run this with the settings of step 2.

    4. Take the old key away once `mallgate check` says that nothing needs it: what was fed before may be read again
    from Kafka, sealed with the old key, for 7 days. Dead letters of stage feeds.read are replayed before, or never.

    It reads the database itself, with the keys of its own settings, whether gateways run or not. It can be stopped at
    any time and called again. What cannot be opened is named and stays as it is; the command ends with 1 then.

    Parameters
    ----------
    dry_run: bool
        Only say what would be done.
    """
    configure("console", "error")
    given = settings()
    box = box_of(given)
    async with _database(given) as pool:
        found = await (count_sealed(pool, box, SEALED) if dry_run else reseal(pool, box, SEALED, f"cli:{operator()}"))
    if json:
        emit({"dry_run": dry_run, **asdict(found)})
    else:
        _show(found, dry_run=dry_run)
    if found.unreadable:
        raise UnreadableSecretsError(_advice(len(found.unreadable)))


def box_of(given: Settings) -> SecretBox:
    """Seals with the secret key of the settings, opens with the former ones too. Raises ConfigError without one."""
    key = given.secret_key_bytes()
    if key is None:
        raise ConfigError(["set MALLGATE_SECRET_KEY_FILE or MALLGATE_SECRET_KEY, to what the gateways have"])
    return SecretBox(key, *given.former_secret_keys_bytes())


@asynccontextmanager
async def _database(given: Settings) -> AsyncIterator[Pool]:
    if given.database_url is None:
        raise ConfigError(["DATABASE_URL is not set"])
    url = given.database_url.get_secret_value()
    async with connect(url, name="reseal", wait_seconds=CONNECT_SECONDS) as connection:
        if await outstanding(connection):
            raise ConfigError(["The tables are not those of this version yet: start the gateway first."])
    async with open_pool(url, name="reseal", size=1, wait_seconds=CONNECT_SECONDS) as pool:
        yield pool


def _show(found: ResealReport, *, dry_run: bool) -> None:
    facts(
        [
            ("key", found.key),
            ("to be resealed" if dry_run else "resealed", found.resealed),
            ("current already", found.current),
            ("cannot be opened", len(found.unreadable)),
        ]
    )
    if found.unreadable:
        console.print()
        table("table|supplier|name|reason", map(_row, found.unreadable), empty="")


def _row(unreadable: UnreadableSecret) -> list[object]:
    return [unreadable.table, unreadable.supplier, unreadable.name, unreadable.reason]


def _advice(count: int) -> str:
    return (
        f"{count} secrets cannot be opened: add the key that sealed them to MALLGATE_FORMER_SECRET_KEYS, or replace "
        "them (mallgate suppliers apply, mallgate suppliers keys add)."
    )
