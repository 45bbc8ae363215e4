"""What the head of a request may be, and what to answer when it is not, or the HTTP parser refuses it."""

from __future__ import annotations

from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http import HttpProcessingError
from aiohttp.http_exceptions import LineTooLong

from gateway.http.problems import ProblemError

MAX_LINE = 8192
"""Bytes of the request line's address."""

MAX_FIELD = 8190
"""Bytes of one header. Not MAX_LINE: by the limit that was broken we know whether address or header was too long."""

MAX_HEADERS = 128


def refusal_of(request: web.BaseRequest) -> ProblemError | None:
    """The problem of a request whose head the parser took and we do not, None when there is none.

    In HTTP/1.0 there is no Transfer-Encoding: what stands before us may see another end of the body than we do.
    """
    if request.version not in (HttpVersion10, HttpVersion11):
        return ProblemError("http_version_unsupported", actual=f"HTTP/{request.version.major}.{request.version.minor}")
    if request.version == HttpVersion10 and hdrs.TRANSFER_ENCODING in request.headers:
        return ProblemError("bad_request", "HTTP/1.0 has no Transfer-Encoding.")
    return None


def problem_of(error: BaseException | None) -> ProblemError:
    """The problem behind what aiohttp or its parser gave up on."""
    match error:
        case LineTooLong(args=(_, limit, *_)) if limit == MAX_LINE:
            return ProblemError("uri_too_long", expected=f"at most {MAX_LINE} bytes")
        case LineTooLong():
            return ProblemError("headers_too_large", expected=f"at most {MAX_FIELD} bytes each")
        case HttpProcessingError(message=message) if message.startswith("Too many headers"):
            return ProblemError("headers_too_large", expected=f"at most {MAX_HEADERS} headers")
        case HttpProcessingError(message=message):
            return ProblemError("bad_request", message.partition("\n")[0].rstrip(":"))
        case _:
            return ProblemError("internal_error")
