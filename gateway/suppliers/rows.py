"""The rows of suppliers: declaring, pausing, and every revision kept. One audit row per change, in its transaction."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from gateway.sdk.errors import ConfigError, GatewayError
from gateway.store import Connection, Pool, Row, acquired, transaction
from gateway.store.audit import record
from gateway.suppliers import queries
from gateway.suppliers.config import Brakes, SupplierConfig
from gateway.suppliers.secrets import SecretBox, SecretUnreadableError


class State(StrEnum):
    """Whether the gateway works for a supplier."""

    ACTIVE = "active"
    PAUSED = "paused"


class Change(StrEnum):
    """What applying a declaration did."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class UnknownSupplierError(GatewayError):
    """There is no such supplier."""


def lease_of(supplier: str) -> str:
    """Name of the lease that owning a supplier is."""
    return f"session {supplier}"


def webhook_lease_of(supplier: str) -> str:
    """Name of the lease that sending to a supplier's webhook is."""
    return f"webhook {supplier}"


@dataclass(frozen=True, slots=True)
class Supplier:
    """A supplier as the gateway runs it. revision: of its configuration, from 1."""

    id: str
    revision: int
    state: State
    config: SupplierConfig


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of a supplier's history."""

    revision: int
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret is shown by its name and the time it was set, never by itself."""

    name: str
    set_at: datetime


@dataclass(frozen=True, slots=True)
class SupplierDetail(Supplier):
    """A supplier as operators see it; revisions newest first."""

    created_at: datetime
    updated_at: datetime
    secrets: tuple[StoredSecret, ...]
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one declaration."""

    supplier: str
    revision: int
    change: Change


