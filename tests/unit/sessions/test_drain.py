"""Work that has to end is told so, wherever it rests; revisions that change no question do not end it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.sessions.drain import Drain
from gateway.sessions.errors import DrainingError, foremost
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


async def test_whoever_rests_is_told_to_end_and_whoever_comes_later_too() -> None:
    drain = Drain()
    resting = asyncio.create_task(drain.rest(3600))
    await asyncio.sleep(0)
    drain.begin()
    for each in (resting, drain.rest(3600), drain.rest(0)):
        with pytest.raises(DrainingError):
            await each
    with pytest.raises(DrainingError):
        drain.check()


async def test_whoever_rests_is_woken_and_whoever_comes_later_rests() -> None:
    drain = Drain()
    resting = asyncio.create_task(drain.rest(3600))
    await asyncio.sleep(0)
    drain.wake()
    await resting
    later = asyncio.create_task(drain.rest(3600))
    await asyncio.sleep(0)
    assert not later.done()
    drain.begin()
    drain.wake()
    with pytest.raises(DrainingError):
        await later


def test_of_errors_that_came_together_the_end_of_the_work_is_before_a_fault() -> None:
    assert isinstance(foremost(ExceptionGroup("", [ValueError(), DrainingError()])), DrainingError)


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
