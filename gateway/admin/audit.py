"""The audit as operators read it: newest first, page by page."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from gateway.admin.http import Sent, answer, asked
from gateway.store import Pool, acquired

LIST = """
    SELECT id, at, actor, action, object, reason, detail
      FROM audit
     WHERE id < $1 AND ($2::text IS NULL OR object = $2)
     ORDER BY id DESC
     LIMIT $3
"""


class AuditPage(Sent):
    """Query of the list. before: id of the last row of the page before; object: id of what was changed."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    before: Annotated[int, Field(ge=1, le=2**63 - 1)] = 2**63 - 1
    object: str | None = None


class AuditRoutes:
    """`/audit`: who changed what, when and why."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [web.get("/audit", self.list)]

    async def list(self, request: web.Request) -> web.Response:
        """One page; `next` is the `before` of the following one, null after the last."""
        page = asked(request, AuditPage)
        async with acquired(self._pool) as connection:
            rows = [dict(row) for row in await connection.fetch(LIST, page.before, page.object, page.limit)]
        return answer({"audit": rows, "next": rows[-1]["id"] if len(rows) == page.limit else None})
