"""What every route of /admin/v1 shares: who asks, what was sent, and what is answered."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, TypeVar
from uuid import UUID

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.deadletters import DeadLetterError
from gateway.evidence import NoEvidenceError
from gateway.feeds.holds import NotHeldError, UnknownFeedError
from gateway.http.answers import PROBLEM_JSON, correlation
from gateway.http.clients import client_of
from gateway.http.problems import ProblemError, document
from gateway.relay.decisions import NotDecidableError, UnknownCommandError
from gateway.relay.reading import UnknownOrderError
from gateway.relay.webhook_operations import NoWebhookError
from gateway.sdk.errors import ConfigError, GatewayError
from gateway.sdk.wire import count_values, shown
from gateway.sessions import NoSuchOperationError, NotOwnedError, NotPulledError
from gateway.suppliers import TooManyKeysError, UnknownKeyError, UnknownSupplierError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Body = TypeVar("Body", bound=BaseModel)

ACTOR = web.RequestKey("actor", str)

OPERATOR_HEADER = "Mallgate-Operator"
"""Who holds the token, by their own word."""

MAX_BODY = 16 * 1024 * 1024

MAX_VALUES = 100_000
"""Values in a body: ten category maps that are as long as may be."""

MAX_PARAMETER = 1_000
"""Characters of a value in a path or a query: every identifier is shorter."""

_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Characters that no name, reason or document of ours holds; PostgreSQL takes no NUL and UTF-8 no half of a pair."""

# What the services raise -> the problem it is.
_RAISED: Mapping[type[GatewayError], str] = {
    UnknownSupplierError: "not_found",
    UnknownKeyError: "not_found",
    TooManyKeysError: "conflict",
    NotPulledError: "conflict",
    NoSuchOperationError: "not_found",
    NotOwnedError: "conflict",
    UnknownFeedError: "not_found",
    NotHeldError: "conflict",
    UnknownOrderError: "not_found",
    NoEvidenceError: "not_found",
    UnknownCommandError: "not_found",
    NotDecidableError: "conflict",
    NoWebhookError: "not_found",
}


class JsonBody(BaseModel):
    """Ground of every request body: unknown members are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def authenticate(token: str | None, refused: Callable[[str], Awaitable[None]]) -> Middleware:
    """Let in who sends the bootstrap token; without one nobody is let in.

    The actor of the audit is `bootstrap`, and after a colon whom the caller says to be: the token proves no more.
    refused: told the address of everybody else.
    """
    expected = None if token is None else hashlib.sha256(token.encode()).digest()

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, sent = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        digest = hashlib.sha256(sent.strip().encode("utf-8", "surrogateescape")).digest()
        if expected is None or scheme.lower() != "bearer" or not hmac.compare_digest(digest, expected):
            await refused(client_of(request) or "unknown")
            raise ProblemError("admin_auth_invalid")
        operator = request.headers.get(OPERATOR_HEADER, "")
        request[ACTOR] = f"bootstrap:{operator}" if re.fullmatch(r"[\w.@-]{1,64}", operator) else "bootstrap"
        return await handler(request)

    return check


@web.middleware
async def name_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what the services raise into problems; a configuration's are all listed in member `problems`."""
    try:
        return await handler(request)
    except ConfigError as error:
        ids = correlation(request)
        problem = document(ProblemError("config_invalid"), request_id=ids.request_id, trace_id=ids.trace_id)
        return json_response({**problem, "problems": error.problems}, status=422, content_type=PROBLEM_JSON)
    except DeadLetterError as error:
        raise ProblemError(error.code, str(error)) from error
    except GatewayError as error:
        code = _RAISED.get(type(error))
        if code is None:
            raise
        raise ProblemError(code, str(error)) from error


@web.middleware
async def refuse_unusable_text(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a path or a query with a value that can be nobody's name; bodies are looked at where they are read."""
    given = [*request.match_info.items(), *request.query.items()]
    for name, text in given:
        if len(text) > MAX_PARAMETER or _UNUSABLE.search(text) or _UNUSABLE.search(name):
            expected = f"at most {MAX_PARAMETER:,} characters, none of them a control character"
            raise ProblemError("bad_parameter", path=shown(name), actual=shown(text), expected=expected)
    return await handler(request)


async def read_json(request: web.Request) -> Any:
    """The body as JSON, read in a thread: it may be long.

    Raises ProblemError: malformed_json, or validation_failed for a control character in a text or too many values.
    """
    return await asyncio.to_thread(_decoded, await request.clone(client_max_size=MAX_BODY).read())


def _decoded(body: bytes) -> Any:
    if count_values(body, MAX_VALUES) > MAX_VALUES:
        raise ProblemError("validation_failed", "The body holds too many values.", expected=f"at most {MAX_VALUES:,}")
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise ProblemError("malformed_json", str(error)) from error
    if found := next(filter(None, map(_UNUSABLE.search, _texts(value))), None):
        raise ProblemError("validation_failed", "A text holds a control character.", actual=shown(found[0]))
    return value


def _texts(value: object) -> Iterator[str]:
    """Every text within decoded JSON, names of members included."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as members:
                waiting += [*members.keys(), *members.values()]
            case list() as elements:
                waiting += elements
            case _:
                pass


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """The body as a model. Raises ProblemError naming the first member that is wrong."""
    return validate(model, await read_json(request))


def read_query(request: web.Request, model: type[Body]) -> Body:
    """The query parameters as a model. Raises ProblemError naming the first one that is wrong."""
    return validate(model, dict(request.query), code="bad_parameter")


def validate(model: type[Body], value: object, *, code: str = "validation_failed") -> Body:
    """The value as a model. Raises ProblemError; a missing or empty reason has a code of its own."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = "/" + "/".join(map(str, first["loc"]))
        if path == "/reason":
            raise ProblemError("reason_required", path=path) from error
        raise ProblemError(code, first["msg"].removeprefix("Value error, "), path=path) from error


def json_response(value: object, *, status: int = 200, content_type: str = "application/json") -> web.Response:
    """A JSON answer that no cache keeps."""
    headers = {hdrs.CACHE_CONTROL: "no-store"}
    body = orjson.dumps(value, default=_plain)
    return web.Response(body=body, status=status, content_type=content_type, headers=headers)


def _plain(value: object) -> object:
    match value:
        case BaseModel():
            return value.model_dump(mode="json")
        case frozenset():
            return sorted(value)
        case UUID():  # asyncpg makes its own kind
            return str(value)
        case _:
            raise TypeError(type(value).__name__)
