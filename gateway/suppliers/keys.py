"""Credentials of suppliers: bearer tokens, stored as hashes, and webhook secrets, stored encrypted.

Bearer tokens are `mg_<key id>_<secret>`, webhook secrets `whsec_<base64 of 32 bytes>` as Standard Webhooks has them.
A credential is shown once, when it is issued. At most two of a kind are live, so that one can replace the other.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.sdk.errors import GatewayError
from gateway.store import Pool, transaction
from gateway.store.audit import record
from gateway.suppliers import queries
from gateway.suppliers.rows import UnknownSupplierError
from gateway.suppliers.secrets import SecretBox

MAX_LIVE = 2
BEARER_PREFIX = "mg_"
WEBHOOK_PREFIX = "whsec_"

SCOPES = frozenset({"feeds:product", "feeds:price", "feeds:stock", "feeds:listing", "read", "orders"})
"""All that a credential can allow: feeding a facet, reading what became of it, taking and answering orders."""


class KeyKind(StrEnum):
    """How a credential proves who is calling: by being sent, or by signing."""

    BEARER = "bearer"
    WEBHOOK = "webhook"


class TooManyKeysError(GatewayError):
    """The supplier has two live keys of this kind; revoke one first."""


class UnknownKeyError(GatewayError):
    """The supplier has no such key."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new credential; the only time that `secret` can be seen."""

    key_id: str
    kind: KeyKind
    secret: str
    scopes: frozenset[str]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Key:
    """A credential as operators see it. last_used_at: to the minute."""

    key_id: str
    kind: KeyKind
    scopes: frozenset[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class Keys:
    """What operators do with credentials. Methods raise StoreUnavailableError when PostgreSQL is away."""

    def __init__(self, pool: Pool, box: SecretBox) -> None:
        self._pool = pool
        self._box = box

    async def issue(
        self,
        supplier: str,
        kind: KeyKind,
        *,
        actor: str,
        scopes: Iterable[str],
        expires_at: datetime | None = None,
    ) -> IssuedKey:
        """A new credential. scopes: some of SCOPES. Raises UnknownSupplierError, TooManyKeysError."""
        issued = mint(kind, frozenset(scopes), expires_at)
        hashed, sealed = self._stored(supplier, issued)
        async with transaction(self._pool) as connection:
            if await connection.fetchrow(queries.LOCK, supplier) is None:
                raise UnknownSupplierError(f"There is no supplier {supplier!r}.")
            if await connection.fetchval(queries.LIVE_KEYS, supplier, kind) >= MAX_LIVE:
                raise TooManyKeysError
            arguments = (issued.key_id, supplier, kind, hashed, sealed, sorted(issued.scopes), expires_at)
            await connection.execute(queries.ADD_KEY, *arguments)
            detail = {"key_id": issued.key_id, "kind": kind, "scopes": sorted(issued.scopes)}
            await record(connection, actor, "key.issue", target=supplier, detail=detail)
            await connection.execute(queries.NOTIFY, supplier)
        return issued

    async def list(self, supplier: str) -> list[Key]:
        """Every credential a supplier ever had, oldest first. Raises UnknownSupplierError."""
        async with transaction(self._pool) as connection:
            if await connection.fetchrow(queries.ONE, supplier) is None:
                raise UnknownSupplierError(f"There is no supplier {supplier!r}.")
            rows = await connection.fetch(queries.KEYS, supplier)
        return [
            Key(
                key_id=row["key_id"],
                kind=KeyKind(row["kind"]),
                scopes=frozenset(row["scopes"]),
                created_at=row["created_at"],
                expires_at=row["expires_at"],
                revoked_at=row["revoked_at"],
                last_used_at=row["last_used_at"],
            )
            for row in rows
        ]

    async def revoke(self, supplier: str, key_id: str, *, actor: str, reason: str | None = None) -> None:
        """End a credential, everywhere within two seconds; no effect when ended already. Raises UnknownKeyError."""
        async with transaction(self._pool) as connection:
            kind = await connection.fetchval(queries.REVOKE, key_id, supplier)
            if kind is not None:
                detail = {"key_id": key_id, "kind": kind}
                await record(connection, actor, "key.revoke", target=supplier, reason=reason, detail=detail)
                await connection.execute(queries.NOTIFY, supplier)
            elif await connection.fetchval(queries.KEY_EXISTS, key_id, supplier) is None:
                raise UnknownKeyError

    def _stored(self, supplier: str, issued: IssuedKey) -> tuple[bytes | None, bytes | None]:
        """What is kept of it: a hash where it is sent to us, itself encrypted where we have to sign with it."""
        if issued.kind is KeyKind.BEARER:
            return hash_secret(issued.secret.split("_", 2)[2]), None
        return None, self._box.seal(supplier, issued.key_id, issued.secret.encode())


def hash_secret(secret: str) -> bytes:
    """SHA-256: a secret of 256 random bits needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def parse_bearer(token: str) -> tuple[str, str]:
    """Key id and secret of a token; empty texts, which no key has, when it is none."""
    prefix, _, rest = token.partition("_")
    identity, separator, secret = rest.partition("_")
    return (identity, secret) if f"{prefix}_" == BEARER_PREFIX and separator else ("", "")


def mint(kind: KeyKind, scopes: frozenset[str], expires_at: datetime | None) -> IssuedKey:
    """A credential fresh from the random source, not stored anywhere yet."""
    key_id = secrets.token_hex(8)
    if kind is KeyKind.BEARER:
        secret = f"{BEARER_PREFIX}{key_id}_{secrets.token_urlsafe(32)}"
    else:
        secret = WEBHOOK_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    return IssuedKey(key_id, kind, secret, scopes, expires_at)
