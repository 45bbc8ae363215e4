"""Routes of webhooks: how they fare, a test, sending again, taking one back that was set aside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, StringConstraints

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body
from gateway.relay.webhook_operations import WebhookOperations

LONGEST = timedelta(days=31)
"""How far back messages can be sent again."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


def _recent(at: datetime) -> datetime:
    now = datetime.now(UTC)
    if not now - LONGEST <= at <= now:
        raise ValueError(f"should lie within the last {LONGEST.days} days")
    return at


class EnableBody(JsonBody):
    """Body of an enable."""

    reason: Reason


class ReplayBody(EnableBody):
    """Body of a replay. since: what came in from then on."""

    since: Annotated[AwareDatetime, AfterValidator(_recent)]


class WebhookRoutes:
    """`/webhooks`."""

    def __init__(self, operations: WebhookOperations) -> None:
        self._operations = operations

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/webhooks", self.list),
            web.get("/webhooks/{supplier}", self.show),
            web.post("/webhooks/{supplier}/test", self.test),
            web.post("/webhooks/{supplier}/replay", self.replay),
            web.post("/webhooks/{supplier}/enable", self.enable),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Every webhook, by supplier."""
        return json_response({"webhooks": await self._operations.list()})

    async def show(self, request: web.Request) -> web.Response:
        """How a webhook fares."""
        return json_response(await self._operations.show(request.match_info["supplier"]))

    async def test(self, request: web.Request) -> web.Response:
        """Send a message that asks for nothing, and tell what came of it."""
        return json_response(await self._operations.test(request.match_info["supplier"], request[ACTOR]))

    async def replay(self, request: web.Request) -> web.Response:
        """Send again what came in from a moment on."""
        supplier, body = request.match_info["supplier"], await read_body(request, ReplayBody)
        found = await self._operations.replay(supplier, body.since, request[ACTOR], body.reason)
        return json_response(found, status=202)

    async def enable(self, request: web.Request) -> web.Response:
        """Send to a webhook again that was set aside."""
        supplier, body = request.match_info["supplier"], await read_body(request, EnableBody)
        return json_response(await self._operations.enable(supplier, request[ACTOR], body.reason), status=202)
