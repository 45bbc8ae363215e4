"""/v1: what vendors ask about their feeds and skus, from a pool of their own, of which each supplier has a share.

Nothing is held of it while an answer is written: a reader that takes its time keeps nobody waiting.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from aiohttp import hdrs, web

from gateway.feeds.feed import FeedState
from gateway.feeds.report import NEWEST, FeedStatus, Reports
from gateway.http.problems import ProblemError
from gateway.intake.auth import Credentials, authenticate_bearer
from gateway.intake.parameters import MAX_PAGE, area_of, choice_of, facet_of, feed_no_of, number_of, refuse_unknown
from gateway.intake.tables import csv_head, csv_rows, json_lines
from gateway.intake.views import FeedList, feed_view, item_view, report_row
from gateway.suppliers import Caller
from gateway.turnstile import Stretch
from schemas.base import valid_sku
from schemas.catalog import Facet

REPORTED = 5
"""Rows of a report that are written in one stretch: each tells a hundred issues at most, in two languages."""

READ = "read"
"""Scope of everything that only looks."""


class ReadRoutes:
    """The vendor API's questions, and the cancelling of a feed."""

    def __init__(self, reports: Reports, credentials: Credentials) -> None:
        self._reports = reports
        self._credentials = credentials

    def routes(self) -> list[web.RouteDef]:
        """The routes, with their /v1 paths."""
        return [
            web.get("/v1/feeds", self.page, allow_head=False),
            web.get("/v1/feeds/{feed}", self.show),
            web.get("/v1/feeds/{feed}/report", self.report, allow_head=False),
            web.post("/v1/feeds/{feed}/cancel", self.cancel),
            web.get("/v1/items/{facet}/{sku}", self.item, allow_head=False),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """The caller's feeds, newest first."""
        refuse_unknown(request, "facet", "state", "limit", "before")
        caller = await self._reader(request)
        facet, state = choice_of(request, "facet", Facet), choice_of(request, "state", FeedState)
        limit = number_of(request, "limit", 50, most=MAX_PAGE)
        before = number_of(request, "before", NEWEST, most=NEWEST)
        found = await self._reports.feeds(caller.supplier, facet=facet, state=state, before=before, limit=limit)
        following = None
        if len(found) == limit:
            query = {**request.query, "before": str(found[-1].feed_no)}
            following = str(request.rel_url.with_query(query))
        page = FeedList(feeds=tuple(feed_view(status) for status in found), next=following)
        return web.json_response(text=page.model_dump_json())

    async def show(self, request: web.Request) -> web.Response:
        """One feed, with an ETag that changes when anything in it does."""
        refuse_unknown(request)
        status = await self._one(feed_no_of(request.match_info["feed"]), (await self._reader(request)).supplier)
        problems = await self._reports.top_problems(status.feed_no, status.supplier)
        body = feed_view(status, problems).model_dump_json()
        etag = hashlib.sha256(body.encode()).hexdigest()[:32]
        if any(known.value in (etag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers={hdrs.ETAG: f'"{etag}"'})
        return web.json_response(text=body, headers={hdrs.ETAG: f'"{etag}"'})

    async def report(self, request: web.Request) -> web.StreamResponse:
        """Every item that did not simply come through, as JSON lines or CSV."""
        refuse_unknown(request, "format")
        caller = await self._reader(request)
        status = await self._one(feed_no_of(request.match_info["feed"]), caller.supplier)
        as_csv = _wants_csv(request)
        response = web.StreamResponse()
        response.content_type = "text/csv" if as_csv else "application/x-ndjson"
        response.charset = "utf-8"
        suffix = "csv" if as_csv else "jsonl"
        response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="feed-{status.feed_no}.{suffix}"'
        await response.prepare(request)
        async for piece in self._report_pieces(status, as_csv=as_csv):
            await response.write(piece)
        await response.write_eof()
        return response

    async def _report_pieces(self, status: FeedStatus, *, as_csv: bool) -> AsyncIterator[bytes]:
        if as_csv:
            yield csv_head()
        stretch = Stretch()
        async for rows in self._reports.rows(status.feed_no, status.supplier):
            for start in range(0, len(rows), REPORTED):
                views = [report_row(row) for row in rows[start : start + REPORTED]]
                yield csv_rows(views) if as_csv else json_lines(views)
                await stretch.rest()

    async def cancel(self, request: web.Request) -> web.Response:
        """Stop what has not taken effect; 409 conflict when all of it has."""
        refuse_unknown(request)
        caller = await self._reader(request)
        feed_no = feed_no_of(request.match_info["feed"])
        status = await self._one(feed_no, caller.supplier)
        if f"feeds:{status.facet}" not in caller.scopes:
            raise ProblemError("scope_denied", expected=f"feeds:{status.facet}")
        if await self._reports.cancel(feed_no, caller.supplier) in ("done", "cancelled"):
            raise ProblemError("conflict", "The feed is finished.")
        return web.json_response(
            text=feed_view(await self._one(feed_no, caller.supplier)).model_dump_json(), status=202
        )

    async def item(self, request: web.Request) -> web.Response:
        """What became of one sku."""
        refuse_unknown(request, "after")
        caller = await self._reader(request)
        facet, sku = facet_of(request.match_info["facet"]), valid_sku(request.match_info["sku"])
        after = area_of(request, "after")
        found = None if sku is None else await self._reports.item(caller.supplier, facet, sku, after=after)
        if found is None:
            raise ProblemError("not_found", f"No {facet} feed has named this sku so that it could be read.")
        following = str(request.rel_url.with_query(after=found["keys"][-1]["area"])) if found["more"] else None
        return web.json_response(text=item_view(found, following).model_dump_json())

    async def _reader(self, request: web.Request) -> Caller:
        """The caller of a request without a body. Raises ProblemError."""
        caller = await authenticate_bearer(request, self._credentials)
        if READ not in caller.scopes:
            raise ProblemError("scope_denied", expected=READ)
        return caller

    async def _one(self, feed_no: int, supplier: str) -> FeedStatus:
        status = await self._reports.feed(feed_no, supplier)
        if status is None:
            raise ProblemError("not_found", "No such feed.")
        return status


def _wants_csv(request: web.Request) -> bool:
    """CSV by `?format=csv` or the Accept header; JSON lines otherwise. Raises ProblemError bad_parameter."""
    wanted = request.query.get("format")
    if wanted not in (None, "csv", "jsonl"):
        raise ProblemError("bad_parameter", path="format", actual=wanted, expected="csv, jsonl")
    return wanted == "csv" or (wanted is None and "text/csv" in request.headers.get(hdrs.ACCEPT, ""))
