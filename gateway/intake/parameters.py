"""Reading paths, queries and headers of vendor requests, each fault a problem of its own."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TypeVar

from aiohttp import web

from gateway.http.problems import ProblemError
from schemas.base import valid_area
from schemas.catalog import Facet

Choice = TypeVar("Choice", bound=StrEnum)

MAX_WAIT = 30.0
"""Longest `Prefer: wait`, in seconds."""

MAX_PAGE = 200

KEY = re.compile(r"[\x21-\x7e]{1,255}")
"""An idempotency key: visible ASCII."""

_WAIT = re.compile(r"(?:^|[\s,;])wait=(\d{1,6})(?=$|[\s,;])")


def facet_of(match: str) -> Facet:
    """The facet that the path names. Raises ProblemError not_found."""
    try:
        return Facet(match)
    except ValueError as error:
        raise ProblemError("not_found", path="facet", actual=match, expected=", ".join(Facet)) from error


def feed_no_of(match: str) -> int:
    """The feed that the path names. Raises ProblemError not_found."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", match, re.ASCII):
        raise ProblemError("not_found", "No such feed.")
    return int(match)


def choice_of(request: web.BaseRequest, name: str, choices: type[Choice]) -> Choice | None:
    """A query parameter out of a closed set, None when it is absent. Raises ProblemError bad_parameter."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        return choices(text)
    except ValueError as error:
        raise ProblemError("bad_parameter", path=name, actual=text, expected=", ".join(choices)) from error


def number_of(request: web.BaseRequest, name: str, default: int, *, most: int) -> int:
    """A query parameter from 1 to `most`. Raises ProblemError bad_parameter."""
    text = request.query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise ProblemError("bad_parameter", path=name, actual=text, expected=f"1 to {most}")
    return int(text)


def area_of(request: web.BaseRequest, name: str) -> str | None:
    """A query parameter that is an area, None when it is absent. Raises ProblemError bad_parameter."""
    text = request.query.get(name)
    if text is not None and valid_area(text) is None:
        raise ProblemError("bad_parameter", path=name, actual=text, expected="an area")
    return text


def refuse_unknown(request: web.BaseRequest, *known: str) -> None:
    """Raise ProblemError for a query parameter that is not `known`, or comes twice: none must be ignored.

    One that names a supplier is a tenant_mismatch: the supplier comes from the credential and from nowhere else.
    """
    for name in request.query:
        if name in ("supplier", "vendor", "tenant"):
            raise ProblemError("tenant_mismatch", path=name)
        if name not in known:
            raise ProblemError("bad_parameter", path=name, expected=", ".join(known) or "no parameter")
        if len(request.query.getall(name)) > 1:
            raise ProblemError("bad_parameter", path=name, expected="once")


def idempotency_key_of(request: web.BaseRequest) -> str | None:
    """The Idempotency-Key header. Raises ProblemError bad_header."""
    keys = request.headers.getall("Idempotency-Key", [])
    if not keys:
        return None
    if len(keys) > 1 or not KEY.fullmatch(keys[0]):
        raise ProblemError("bad_header", path="Idempotency-Key", expected="1 to 255 visible ASCII characters, once")
    return keys[0]


def wait_of(request: web.BaseRequest) -> float:
    """Seconds of `Prefer: wait=N`, at most MAX_WAIT; 0 when there is none. A preference is never refused."""
    found = _WAIT.search(",".join(request.headers.getall("Prefer", [])))
    return min(float(found[1]), MAX_WAIT) if found else 0.0
