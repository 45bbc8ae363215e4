"""Operations of the vendor API as its document describes them, and the parts that they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """One operation. answers: status → (words, model, media type); problems: codes it can answer with.

    tables: media types in which the same answers come as plain text; tag: of the group it is shown in; open: no
    credential is needed.
    """

    method: str
    path: str
    name: str
    summary: str
    description: str
    scope: str
    parameters: Sequence[Mapping[str, Any]]
    answers: Mapping[int, tuple[str, type[BaseModel] | None, str]]
    problems: Sequence[str] = ()
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tables: Sequence[str] = ()
    tag: str = "feeds"
    open: bool = False


def path(name: str, words: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A place in the address."""
    return {"name": name, "in": "path", "required": True, "description": words, "schema": schema}


def query(name: str, words: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query parameter."""
    return {"name": name, "in": "query", "description": words, "schema": schema}


def header(name: str, words: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A header."""
    return {"name": name, "in": "header", "description": words, "schema": schema}
