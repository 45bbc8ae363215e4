"""/v1: vendors push feeds, follow them, read their reports, and ask what became of a sku."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web

from gateway.feeds.admit import (
    Admission,
    FeedState,
    IdempotencyInProgressError,
    IdempotencyReusedError,
    Receipt,
    Submission,
)
from gateway.feeds.chunk import Mode
from gateway.feeds.closing import TROUBLED
from gateway.feeds.rejections import LEAST, quota_of
from gateway.feeds.report import NEWEST, FeedStatus, Reports
from gateway.feeds.waits import Waits
from gateway.intake.answers import FATE, correlation
from gateway.intake.auth import Claim, Credentials, authenticate, authenticate_bearer
from gateway.intake.binding import id_prefix, refuse_unbound
from gateway.intake.body import BodyLimits, content_encoding, receive
from gateway.intake.encoding import is_compressed
from gateway.intake.expect import note_expectation
from gateway.intake.framing import format_of
from gateway.intake.media_type import media_type_of
from gateway.intake.parameters import (
    MAX_PAGE,
    area_of,
    choice_of,
    facet_of,
    feed_no_of,
    idempotency_key_of,
    number_of,
    refuse_unknown,
    wait_of,
)
from gateway.intake.problems import Fate, ProblemError
from gateway.intake.quotas import Allowance, Quotas
from gateway.intake.tables import csv_head, csv_rows, json_lines
from gateway.intake.unverified import UnverifiedBytes, UnverifiedLimits
from gateway.intake.views import FeedList, feed_view, item_view, report_row
from gateway.registry import Registry
from gateway.store import Connection
from gateway.suppliers import Caller, State, SupplierCache, standing
from gateway.telemetry.faults import reached
from gateway.turnstile import Stretch, urgent
from schemas.base import valid_sku
from schemas.catalog import Facet

SHANGHAI = ZoneInfo("Asia/Shanghai")

SMALL_BYTES = 16 * 1024
"""Of a body whose sender is not to wait for large ones: some two hundred prices."""

RETRY_AFTER_PAUSE = 60.0
"""Seconds after which the vendor of a paused supplier may try again."""

NOTHING_ACCEPTED = Fate("Of this request nothing was accepted.")

REPORTED = 5
"""Rows of a report that are written in one stretch: each tells a hundred issues at most, in two languages."""

READ = "read"
"""Scope of everything that only looks."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """body: sizes; feeds_per_minute, rejected_bytes_per_day: quotas where a row sets none; unverified: signed
    bodies under way.
    """

    body: BodyLimits
    feeds_per_minute: int
    rejected_bytes_per_day: int
    unverified: UnverifiedLimits = field(default_factory=UnverifiedLimits)


class FeedRoutes:
    """The vendor API over the feeds stage."""

    def __init__(
        self,
        admission: Admission,
        reports: Reports,
        waits: Waits,
        suppliers: SupplierCache,
        credentials: Credentials,
        registry: Registry,
        limits: IntakeLimits,
    ) -> None:
        self._admission = admission
        self._reports = reports
        self._waits = waits
        self._suppliers = suppliers
        self._credentials = credentials
        self._registry = registry
        self._limits = limits
        self._quotas = Quotas(time.monotonic)
        self._unverified = UnverifiedBytes(limits.unverified)

    def routes(self) -> list[web.RouteDef]:
        """The routes, with their /v1 paths."""
        return [
            web.get("/v1/feeds", self.page, allow_head=False),
            web.post("/v1/feeds/{feed}", self.push, expect_handler=note_expectation),
            web.get("/v1/feeds/{feed}", self.show),
            web.get("/v1/feeds/{feed}/report", self.report, allow_head=False),
            web.post("/v1/feeds/{feed}/cancel", self.cancel),
            web.get("/v1/items/{facet}/{sku}", self.item, allow_head=False),
        ]

    async def push(self, request: web.Request) -> web.StreamResponse:
        """Take one feed. 202 once it is durable; 200 for a repeat, or when it was waited for and is finished."""
        request[FATE] = NOTHING_ACCEPTED
        who = await authenticate(request, self._credentials)
        refuse_unknown(request, "mode")
        facet, key = facet_of(request.match_info["feed"]), idempotency_key_of(request)
        mode = choice_of(request, "mode", Mode) or Mode.UPSERT
        allowance = None
        if isinstance(who, Claim):
            refuse_unbound(who.webhook_id, _id_prefix(request, facet, mode))
        else:
            allowance = await self._allow(who, facet)
        received_at = datetime.now(SHANGHAI)
        feed_no = await self._admission.next_feed_no()
        async with receive(request, who, self._limits.body, self._unverified) as body:
            if allowance is None:
                allowance = await self._allow(body.caller, facet)
            submission = Submission(
                feed_no=feed_no,
                supplier=body.caller.supplier,
                revision=(await self._suppliers.get(body.caller.supplier)).revision,
                facet=facet,
                mode=mode,
                # The id of a signed push is the only key that is signed: no other may make a second push of it.
                idempotency_key=body.webhook_id or key,
                body_sha256=body.sha256,
                size=body.size,
                records=body.records,
                chunks=body.chunks,
                payload=body.payload,
                received_at=received_at,
                traceparent=correlation(request).traceparent,
            )
            # Only now: nobody is to hurry us who is not known, or whose body is still to come.
            with urgent() if body.size <= SMALL_BYTES else nullcontext():
                receipt = await self._admit(request, submission, body.caller)
        reached("answer.before")
        response = await self._answer(request, receipt, body.caller)
        response.headers.update(allowance.headers())
        await response.prepare(request)
        await response.write_eof()
        reached("answer.after")
        return response

    async def _allow(self, caller: Caller, facet: Facet) -> Allowance:
        if f"feeds:{facet}" not in caller.scopes:
            raise ProblemError("scope_denied", expected=f"feeds:{facet}")
        supplier = await self._suppliers.get(caller.supplier)
        if supplier.state is State.PAUSED:
            raise _paused()
        config = supplier.config
        if facet not in config.facets:
            raise ProblemError("scope_denied", f"The supplier does not feed {facet}.")
        if self._registry.load(config.adapter).manifest.pulled:
            raise ProblemError("scope_denied", "The gateway fetches this supplier's feeds itself; nothing is pushed.")
        feeds, most = self._limits.feeds_per_minute, quota_of(config, self._limits.rejected_bytes_per_day)
        feeds = min(config.limits.feeds_per_minute or feeds, feeds)
        left = self._quotas.take(caller.supplier, feeds)
        spent = await self._reports.rejected_today(caller.supplier)
        if spent.bytes >= most:
            raise ProblemError(
                "rejections_quota",
                "Limit: rejected_bytes_per_day. It starts anew at midnight in China (UTC+8).",
                actual=f"{spent.bytes:,} bytes today, each record counted as {LEAST:,} or more",
                expected=f"at most {most:,}",
                retry_after=spent.seconds,
            )
        return Allowance(feeds, left, most, most - spent.bytes, spent.seconds)

    async def _admit(self, request: web.Request, submission: Submission, caller: Caller) -> Receipt:
        key = submission.idempotency_key
        request[FATE] = _perhaps(submission.feed_no, "been accepted", key)
        try:
            opened = await self._admission.open(submission, partial(_permitted, caller, submission.facet))
        except IdempotencyReusedError as error:
            raise ProblemError("idempotency_key_reused") from error
        except IdempotencyInProgressError as error:
            raise ProblemError("idempotency_in_progress", retry_after=5.0) from error
        except ProblemError:
            request[FATE] = NOTHING_ACCEPTED  # not permitted any more: the transaction was rolled back
            raise
        if isinstance(opened, Submission):
            request[FATE] = _perhaps(opened.feed_no, "taken effect, or do so later", key)
            opened = await self._admission.produce(opened)
        request[FATE] = Fate(f"Feed {opened.feed_no} was accepted; only its state cannot be told now.", opened.feed_no)
        return opened

    async def _answer(self, request: web.Request, receipt: Receipt, caller: Caller) -> web.Response:
        wait = wait_of(request)
        if wait:
            await self._waits.finished(receipt.feed_no, wait)
        status = await self._one(receipt.feed_no, caller.supplier)
        finished = status.finished_at is not None
        response = web.json_response(
            text=feed_view(status, await self._problems(status), duplicate=receipt.duplicate).model_dump_json(),
            status=200 if finished and wait else 202,
            headers={hdrs.LOCATION: f"/v1/feeds/{receipt.feed_no}"},
        )
        if receipt.duplicate:
            response.headers["Idempotent-Replayed"] = "true"
        return response

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
        body = feed_view(status, await self._problems(status)).model_dump_json()
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
        async for piece in self._report_pieces(status.feed_no, as_csv=as_csv):
            await response.write(piece)
        await response.write_eof()
        return response

    async def _report_pieces(self, feed_no: int, *, as_csv: bool) -> AsyncIterator[bytes]:
        if as_csv:
            yield csv_head()
        stretch = Stretch()
        async for rows in self._reports.rows(feed_no):
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

    async def _problems(self, status: FeedStatus) -> list[dict[str, object]]:
        return await self._reports.top_problems(status.feed_no) if status.counts.keys() & TROUBLED else []


def _id_prefix(request: web.BaseRequest, facet: Facet, mode: Mode) -> str:
    compressed = is_compressed(content_encoding(request))
    return id_prefix(facet, mode, format_of(media_type_of(request).name), compressed=compressed)


def _paused() -> ProblemError:
    return ProblemError("supplier_paused", retry_after=RETRY_AFTER_PAUSE)


async def _permitted(caller: Caller, facet: Facet, connection: Connection) -> None:
    """Raise ProblemError when the caller may not feed the facet any more: its body was long under way, say."""
    now = await standing(connection, caller, facet)
    if now.scopes is None:
        raise ProblemError("auth_invalid", subcode="ended")
    if f"feeds:{facet}" not in now.scopes or not now.fed:
        raise ProblemError("scope_denied", expected=f"feeds:{facet}")
    if now.paused:
        raise _paused()


def _perhaps(feed_no: int, what: str, key: str | None) -> Fate:
    """The fate of a push that was under way when something failed."""
    settled = "a repeat under the same key settles it" if key else "a push with an Idempotency-Key can be repeated"
    return Fate(f"Feed {feed_no} may have {what}: look at it; {settled}.", feed_no)


def _wants_csv(request: web.Request) -> bool:
    """CSV by `?format=csv` or the Accept header; JSON lines otherwise. Raises ProblemError bad_parameter."""
    wanted = request.query.get("format")
    if wanted not in (None, "csv", "jsonl"):
        raise ProblemError("bad_parameter", path="format", actual=wanted, expected="csv, jsonl")
    return wanted == "csv" or (wanted is None and "text/csv" in request.headers.get(hdrs.ACCEPT, ""))