class Suppliers:
    """What operators do with suppliers. Methods raise StoreUnavailableError when PostgreSQL is away."""

    def __init__(self, pool: Pool, box: SecretBox) -> None:
        self._pool = pool
        self._box = box

    async def apply(
        self,
        configs: Sequence[SupplierConfig],
        actor: str,
        *,
        secrets: Mapping[str, Mapping[str, str]] | None = None,
    ) -> list[Applied]:
        """Make the rows say what is declared, all or none; suppliers that are not named stay as they are.

        secrets: supplier -> name -> secret; for a supplier named here they replace all it had, for others they stay.
        A declaration that changes nothing makes no revision, and a change of secrets alone makes none either.
        """
        given = secrets or {}
        async with transaction(self._pool) as connection:
            await connection.execute(queries.CHANGE)
            rows = await connection.fetch(queries.SEVERAL, [config.supplier for config in configs])
            known = {row["supplier"]: row for row in rows}
            return [
                await self._apply(connection, config, actor, known.get(config.supplier), given.get(config.supplier))
                for config in sorted(configs, key=lambda config: config.supplier)
            ]

    async def list(self) -> list[Supplier]:
        """Every supplier, by id."""
        async with acquired(self._pool) as connection:
            return [_shown(row) for row in await connection.fetch(queries.OVERVIEW)]

    async def get(self, supplier: str) -> SupplierDetail:
        """One supplier with its history. Raises UnknownSupplierError."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.ONE, supplier)
            if row is None:
                raise UnknownSupplierError(f"There is no supplier {supplier!r}.")
            secrets = await connection.fetch(queries.SECRETS, supplier)
            revisions = await connection.fetch(queries.REVISIONS, supplier)
        found = _shown(row)
        return SupplierDetail(
            id=found.id,
            revision=found.revision,
            state=found.state,
            config=found.config,
            created_at=row["created_at"],
            updated_at=row["updated_at"],
            secrets=tuple(StoredSecret(secret["name"], secret["created_at"]) for secret in secrets),
            revisions=tuple(Revision(each["revision"], each["actor"], each["at"]) for each in revisions),
        )

    async def revision(self, supplier: str, revision: int) -> SupplierConfig | None:
        """The configuration of one revision, which never changes; None when there is no such supplier or revision.

        Raises ConfigError for one of another release.
        """
        async with acquired(self._pool) as connection:
            config = await connection.fetchval(queries.REVISION, supplier, revision)
        return None if config is None else _config_of(supplier, revision, config)

    async def shown_revision(self, supplier: str, revision: int) -> SupplierConfig | Mapping[str, Any] | None:
        """The same for whoever only shows it: one of another release as it stands in the row."""
        async with acquired(self._pool) as connection:
            config = await connection.fetchval(queries.REVISION, supplier, revision)
        return None if config is None else _shown_config(config)

    async def pause(self, supplier: str, actor: str, reason: str) -> None:
        """Stop working for a supplier; no effect when paused already. Raises UnknownSupplierError."""
        await self._set_state(supplier, State.PAUSED, "supplier.pause", actor, reason)

    async def resume(self, supplier: str, actor: str, reason: str | None = None) -> None:
        """Work for it again; no effect when active. Raises UnknownSupplierError."""
        await self._set_state(supplier, State.ACTIVE, "supplier.resume", actor, reason)

    async def _set_state(self, supplier: str, state: State, action: str, actor: str, reason: str | None) -> None:
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.LOCK, supplier)
            if row is None:
                raise UnknownSupplierError(f"There is no supplier {supplier!r}.")
            if row["state"] == state:
                return
            await connection.execute(queries.SET_STATE, supplier, state)
            await record(connection, actor, action, target=supplier, reason=reason)
            await connection.execute(queries.NOTIFY, supplier)

    async def _apply(
        self,
        connection: Connection,
        config: SupplierConfig,
        actor: str,
        row: Row | None,
        secrets: Mapping[str, str] | None,
    ) -> Applied:
        revision = 0 if row is None else row["revision"]
        same = row is not None and row["config"] == config.model_dump(mode="json")
        if not same:
            revision += 1
            await self._store(connection, config, revision, actor)
        moved = [] if secrets is None else await self._replace_secrets(connection, config.supplier, secrets)
        if same and not moved:
            return Applied(config.supplier, revision, Change.UNCHANGED)
        change = Change.CREATED if row is None else Change.UPDATED
        detail = {"change": change, "revision": revision, "secrets": moved}
        # It opens our own network: whoever reads the audit has to see it.
        if config.http.allow_private or (config.webhook and config.webhook.allow_private):
            detail["allow_private"] = True
        await record(connection, actor, "supplier.apply", target=config.supplier, detail=detail)
        await connection.execute(queries.NOTIFY, config.supplier)
        return Applied(config.supplier, revision, change)

    async def _store(self, connection: Connection, config: SupplierConfig, revision: int, actor: str) -> None:
        dumped = config.model_dump(mode="json")
        await connection.execute(queries.UPSERT, config.supplier, revision, dumped)
        await connection.execute(queries.ADD_REVISION, config.supplier, revision, dumped, actor)

    async def _replace_secrets(
        self, connection: Connection, supplier: str, secrets: Mapping[str, str]
    ) -> Sequence[str]:
        """The names that were set again or dropped."""
        stored = {row["name"]: row["ciphertext"] for row in await connection.fetch(queries.SECRETS, supplier)}
        moved = [name for name, secret in secrets.items() if not self._holds(supplier, name, stored.get(name), secret)]
        for name in moved:
            sealed = self._box.seal(supplier, name, secrets[name].encode())
            await connection.execute(queries.KEEP_SEALED, supplier, name, sealed)
        dropped = sorted(set(stored) - set(secrets))
        await connection.execute(queries.DROP_SECRETS, supplier, dropped)
        return sorted([*moved, *dropped])

    def _holds(self, supplier: str, name: str, sealed: bytes | None, secret: str) -> bool:
        if sealed is None:
            return False
        try:
            return hmac.compare_digest(self._box.open(supplier, name, sealed), secret.encode())
        except SecretUnreadableError:
            # Declaring it again is how an operator mends what was sealed under a key that is lost.
            return False


async def brakes_of(connection: Connection, supplier: str) -> Brakes:
    """The brakes of a supplier as its row has them now; the usual ones where it has no row."""
    config = await connection.fetchval(queries.CONFIG, supplier)
    return Brakes() if config is None else SupplierConfig.model_validate(config).brakes


def _shown(row: Row) -> Supplier:
    """A supplier for whoever only shows it: state and configuration of another release as they stand in the row."""
    state = State(row["state"]) if row["state"] in set(State) else row["state"]
    return Supplier(row["supplier"], row["revision"], state, _shown_config(row["config"]))


def _shown_config(config: Any) -> Any:
    try:
        return SupplierConfig.model_validate(config)
    except ValidationError:
        return config


def supplier_of(row: Row) -> Supplier:
    """A supplier from a row with supplier, revision, state and config.

    Raises ConfigError for one of another release.
    """
    supplier, revision = row["supplier"], row["revision"]
    config = _config_of(supplier, revision, row["config"])
    if row["state"] not in set(State):
        raise ConfigError([f"supplier {supplier}: no such state: {row['state']}"])
    return Supplier(supplier, revision, State(row["state"]), config)


def _config_of(supplier: str, revision: int, config: Any) -> SupplierConfig:
    try:
        return SupplierConfig.model_validate(config)
    except ValidationError as error:
        where = f"supplier {supplier}, revision {revision}, which another release wrote"
        found = error.errors(include_url=False, include_input=False)
        raise ConfigError([f"{where}: {'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found]) from error
