"""Revisions that change no question and no reading of an answer are taken over in place."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.sessions.session import changes_in_place
from gateway.suppliers import State, Supplier, SupplierConfig

ROW: dict[str, Any] = {
    "supplier": "acme",
    "name": "Acme",
    "adapter": "jd_vop",
    "facets": ["price", "stock"],
    "options": {"areas": ["1_2_3"]},
    "http": {"base_url": "https://api.example.com", "rate_per_second": 5},
}


def supplier(*, revision: int = 1, state: State = State.ACTIVE, **changes: Any) -> Supplier:
    return Supplier("acme", revision, state, SupplierConfig.model_validate(ROW | changes))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"name": "Acme & Sons"},
        {"http": {"base_url": "https://api.example.com", "rate_per_second": 50}},
        {"http": {"base_url": "https://api.example.com", "concurrency": 2, "timeout_seconds": 3}},
        {"periods": {"price": "1h"}, "pulls": {"price": "2h"}, "messages": "10s"},
        {"limits": {"feeds_per_minute": 3}, "brakes": {"withdraw": 0.5}},
    ],
)
def test_names_limits_and_schedules_are_taken_over_in_place(change: dict[str, Any]) -> None:
    assert changes_in_place(supplier(), supplier(revision=2, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"adapter": "native"},
        {"options": {"areas": ["1_2_4"]}},
        {"facets": ["price"]},
        {"category_map": {"a": "b"}},
        {"price_mismatch": "reject"},
        {"http": {"base_url": "https://other.example.com", "rate_per_second": 5}},
        {"http": {"base_url": "https://api.example.com", "rate_per_second": 5, "allow_private": True}},
        {"state": State.PAUSED},
    ],
)
def test_what_changes_the_questions_or_their_reading_begins_the_work_anew(change: dict[str, Any]) -> None:
    assert not changes_in_place(supplier(), supplier(revision=2, **change))
