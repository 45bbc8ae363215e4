"""The audit as operators read it: newest first, page by page; whether it is whole; and who tried to get in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import structlog
from aiohttp import web
from pydantic import Field

from gateway.admin.http import JsonBody, json_response, read_query
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Pool, acquired, audit, transaction

log = structlog.get_logger(__name__)

LIST = """
    SELECT id, at, actor, peer, action, object, reason, detail
      FROM audit
     WHERE id < $1 AND ($2::text IS NULL OR object = $2)
     ORDER BY id DESC
     LIMIT $3
"""

QUIET_SECONDS = 60.0
"""Failed logins from one address within so long become one row."""

MOST_ADDRESSES = 1_000
"""Addresses whose failures are told apart; those beyond are counted together."""


class AuditPage(JsonBody):
    """Query of the list. before: id of the last row of the page before; object: id of what was changed."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] = 2**63 - 1
    object: str | None = None


class VerifyBody(JsonBody):
    """Query of a verification. position, hash: of a link that was noted down earlier, both or neither."""

    position: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    def link(self) -> audit.Link | None:
        """The link, None where none was given."""
        if self.position is None or self.hash is None:
            return None
        return audit.Link(self.position, bytes.fromhex(self.hash))


class AuditRoutes:
    """`/audit`: who changed what, when and why; `/audit/verify`: whether nobody changed that afterwards."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [web.get("/audit", self.list), web.get("/audit/verify", self.verify)]

    async def list(self, request: web.Request) -> web.Response:
        """One page; `next` is the `before` of the following one, null after the last."""
        page = read_query(request, AuditPage)
        async with acquired(self._pool) as connection:
            rows = [dict(row) for row in await connection.fetch(LIST, page.before, page.object, page.limit)]
        return json_response({"audit": rows, "next": rows[-1]["id"] if len(rows) == page.limit else None})

    async def verify(self, request: web.Request) -> web.Response:
        """The last link that holds, and what is wrong behind it, null where nothing is."""
        found = await audit.verify(self._pool, read_query(request, VerifyBody).link())
        return json_response({"position": found.head.position, "hash": found.head.hash.hex(), "fault": found.fault})


@dataclass(slots=True)
class _Failures:
    """Of one address. logged_at: when they were last recorded; since: how many there were after that."""

    logged_at: float
    since: int = 0


class FailedLogins:
    """Records who was refused by /admin/v1, at most once a minute for an address however often it tries."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._by_address: dict[str, _Failures] = {}

    async def note(self, peer: str) -> None:
        """One more. Where PostgreSQL is away the next one is recorded in its place."""
        now = self._clock()
        known = self._of(peer, now)
        known.since += 1
        if now < known.logged_at + QUIET_SECONDS:
            return
        detail = {"failures": known.since}
        known.logged_at, known.since = now, 0
        try:
            async with transaction(self._pool) as connection:
                await audit.record(connection, "unknown", "login.refuse", target="admin", detail=detail)
        except ServiceUnavailableError:
            known.logged_at, known.since = float("-inf"), detail["failures"]

    def _of(self, peer: str, now: float) -> _Failures:
        if peer not in self._by_address and len(self._by_address) >= MOST_ADDRESSES:
            recent = {each: found for each, found in self._by_address.items() if now < found.logged_at + QUIET_SECONDS}
            self._by_address = recent
        name = peer if peer in self._by_address or len(self._by_address) < MOST_ADDRESSES else "others"
        return self._by_address.setdefault(name, _Failures(float("-inf")))
