"""Routes of orders and their lanes: what became of them, and what operators decide about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_query
from gateway.relay.advice import DECIDABLE, UNANSWERED
from gateway.relay.decisions import OrderDecisions
from gateway.relay.reading import OrderReading, UnansweredFilter
from gateway.relay.states import State
from gateway.relay.transitions import Resolution
from gateway.sdk.errors import ConfigError
from gateway.suppliers import SupplierCache
from schemas.orders.parts import Reference

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]

OpenState = Literal["waiting", "sending", "retry", "unknown", "looking_up", "parked", "held", "dead", "unanswered"]
"""Where a command that has not ended may stand, or one that its vendor acknowledged and has not answered."""


class LanePage(JsonBody):
    """Query of a list. after: `next` of the page before."""

    supplier: str | None = None
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 50


class OrderPage(LanePage):
    """Query of the list of commands.

    state: None for those that a person may have a word about; of the unanswered, those whose deadline has passed.
    """

    state: OpenState | None = None


class ShowQuery(JsonBody):
    """Query of one order. words: with the suppliers' own words, which is noted in the audit."""

    words: Literal["true", "false"] = "false"


class ResolveBody(JsonBody):
    """Body of a resolution. supplier_order_no: of an order that is there and whose number is not known yet."""

    resolution: Resolution
    reason: Reason
    supplier_order_no: Reference | None = None


class DecisionBody(JsonBody):
    """Body of a decision about a lane. supplier: where the order has lanes at several."""

    reason: Reason
    supplier: str | None = None


class OrderRoutes:
    """`/orders`, `/commands/{command}/resolve`, `/lanes`."""

    def __init__(self, reading: OrderReading, decisions: OrderDecisions, suppliers: SupplierCache) -> None:
        self._reading = reading
        self._decisions = decisions
        self._suppliers = suppliers

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/orders", self.list),
            web.get("/orders/{order}", self.show),
            web.post("/commands/{command}/resolve", self.resolve),
            web.get("/lanes", self.lanes),
            web.post("/lanes/{order}/park", self.park),
            web.post("/lanes/{order}/release", self.release),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Commands about which somebody may have a word, the oldest first; `next` is null after the last page."""
        page = read_query(request, OrderPage)
        which = _wanted(page.state)
        found = await self._reading.list(*which, supplier=page.supplier, after=page.after, limit=page.limit)
        await self._require_known(page, found)
        return json_response({"commands": found, "next": found[-1]["place"] if len(found) == page.limit else None})

    async def show(self, request: web.Request) -> web.Response:
        """Everything about one order."""
        words = read_query(request, ShowQuery).words == "true"
        found = await self._reading.show(request.match_info["order"], words_for=request[ACTOR] if words else None)
        return json_response(found)

    async def resolve(self, request: web.Request) -> web.Response:
        """Take a person's word about the effect of a command."""
        command_id, body = request.match_info["command"], await read_body(request, ResolveBody)
        command = await self._decisions.resolve(
            command_id,
            body.resolution,
            actor=request[ACTOR],
            reason=body.reason,
            supplier_order_no=body.supplier_order_no,
        )
        return json_response({"command_id": command_id, "order_no": command.about, "state": command.state.value})

    async def lanes(self, request: web.Request) -> web.Response:
        """Lanes that wait, the oldest first; `next` is null after the last page."""
        page = read_query(request, LanePage)
        found = await self._reading.lanes(supplier=page.supplier, after=page.after, limit=page.limit)
        await self._require_known(page, found)
        return json_response({"lanes": found, "next": found[-1]["place"] if len(found) == page.limit else None})

    async def park(self, request: web.Request) -> web.Response:
        """Stop the first command of a lane before its next call."""
        order_no, body = request.match_info["order"], await read_body(request, DecisionBody)
        command = await self._decisions.park(order_no, actor=request[ACTOR], reason=body.reason, supplier=body.supplier)
        return json_response({"command_id": command.command_id, "order_no": order_no, "state": command.state.value})

    async def release(self, request: web.Request) -> web.Response:
        """Let it go on."""
        order_no, body = request.match_info["order"], await read_body(request, DecisionBody)
        command = await self._decisions.release(
            order_no, actor=request[ACTOR], reason=body.reason, supplier=body.supplier
        )
        return json_response({"command_id": command.command_id, "order_no": order_no, "state": command.state.value})

    async def _require_known(self, page: LanePage, found: Sequence[object]) -> None:
        """Raises UnknownSupplierError where nothing was found because nobody has that id.

        A supplier whose row is gone may still have orders; a row of another release is one all the same.
        """
        if page.supplier is not None and not found:
            with suppress(ConfigError):
                await self._suppliers.get(page.supplier)


def _wanted(state: OpenState | None) -> tuple[Collection[State], UnansweredFilter]:
    if state is None:
        return DECIDABLE, UnansweredFilter.LATE
    if state == UNANSWERED:
        return (), UnansweredFilter.ALL
    return {State(state)}, UnansweredFilter.NONE
