"""Who is calling: credentials verified against PostgreSQL through a cache that forgets within two seconds.

The cache holds what was not found as well, so an unknown key costs what a known one does. When PostgreSQL is away the
answer is StoreUnavailableError, never "not valid": a supplier must not be told that its good key is bad.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from gateway.sdk.errors import GatewayError
from gateway.store import Batcher, Connection, Pool, Row, acquired
from gateway.suppliers import queries
from gateway.suppliers.keys import hash_secret, parse_bearer
from gateway.suppliers.secrets import SecretBox, SecretUnreadableError

LIFE = 2.0
"""Seconds for which an answer of PostgreSQL is believed, should the notice of a change be lost."""

CAPACITY = 10_000
"""Answers kept at most; beyond it all are forgotten, which costs one look-up each."""

NO_HASH = hashlib.sha256(b"no key has this hash").digest()


class InvalidCredentialError(GatewayError):
    """The credential is not valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, from the credential alone, and what it may do. scopes: some of `keys.SCOPES`."""

    supplier: str
    key_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands at this moment. scopes: None when its key is not live; fed: the supplier feeds the facet."""

    paused: bool
    fed: bool
    scopes: frozenset[str] | None


async def standing(connection: Connection, caller: Caller, facet: str) -> Standing:
    """Ask PostgreSQL, past every cache: for who was let in a while ago and is about to take effect."""
    row = await connection.fetchrow(queries.STANDING, caller.supplier, caller.key_id, facet)
    if row is None:
        return Standing(paused=False, fed=False, scopes=None)
    scopes = None if row["scopes"] is None else frozenset(row["scopes"])
    return Standing(paused=row["state"] == "paused", fed=row["fed"], scopes=scopes)


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """A live webhook secret. secret: `whsec_…` as issued; None where it was sealed under a key that is not at hand."""

    caller: Caller
    secret: str | None


@dataclass(frozen=True, slots=True)
class _Bearer:
    caller: Caller
    secret_hash: bytes


def _bearer(row: Row) -> _Bearer:
    return _Bearer(Caller(row["supplier"], row["key_id"], frozenset(row["scopes"])), row["secret_hash"])


Answer = TypeVar("Answer")


class Recent(Generic[Answer]):
    """Answers by key, each believed for LIFE seconds from before it was asked for."""

    def __init__(self, ask: Callable[[str], Awaitable[Answer]], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._answers: dict[str, tuple[Answer, float]] = {}

    async def get(self, key: str) -> Answer:
        """The answer to a key. What asking raises is raised and not kept."""
        now = self._monotonic()
        kept = self._answers.get(key)
        if kept is not None and now < kept[1]:
            return kept[0]
        answer = await self._ask(key)
        if len(self._answers) >= CAPACITY:
            self.forget()
        self._answers[key] = (answer, now + LIFE)
        return answer

    def forget(self) -> None:
        """Believe nothing any more."""
        self._answers.clear()


class Keyring:
    """Verifies credentials, and notes when each was used last."""

    def __init__(self, pool: Pool, box: SecretBox, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._box = box
        self._bearers = Recent(Batcher(self._find_bearers).ask, monotonic)
        self._webhooks = Recent(self._find_webhooks, monotonic)
        self._used: dict[str, datetime] = {}

    async def verify_bearer(self, token: str) -> Caller:
        """Who sent the token. Raises InvalidCredentialError, StoreUnavailableError."""
        key_id, secret = parse_bearer(token)
        bearer = await self._bearers.get(key_id)
        matches = hmac.compare_digest(hash_secret(secret), NO_HASH if bearer is None else bearer.secret_hash)
        if bearer is None or not matches:
            raise InvalidCredentialError
        self.used(bearer.caller)
        return bearer.caller

    async def webhook_keys(self, supplier: str) -> tuple[WebhookKey, ...]:
        """The live webhook secrets of a supplier, newest first, none for an unknown one; call `used` for the one that
        matched. Raises StoreUnavailableError, and SecretUnreadableError where not one of them can be read.
        """
        return await self._webhooks.get(supplier)

    def used(self, caller: Caller) -> None:
        """Note that a credential was used; written by `flush`."""
        self._used[caller.key_id] = datetime.now(UTC)

    def forget(self) -> None:
        """Ask PostgreSQL again from now on."""
        self._bearers.forget()
        self._webhooks.forget()

    async def flush(self, connection: Connection) -> None:
        """Write the times of last use gathered since the last time."""
        if self._used:
            used, self._used = self._used, {}
            await connection.execute(queries.TOUCH_KEYS, list(used), list(used.values()))

    async def _find_bearers(self, key_ids: Sequence[str]) -> list[_Bearer | None]:
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.LIVE_BEARERS, list(set(key_ids)))
        live = {row["key_id"]: row for row in rows}
        return [_bearer(live[key_id]) if key_id in live else None for key_id in key_ids]

    async def _find_webhooks(self, supplier: str) -> tuple[WebhookKey, ...]:
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.LIVE_WEBHOOKS, supplier)
        callers = [Caller(supplier, row["key_id"], frozenset(row["scopes"])) for row in rows]
        secrets = [self._opened(supplier, row["key_id"], row["ciphertext"]) for row in rows]
        if rows and not any(secrets):
            raise SecretUnreadableError(f"No webhook secret of {supplier} can be opened with the secret key at hand.")
        return tuple(map(WebhookKey, callers, secrets))

    def _opened(self, supplier: str, key_id: str, sealed: bytes) -> str | None:
        """A secret, None for one that cannot be read: it keeps no other of its supplier from signing."""
        try:
            return self._box.open(supplier, key_id, sealed).decode()
        except SecretUnreadableError:
            return None
