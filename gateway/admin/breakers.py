"""Routes of breakers: held open by an operator, and let probe again."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body
from gateway.sessions import BreakerOrders
from gateway.suppliers.config import Period

LONGEST_SECONDS = 30 * 86_400
"""Of a breaker that is held open: an order that is forgotten ends by itself."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class CloseBody(JsonBody):
    """Body of a close. operation: None for all that the adapter calls."""

    operation: str | None = None
    reason: Reason


class OpenBody(CloseBody):
    """Body of an open. seconds: how long it stays open, unless it is closed before."""

    seconds: Annotated[Period, Field(le=LONGEST_SECONDS)] = 3600


class BreakerRoutes:
    """`/suppliers/{supplier}/breakers`."""

    def __init__(self, orders: BreakerOrders) -> None:
        self._orders = orders

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.post("/suppliers/{supplier}/breakers/open", self.open),
            web.post("/suppliers/{supplier}/breakers/close", self.close),
        ]

    async def open(self, request: web.Request) -> web.Response:
        """Have nothing called for a while."""
        supplier, body = request.match_info["supplier"], await read_body(request, OpenBody)
        length = timedelta(seconds=body.seconds)
        operations = await self._orders.open(
            supplier, body.operation, length=length, actor=request[ACTOR], reason=body.reason
        )
        return json_response({"supplier": supplier, "operations": operations, "seconds": body.seconds}, status=202)

    async def close(self, request: web.Request) -> web.Response:
        """Have the next call find out whether the supplier answers."""
        supplier, body = request.match_info["supplier"], await read_body(request, CloseBody)
        operations = await self._orders.close(supplier, body.operation, actor=request[ACTOR], reason=body.reason)
        return json_response({"supplier": supplier, "operations": operations, "seconds": None}, status=202)
