"""Feeds of all suppliers, as operators see them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_query
from gateway.feeds.feed import FeedState
from gateway.feeds.holds import Holds
from gateway.feeds.report import NEWEST, FeedStatus, Reports
from gateway.http.problems import ProblemError
from gateway.sdk.problems import words_of
from schemas.catalog import Facet

FEED = "{feed:[1-9][0-9]{0,17}}"


class FeedPage(JsonBody):
    """Query of the list. before: id of the last feed of the page before."""

    supplier: str | None = None
    facet: Facet | None = None
    state: FeedState | None = None
    before: Annotated[int, Field(ge=1, le=NEWEST)] = NEWEST
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class DecisionBody(JsonBody):
    """Body of a decision about a held feed."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class FeedRoutes:
    """`/feeds`: every feed, newest first; `/feeds/{id}`: one, with what was wrong most often; held ones are decided."""

    def __init__(self, reports: Reports, holds: Holds) -> None:
        self._reports = reports
        self._holds = holds

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/feeds", self.list),
            web.get(f"/feeds/{FEED}", self.show),
            web.post(f"/feeds/{FEED}/release", self.release),
            web.post(f"/feeds/{FEED}/reject", self.reject),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """One page; `next` is the `before` of the following one, null after the last."""
        page = read_query(request, FeedPage)
        found = await self._reports.feeds(
            page.supplier, facet=page.facet, state=page.state, before=page.before, limit=page.limit
        )
        following = str(found[-1].feed_no) if len(found) == page.limit else None
        return json_response({"feeds": [shown(feed) for feed in found], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """One feed; of a held one also some of the keys that it would withdraw."""
        feed_no = int(request.match_info["feed"])
        found = await self._reports.feed(feed_no, None)
        if found is None:
            raise ProblemError("not_found", f"There is no feed {feed_no}.")
        problems = await self._reports.top_problems(feed_no)
        held = found.state == FeedState.HELD
        absent = await self._holds.absent(feed_no, found.supplier, Facet(found.facet)) if held else []
        return json_response({**shown(found), "problems": [_worded(problem) for problem in problems], "absent": absent})

    async def release(self, request: web.Request) -> web.Response:
        """Let a held feed withdraw what it does not name."""
        body = await read_body(request, DecisionBody)
        await self._holds.release(int(request.match_info["feed"]), actor=request[ACTOR], reason=body.reason)
        return await self.show(request)

    async def reject(self, request: web.Request) -> web.Response:
        """Close a held feed; it withdraws nothing."""
        body = await read_body(request, DecisionBody)
        await self._holds.reject(int(request.match_info["feed"]), actor=request[ACTOR], reason=body.reason)
        return await self.show(request)


def shown(feed: FeedStatus) -> dict[str, object]:
    """A feed as the API words it: its id is a text, as vendors know it."""
    status = asdict(feed)
    waits_for = status.pop("waits_for")
    return {
        "feed": str(status.pop("feed_no")),
        **status,
        "waits_for": None if waits_for is None else str(waits_for),
    }


def _worded(problem: dict[str, object]) -> dict[str, object]:
    words = words_of(str(problem["code"]))
    return {**problem, "message_zh": words.zh, "message_en": words.en}
