"""/v1: vendors push feeds."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from aiohttp import hdrs, web

from gateway.feeds.admit import (
    Admission,
    IdempotencyInProgressError,
    IdempotencyReusedError,
    Receipt,
    Submission,
)
from gateway.feeds.chunk import Mode
from gateway.feeds.rejections import LEAST, quota_of
from gateway.feeds.report import Reports
from gateway.feeds.waits import Waits
from gateway.http.answers import FATE, correlation
from gateway.http.problems import Fate, ProblemError
from gateway.intake.auth import Claim, Credentials, authenticate
from gateway.intake.binding import id_prefix, refuse_unbound
from gateway.intake.body import BodyLimits, content_encoding, receive
from gateway.intake.encoding import is_compressed
from gateway.intake.expect import note_expectation
from gateway.intake.framing import format_of
from gateway.intake.media_type import media_type_of
from gateway.intake.parameters import choice_of, facet_of, idempotency_key_of, refuse_unknown, wait_of
from gateway.intake.quotas import Allowance, Quotas
from gateway.intake.unverified import UnverifiedBytes, UnverifiedLimits
from gateway.intake.views import feed_view
from gateway.registry import Registry
from gateway.store import Connection
from gateway.suppliers import Caller, State, SupplierCache, standing
from gateway.telemetry.failpoints import failpoint
from gateway.turnstile import urgent
from schemas.base import SHANGHAI
from schemas.catalog import Facet

SMALL_BYTES = 16 * 1024
"""Of a body whose sender is not to wait for large ones: some two hundred prices."""

RETRY_AFTER_PAUSE = 60.0
"""Seconds after which the vendor of a paused supplier may try again."""

NOTHING_ACCEPTED = Fate("Of this request nothing was accepted.")


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
    """How feeds come in.

    reports: from a pool that vendors' questions do not share, so that those never make a push wait.
    """

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
        """The route, with its /v1 path."""
        return [web.post("/v1/feeds/{feed}", self.push, expect_handler=note_expectation)]

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
        failpoint("answer.before")
        response = await self._answer(request, receipt, body.caller)
        response.headers.update(allowance.headers())
        await response.prepare(request)
        await response.write_eof()
        failpoint("answer.after")
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
        status = await self._reports.feed(receipt.feed_no, caller.supplier)
        if status is None:
            raise ProblemError("not_found", "No such feed.")
        finished = status.finished_at is not None
        problems = await self._reports.top_problems(receipt.feed_no)
        response = web.json_response(
            text=feed_view(status, problems, duplicate=receipt.duplicate).model_dump_json(),
            status=200 if finished and wait else 202,
            headers={hdrs.LOCATION: f"/v1/feeds/{receipt.feed_no}"},
        )
        if receipt.duplicate:
            response.headers["Idempotent-Replayed"] = "true"
        return response


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
