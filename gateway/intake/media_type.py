"""The Content-Type of a request, read in one pass: the library's own reading of one header may take a second."""

from __future__ import annotations

import re
from typing import NamedTuple

from aiohttp import hdrs, web

from gateway.http.problems import ProblemError

MAX_LENGTH = 256
"""Characters of a Content-Type."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # noqa: S105 - a token of HTTP (RFC 9110, 5.6.2)
_PARAMETER = re.compile(rf'[ \t]*+;[ \t]*+(?:({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*+"))?+')
_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}")


class MediaType(NamedTuple):
    """name: in lower case, such as `application/json`; charset: as written, None where none is given."""

    name: str
    charset: str | None


def media_type_of(request: web.BaseRequest) -> MediaType:
    """What the request says that its body is. Raises ProblemError unsupported_media_type where that cannot be read."""
    given = request.headers.getall(hdrs.CONTENT_TYPE, [])
    text = given[0] if given else ""
    if len(given) > 1 or len(text) > MAX_LENGTH:
        raise _unreadable(text, f"at most {MAX_LENGTH} characters, once")
    found = _TYPE.match(text)
    if found is None:
        raise _unreadable(text, "a media type")
    charset, at = None, found.end()
    while parameter := _PARAMETER.match(text, at):
        at = parameter.end()
        if charset is None and (parameter[1] or "").lower() == "charset":
            charset = parameter[2].strip('"')
    if text[at:].strip():
        raise _unreadable(text, "parameters as name=value")
    return MediaType(found[0].lower(), charset)


def _unreadable(text: str, expected: str) -> ProblemError:
    return ProblemError("unsupported_media_type", path="Content-Type", actual=text, expected=expected)
