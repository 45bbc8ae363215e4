"""Entries of a chain: what one says, what is kept sealed of it, and how it is linked to the one before. Pure.

The hash of an entry is SHA-256 over a domain and the entry as canonical JSON: members sorted, no white space, UTF-8, no
number but integers. The entry itself names its order, its position and the hash before it. What may be personal stands
in it as a digest over a random salt and the content, so that the chain can be verified without the content, and the
content cannot be guessed from the digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.evidence.verification import ENTRY_DOMAIN, FIRST, PRIVATE_DOMAIN

SALT_SIZE = 32

_EXACT = (str, int, bool, type(None))


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to an order at a supplier.

    kind: what; facts: JSON without anything personal or secret; private: JSON that may be personal, never a secret.
    """

    supplier: str
    order_no: str
    kind: str
    command_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain ends. position: 0 before the first entry; hash: in hexadecimal."""

    position: int
    hash: str


BEGINNING = Link(0, FIRST)


@dataclass(frozen=True, slots=True)
class LinkedEntry:
    """An entry in its chain. text: its canonical JSON; content: salt and private JSON, to be sealed."""

    link: Link
    text: str
    content: bytes | None


def linked(entry: Entry, before: Link, at: str, salt: bytes) -> LinkedEntry:
    """The entry behind `before`. at: as `instant` writes it; salt: random bytes, used for this entry alone."""
    content = None if entry.private is None else salt + canonical(entry.private)
    position = before.position + 1
    text = canonical(
        {
            "order_no": entry.order_no,
            "supplier": entry.supplier,
            "position": position,
            "previous": before.hash,
            "at": at,
            "kind": entry.kind,
            "command_id": entry.command_id,
            "facts": _exact(entry.facts),
            "private": None if content is None else hashlib.sha256(PRIVATE_DOMAIN + content).hexdigest(),
        }
    )
    return LinkedEntry(Link(position, hashlib.sha256(ENTRY_DOMAIN + text).hexdigest()), text.decode(), content)


def instant(at: datetime) -> str:
    """A time as entries have it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def canonical(value: object) -> bytes:
    """A value as the one JSON that is hashed."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _exact(value: Any) -> Any:
    """A value of which every reader writes the same JSON: numbers with a fraction are written in several ways."""
    if isinstance(value, _EXACT):
        return value
    if isinstance(value, Mapping):
        return {name: each if type(each) in _EXACT else _exact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(each) for each in value]
    return str(value)
