"""Selections, cursors, and the refusals that keep an operator from meaning everything."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deadletters import Filter, InvalidParameterError, Selection, SelectionTooWideError, errors
from gateway.deadletters.selection import cursor, page_size, paged, place, place_by_id
from gateway.sdk.problems import PROBLEMS


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_finds_its_place(at: datetime, identity: UUID) -> None:
    assert place_by_id(cursor(at, identity)) == (at, identity)


def test_no_cursor_is_the_beginning() -> None:
    assert place(None) == (None, None)
    assert place_by_id(None) == (None, None)


@pytest.mark.parametrize("text", ["", ".", "1", "1.", "x.y", "1.2", "99999999999999999999999999.a", "1.%27"])
def test_what_is_no_cursor_is_a_bad_parameter(text: str) -> None:
    with pytest.raises(InvalidParameterError):
        place_by_id(text)


def test_a_page_ends_where_one_more_row_begins() -> None:
    page = paged([1, 2, 3], 2, str)
    assert (page.rows, page.next) == ((1, 2), "2")
    assert paged([1, 2], 2, str).next is None
    assert paged([], 2, str).next is None


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_pages_are_bounded(limit: int) -> None:
    with pytest.raises(InvalidParameterError):
        page_size(limit)


@pytest.mark.parametrize(
    "matching", [Filter(), Filter(code="stale"), Filter(stage="guard", facet="price", state="open")]
)
def test_everything_at_once_is_never_meant(matching: Filter) -> None:
    with pytest.raises(SelectionTooWideError):
        Selection(matching=matching)


def test_a_selection_of_no_more_than_nothing_is_refused() -> None:
    with pytest.raises(InvalidParameterError):
        Selection(matching=Filter(supplier="acme"), limit=0)


@pytest.mark.parametrize("state", ["replayed", "discarded", None])
def test_only_open_letters_are_ever_chosen(state: str | None) -> None:
    assert Selection(matching=Filter(supplier="acme", state=state)).parameters()[7] == "open"


def test_the_job_keeps_what_was_asked_for_and_nothing_else() -> None:
    one = uuid4()
    asked = Selection(ids=(one,), matching=Filter(supplier="acme"), limit=5)
    assert asked.json() == {"ids": [str(one)], "supplier": "acme", "limit": 5}


def test_every_refusal_names_a_declared_problem() -> None:
    refusals = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.DeadLetterError)
    ]
    assert {one.code for one in refusals} <= PROBLEMS.keys()
