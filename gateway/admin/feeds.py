"""Feeds of all suppliers, as operators see them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from gateway.admin.http import Sent, answer, asked
from gateway.feeds.report import NEWEST, FeedStatus, Reports
from gateway.intake.problems import ProblemError
from gateway.sdk.problems import PROBLEMS
from schemas.catalog import Facet


class FeedPage(Sent):
    """Query of the list. before: id of the last feed of the page before."""

    supplier: str | None = None
    facet: Facet | None = None
    state: Literal["admitted", "produced", "incomplete", "done", "cancelled"] | None = None
    before: Annotated[int, Field(ge=1, le=NEWEST)] = NEWEST
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class FeedRoutes:
    """`/feeds`: every feed, newest first; `/feeds/{id}`: one, with what was wrong most often."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [web.get("/feeds", self.list), web.get("/feeds/{feed:[1-9][0-9]{0,17}}", self.show)]

    async def list(self, request: web.Request) -> web.Response:
        """One page; `next` is the `before` of the following one, null after the last."""
        page = asked(request, FeedPage)
        found = await self._reports.feeds(
            page.supplier, facet=page.facet, state=page.state, before=page.before, limit=page.limit
        )
        following = str(found[-1].feed_no) if len(found) == page.limit else None
        return answer({"feeds": [shown(feed) for feed in found], "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """One feed."""
        feed_no = int(request.match_info["feed"])
        found = await self._reports.feed(feed_no, None)
        if found is None:
            raise ProblemError("not_found", f"There is no feed {feed_no}.")
        problems = await self._reports.top_problems(feed_no)
        return answer({**shown(found), "problems": [_worded(problem) for problem in problems]})


def shown(feed: FeedStatus) -> dict[str, object]:
    """A feed as the API words it: its id is a text, as vendors know it."""
    status = asdict(feed)
    return {"feed": str(status.pop("feed_no")), **status}


def _worded(problem: dict[str, object]) -> dict[str, object]:
    words = PROBLEMS[str(problem["code"])]
    return {**problem, "message_zh": words.zh, "message_en": words.en}
