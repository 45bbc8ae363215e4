"""Routes of suppliers that are pulled: how they fare, pulling now, testing the connection."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_query
from gateway.sessions import PullStatus
from schemas.catalog import Facet


class PullBody(JsonBody):
    """Body of a wish to pull now. Without facets, all."""

    facets: Annotated[tuple[Facet, ...], Field(min_length=1)] | None = None


class PullQuery(JsonBody):
    """Query of the list. supplier: only this one; the list is empty when it is not pulled."""

    supplier: str | None = None


class PullRoutes:
    """`/pulls` and what may be asked of one supplier."""

    def __init__(self, status: PullStatus) -> None:
        self._status = status

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/pulls", self.all),
            web.post("/suppliers/{supplier}/pull", self.pull),
            web.post("/suppliers/{supplier}/check", self.check),
        ]

    async def all(self, request: web.Request) -> web.Response:
        """Every supplier that is pulled, or the one that is asked for."""
        supplier = read_query(request, PullQuery).supplier
        if supplier is None:
            return json_response({"suppliers": await self._status.all()})
        found = await self._status.one(supplier)
        return json_response({"suppliers": [] if found is None else [found]})

    async def pull(self, request: web.Request) -> web.Response:
        """Have facets pulled as a whole at once."""
        body = await read_body(request, PullBody)
        supplier = request.match_info["supplier"]
        due = await self._status.pull_now(supplier, body.facets, request[ACTOR])
        return json_response({"supplier": supplier, "due": due}, status=202)

    async def check(self, request: web.Request) -> web.Response:
        """Have the connection tested; every step with what came of it."""
        supplier = request.match_info["supplier"]
        steps = await self._status.check(supplier, request[ACTOR])
        return json_response({"supplier": supplier, "steps": steps})
