"""A question in an adapter's words, made into an HTTP request. Pure; nothing that stands in a value gets out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode

from gateway.sdk.errors import ContractError
from gateway.sdk.http import Request
from gateway.sdk.manifest import Operation, placeholders

_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

FORM = "application/x-www-form-urlencoded; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Credential:
    """What authorises one call: a field of the form or query, or a header. value: as it goes out; it shows nowhere."""

    carried: Literal["form", "query", "header"]
    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One HTTP request, ready to be sent. Only what it is for may be shown: the rest can hold the credential."""

    operation: str
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)


def prepare(request: Request, operation: Operation, base_url: str, credential: Credential | None = None) -> Prepared:
    """The HTTP request of a question: every value quoted as its place needs, texts as UTF-8.

    Raises ContractError for a value that could not be sent as what it is: a control character or a dot segment in the
    path, anything but printable ASCII in a header. Raises ValueError where the adapter contradicts its manifest.
    """
    carried = {credential.carried: {credential.name: credential.value}} if credential else {}
    query = {**request.query, **carried.get("query", {})}
    form = {**request.form, **carried.get("form", {})}
    if request.json is not None and form:
        raise ValueError(f"{request.operation}: a request has a form or a JSON body, not both")
    headers = dict(_header(request.operation, name, value) for name, value in carried.get("header", {}).items())
    if request.json is not None or form:
        headers["Content-Type"] = FORM if request.json is None else JSON
    url = base_url.rstrip("/") + _path(request, operation.path)
    if query:
        url += f"?{urlencode(query)}"
    body = request.json if request.json is not None else urlencode(form).encode() if form else None
    return Prepared(request.operation, operation.method, url, headers, body)


def _path(request: Request, template: str) -> str:
    wanted = placeholders(template)
    if wanted != set(request.path):
        raise ValueError(f"{request.operation}: its path takes {sorted(wanted)}, not {sorted(request.path)}")
    if not wanted:
        return template
    segments = {name: _segment(request.operation, value) for name, value in request.path.items()}
    return re.sub(r"\{(\w+)\}", lambda match: segments[match[1]], template)


def _segment(operation: str, value: str) -> str:
    # Quoting does not protect from the last three: whoever joins paths reads them as steps to another one.
    if _CONTROL.search(value) or value in ("", ".", ".."):
        raise ContractError("A value cannot stand in the path of a request.", operation=operation)
    return quote(value, safe="")


def _header(operation: str, name: str, value: str) -> tuple[str, str]:
    if not _HEADER_VALUE.fullmatch(value):
        raise ContractError("A value cannot stand in a header.", operation=operation)
    return name, value
