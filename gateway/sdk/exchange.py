"""One exchange with a supplier: what was asked, and what it answered byte for byte. It is the record of a pulled feed.

As bytes: one line of JSON (`skus`, `asked`, and the names and sizes of the replies), a line feed, then the replies as
they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import orjson
from pydantic import Field, JsonValue, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.raw import Body
from gateway.sdk.wire import MAX_RECORD, may_be_crowded

MAX_SKUS = 1_000
"""Skus of one question, as manifests have it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one item, or all items of one call, can be told from.

    skus: asked about, as the mall names them; replies: raw bodies, by a name that the adapter chooses, usually that of
    the operation; asked: what else of the question bears on the answer (an area, a quantity), never a secret.
    """

    skus: tuple[str, ...]
    replies: Mapping[str, Body]
    asked: Mapping[str, JsonValue] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The record that `decode_exchange` reads."""
        sizes = {name: len(body) for name, body in self.replies.items()}
        head = orjson.dumps({"skus": self.skus, "asked": self.asked, "replies": sizes})
        return b"\n".join((head, b"".join(self.replies.values())))


class _Head(TypedDict):
    skus: Annotated[tuple[str, ...], Field(max_length=MAX_SKUS)]
    asked: dict[str, JsonValue]
    replies: dict[str, Annotated[int, Field(ge=0)]]


_HEAD = TypeAdapter(_Head)


def decode_exchange(raw: bytes) -> Exchange:
    """The exchange that a record is. Raises InvalidMessageError for anything else, as one pushed by a vendor."""
    line, _, bodies = raw.partition(b"\n")
    head = _head(line)
    if head is None:
        raise InvalidMessageError(Issue("validation_failed", expected="a pulled exchange"))
    sizes = head["replies"]
    if sum(sizes.values()) != len(bodies):
        raise InvalidMessageError(Issue("validation_failed", "/replies", f"{len(bodies)} bytes", "whole replies"))
    return Exchange(head["skus"], dict(_cut(sizes, bodies)), head["asked"])


def asked_skus(raw: bytes) -> tuple[str, ...]:
    """The skus of a record that begins as an exchange does, even where its replies were cut off; () of other records.

    Cheap to ask of any record. Nothing that was pushed is one, whatever members it has: a JSON value has no line feed
    behind its end, and a line of NDJSON has none at all.
    """
    line, line_feed, _ = raw.partition(b"\n")
    head = _head(line) if line_feed else None
    return () if head is None else head["skus"]


def _head(line: bytes) -> _Head | None:
    """The first line of an exchange, None of all else: also of one that is longer or fuller than any question."""
    if len(line) > MAX_RECORD or b'"replies"' not in line or may_be_crowded(line):
        return None
    try:
        return _HEAD.validate_json(line)
    except ValidationError:
        return None


def _cut(sizes: Mapping[str, int], bodies: bytes) -> Iterator[tuple[str, bytes]]:
    at = 0
    for name, size in sizes.items():
        yield name, bodies[at : at + size]
        at += size
