"""A request's body as one JSON document: read, verified, decoded and held against its model whole, for it is small."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from aiohttp import web
from pydantic import ValidationError

from gateway.http.clients import client_of, site_of
from gateway.http.problems import ProblemError
from gateway.intake.auth import Claim
from gateway.intake.body import content_encoding, wire
from gateway.intake.encoding import decoder_for
from gateway.intake.media_type import media_type_of
from gateway.intake.unverified import MIB, UnverifiedBytes, UnverifiedLimits
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.faults import issues_of
from gateway.sdk.wire import members
from gateway.suppliers import Caller
from schemas.base import Model
from schemas.personal import is_personal

M = TypeVar("M", bound=Model)

MAX_BYTES = MIB
"""Of a document, on the wire and decoded."""

UNVERIFIED = UnverifiedLimits(body=MAX_BYTES, per_address=8 * MIB, per_supplier=8 * MIB, in_all=32 * MIB)
"""Of signed documents, which are held in memory while they arrive."""

SECONDS = 60.0
"""In which it has to be whole."""

JSON = "application/json"


class WholeBody(NamedTuple):
    """A whole body, decoded, and who sent it."""

    caller: Caller
    content: bytes


async def receive_document(request: web.BaseRequest, who: Caller | Claim, unverified: UnverifiedBytes) -> WholeBody:
    """Read the body to its end. who: of `authenticate`; a claim is settled.

    Raises ProblemError for a body that cannot be taken or whose signature is wrong, and as `wire` does.
    """
    media = media_type_of(request)
    if media.name != JSON or (media.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        expected = f"{JSON} in UTF-8"
        raise ProblemError("unsupported_media_type", path="Content-Type", actual=media.name, expected=expected)
    decoder = decoder_for(content_encoding(request), max_bytes=MAX_BYTES)
    caller, raw = await _whole(request, who, unverified)
    document = b"".join(decoder.feed(raw))
    decoder.finish()
    return WholeBody(caller, document)


def validated(model: type[M], content: bytes) -> M:
    """The document as its model. Raises ProblemError for the first thing that is wrong with it, nobody's data in it."""
    read_members(content)
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        issue = next(issues_of(error))
        raise _problem(replace(issue, actual="") if is_personal(model, issue.path) else issue) from error


def read_members(content: bytes) -> Mapping[str, Any]:
    """The members of the one object that a document is. Raises ProblemError."""
    try:
        return members(content)
    except InvalidMessageError as error:
        issue = error.issues[0]
        raise _problem(replace(issue, actual="") if issue.code == "invalid_text" else issue) from error


def _problem(issue: Issue) -> ProblemError:
    return ProblemError(issue.code, path=issue.path, actual=issue.actual or None, expected=issue.expected or None)


async def _whole(request: web.BaseRequest, who: Caller | Claim, unverified: UnverifiedBytes) -> tuple[Caller, bytes]:
    try:
        async with asyncio.timeout(SECONDS):
            if isinstance(who, Caller):
                return who, b"".join([data async for data in wire(request, MAX_BYTES)])
            return await _verified(request, who, unverified)
    except TimeoutError as error:
        raise ProblemError("request_timeout", f"The body has to be whole within {SECONDS:g} s.") from error


async def _verified(request: web.BaseRequest, claim: Claim, unverified: UnverifiedBytes) -> tuple[Caller, bytes]:
    """A signed body: until its end it may be anybody's, so it has its share of the room for such bodies."""
    body = bytearray()
    with unverified.share(site_of(client_of(request)), claim.supplier) as share:
        async for data in wire(request, MAX_BYTES):
            share.cover(len(body) + len(data))
            claim.update(data)
            body += data
    return claim.settle(), bytes(body)
