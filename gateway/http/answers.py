"""Every answer that is not a success, as application/problem+json, whatever went wrong and wherever.

`answer_problems` is the middleware of every HTTP application of the gateway; the server wraps the whole application in
it, and answers through `respond` what never reached an application.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from email.utils import formatdate
from http import HTTPStatus

import orjson
import structlog
from aiohttp import hdrs, web

from gateway.http.clients import client_of
from gateway.http.correlation import Correlation, correlate
from gateway.http.pace import TooSlowError
from gateway.http.problems import Fate, ProblemError, document, retry_after, try_again_later
from gateway.sdk.errors import OverloadedError, ServiceUnavailableError
from gateway.telemetry import metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PROBLEM_JSON = "application/problem+json"

CORRELATION = web.RequestKey("correlation", Correlation)

FATE = web.RequestKey("fate", Fate)
"""Set by who takes a push, before each step: answers that tell of a fault of ours tell this as well."""

# What the router and the framework raise -> the problem. Another 4xx is a bad_request, another 5xx our own fault.
_RAISED: Mapping[int, str] = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    417: "bad_header",
    431: "headers_too_large",
}

# Of every answer that does not say otherwise: it is for who asked alone, and no page of anybody's.
_SECURITY: Mapping[str, str] = {
    hdrs.CACHE_CONTROL: "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


def correlation(request: web.BaseRequest) -> Correlation:
    """The request's correlation, the same at every call."""
    if CORRELATION not in request:
        request[CORRELATION] = correlate(request.headers)
    return request[CORRELATION]


def respond(request: web.BaseRequest, error: ProblemError) -> web.Response:
    """The answer to a request that failed in this way.

    Raises ConnectionResetError, which ends the connection, when the client is gone or another answer has begun: that
    one can only be cut off, a second head within it would be taken for its content.
    """
    if request.transport is None or request.writer.output_size > 0:
        raise ConnectionResetError
    fate = request.get(FATE) if error.problem.status >= 500 else None
    response = web.Response(status=error.problem.status, body=_content(error, correlation(request), fate))
    response.headers.update(_headers(error, correlation(request)))
    if fate is not None and fate.location is not None:
        response.headers[hdrs.LOCATION] = fate.location
    return response


def rendered(error: ProblemError) -> bytes:
    """The answer to a request of which too little is known to be one, as it goes over the wire; the last one there."""
    ids = correlate({})
    body = _content(error, ids, None)
    headers = {
        **_headers(error, ids),
        hdrs.CONTENT_LENGTH: str(len(body)),
        hdrs.DATE: formatdate(usegmt=True),
        hdrs.CONNECTION: "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {error.problem.status} {HTTPStatus(error.problem.status).phrase}\r\n{lines}\r\n".encode() + body


@web.middleware
async def answer_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what is raised: a ProblemError as it says, "try again later" as 429 or 503, anything else as our fault."""
    ids = correlation(request)
    fields = {"request_id": ids.request_id, "trace_id": ids.trace_id, "peer": client_of(request)}
    with structlog.contextvars.bound_contextvars(**fields):
        try:
            return await handler(request)
        except web.HTTPException as raised:
            return _framework(request, raised)
        except Exception as error:  # noqa: BLE001 - nothing may pass: what is not expected is logged as our fault
            return respond(request, _judged(request, error))


async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and time a request by its route, never by its path: that has as many values as vendors can think of."""
    begin = time.perf_counter()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = "unmatched" if resource is None else resource.canonical
    metrics.http_requests_total.labels(route, str(response.status)).inc()
    metrics.http_request_seconds.labels(route).observe(time.perf_counter() - begin)
    return response


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """Signal of every answer about to start, streams included: name the request it answers, not our software."""
    _identify(correlation(request), response.headers)


def _identify(ids: Correlation, headers: MutableMapping[str, str]) -> None:
    headers["X-Request-Id"] = ids.request_id
    headers[hdrs.SERVER] = "mallgate"
    for name, value in _SECURITY.items():
        headers.setdefault(name, value)


def _headers(error: ProblemError, ids: Correlation) -> dict[str, str]:
    headers: dict[str, str] = {hdrs.CONTENT_TYPE: PROBLEM_JSON}
    if error.retry_after is not None:
        headers[hdrs.RETRY_AFTER] = retry_after(error.retry_after)
    if error.problem.status == 401:
        headers[hdrs.WWW_AUTHENTICATE] = 'Bearer realm="mallgate"'
    _identify(ids, headers)
    return headers


def _content(error: ProblemError, ids: Correlation, fate: Fate | None) -> bytes:
    return orjson.dumps(document(error, request_id=ids.request_id, trace_id=ids.trace_id, fate=fate))


def _framework(request: web.Request, raised: web.HTTPException) -> web.StreamResponse:
    if raised.status < 400:
        raise raised
    code = _RAISED.get(raised.status, "bad_request" if raised.status < 500 else "internal_error")
    response = respond(request, ProblemError(code))
    if hdrs.ALLOW in raised.headers:
        response.headers[hdrs.ALLOW] = raised.headers[hdrs.ALLOW]
    return response


def _judged(request: web.Request, error: Exception) -> ProblemError:
    """What to answer, and a line in the log that says why."""
    match error:
        case ProblemError(problem=problem):
            if problem.status in {401, 403}:
                metrics.auth_failures_total.labels(error.code).inc()
            log.info("request.refused", path=request.path, code=error.code, subcode=error.subcode, detail=error.detail)
            return error
        case OverloadedError() | ServiceUnavailableError():
            log.warning("request.postponed", path=request.path, error=type(error).__name__, reason=str(error))
            return try_again_later(error)
        case TooSlowError():
            log.info("request.too_slow", path=request.path, reason=str(error))
            return ProblemError("request_timeout", str(error))
        case web.RequestPayloadError():
            log.info("request.truncated", path=request.path, reason=str(error))
            return ProblemError("truncated_body", str(error))
        case ConnectionError() if request.transport is None:
            log.info("request.abandoned", path=request.path)
            return ProblemError("truncated_body")
        case _:
            log.error("request.failed", method=request.method, path=request.path, exc_info=error)
            return ProblemError("internal_error")
