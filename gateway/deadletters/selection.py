"""Which letters are meant: for a list, for a discard, for a replay; and how a long list is read on.

Lists go from the newest to the oldest. A cursor is the last row's place in that order, so that letters which arrive
meanwhile shift nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from gateway.deadletters.errors import InvalidParameterError, SelectionTooWideError

T = TypeVar("T")

MAX_PAGE = 200

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Letters that are all of this; None is anything. state: open, replayed or discarded."""

    supplier: str | None = None
    fingerprint: str | None = None
    stage: str | None = None
    code: str | None = None
    facet: str | None = None
    sku: str | None = None
    feed_no: int | None = None
    state: str | None = None

    def parameters(self, *, state: str | None = None) -> tuple[object, ...]:
        """$1 to $8 of the statements that match letters. state: instead of the filter's own."""
        return (
            self.supplier,
            self.fingerprint,
            self.stage,
            self.code,
            self.facet,
            self.sku,
            self.feed_no,
            state or self.state,
        )


ANYTHING = Filter()
"""Matches every letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Open letters to act on: those of `ids` (None: of any id) that match. limit: only so many, the oldest first.

    Raises SelectionTooWideError unless it names letters, a group, a supplier or a feed.
    """

    ids: tuple[UUID, ...] | None = None
    matching: Filter = ANYTHING
    limit: int | None = None

    def __post_init__(self) -> None:
        named = (self.ids, self.matching.fingerprint, self.matching.supplier, self.matching.feed_no)
        if all(one is None for one in named):
            raise SelectionTooWideError
        if self.limit is not None and self.limit < 1:
            raise InvalidParameterError("limit must be at least 1")

    def parameters(self) -> tuple[object, ...]:
        """$1 to $10 of the statements that choose letters; discarded and replayed ones are never chosen."""
        return (*self.matching.parameters(state="open"), None if self.ids is None else list(self.ids), self.limit)

    def json(self) -> dict[str, object]:
        """What was asked for, as the job and the audit keep it."""
        matching = self.matching
        asked = {
            "ids": None if self.ids is None else [str(one) for one in self.ids],
            "supplier": matching.supplier,
            "fingerprint": matching.fingerprint,
            "stage": matching.stage,
            "code": matching.code,
            "facet": matching.facet,
            "sku": matching.sku,
            "feed_no": matching.feed_no,
            "limit": self.limit,
        }
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list. next: the cursor that reads on, None at the end."""

    rows: tuple[T, ...]
    next: str | None


def page_size(limit: int) -> int:
    """How many rows a page holds. Raises InvalidParameterError outside of 1 … 200."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidParameterError(f"limit must be 1 to {MAX_PAGE}")
    return limit


def cursor(at: datetime, identity: object) -> str:
    """A place in a list ordered by time and identity; safe in a query string."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}.{identity}"


def place(text: str | None) -> tuple[datetime | None, str | None]:
    """What `cursor` was made of; two None for the beginning. Raises InvalidParameterError."""
    if text is None:
        return None, None
    at, point, identity = text.partition(".")
    try:
        return _EPOCH + timedelta(microseconds=int(at)), _found(point, identity)
    except (ValueError, OverflowError) as error:
        raise InvalidParameterError("this is no cursor of this list") from error


def place_by_id(text: str | None) -> tuple[datetime | None, UUID | None]:
    """`place` in a list of things known by a UUID."""
    at, identity = place(text)
    try:
        return at, None if identity is None else UUID(identity)
    except ValueError as error:
        raise InvalidParameterError("this is no cursor of this list") from error


def _found(point: str, identity: str) -> str:
    if not point or not identity:
        raise ValueError(identity)
    return identity


def paged(rows: Sequence[T], limit: int, place_of: Callable[[T], str]) -> Page[T]:
    """The first `limit` of `rows`, of which one more was fetched to see whether the list goes on."""
    return Page(tuple(rows[:limit]), place_of(rows[limit - 1]) if len(rows) > limit else None)
