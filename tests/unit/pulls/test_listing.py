"""Which list a sweep may begin with: none that could hide what the sweep would then withdraw."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.pulls.listing import SkuList, is_usable, keeps_number
from gateway.pulls.schedule import LIST_LIFE, list_life
from gateway.suppliers import SupplierConfig
from schemas.catalog import Facet

NOW = datetime(2026, 5, 1, 4, tzinfo=UTC)
LIFE = timedelta(hours=2)
LIST = SkuList(
    listing_no=15,
    revision=3,
    started_at=NOW - timedelta(hours=1),
    numbers={"product": 11, "price": 12},
    cursor=None,
    pages=4,
    skus=400,
    ended=True,
    failure=None,
)


def kept(
    listing: SkuList = LIST, facet: Facet = Facet.PRICE, same_since: int = 3, wished_at: datetime | None = None
) -> bool:
    return keeps_number(listing, facet, same_since=same_since, wished_at=wished_at, life=LIFE, now=NOW)


def test_a_sweep_that_is_due_soon_after_a_list_began_uses_it() -> None:
    assert kept()
    assert kept(replace(LIST, started_at=NOW - LIFE))


def test_a_list_that_is_under_way_is_waited_for() -> None:
    assert kept(replace(LIST, ended=False, cursor={"page": 4}))


def test_a_facet_uses_a_list_once() -> None:
    assert not kept(facet=Facet.STOCK)


def test_an_old_list_is_not_used_be_it_under_way_or_not() -> None:
    old = replace(LIST, started_at=NOW - LIFE - timedelta(seconds=1))
    assert not kept(old)
    assert not kept(replace(old, ended=False))


def test_a_list_of_other_settings_is_not_used() -> None:
    assert not kept(same_since=4)
    assert not is_usable(LIST, 10, same_since=4)


def test_a_list_of_a_revision_that_asks_the_same_is_used() -> None:
    assert kept(same_since=2)
    assert is_usable(LIST, 10, same_since=1)


def test_a_list_that_failed_is_not_used_by_a_sweep_that_begins() -> None:
    assert not kept(replace(LIST, failure="it is not understood"))


def test_a_wish_is_answered_by_a_list_that_began_after_it_alone() -> None:
    assert not kept(wished_at=LIST.started_at + timedelta(seconds=1))
    assert kept(wished_at=LIST.started_at - timedelta(seconds=1))
    assert not kept(replace(LIST, started_at=NOW - LIFE * 2), wished_at=NOW - LIFE * 3)


def test_only_a_list_that_began_after_the_sweep_was_numbered_serves_it() -> None:
    assert is_usable(LIST, 14, same_since=3)
    assert all(is_usable(LIST, number, same_since=3) for number in LIST.numbers.values())
    assert not is_usable(LIST, 15, same_since=3)
    assert not is_usable(LIST, 16, same_since=3)


@pytest.mark.parametrize(
    ("schedule", "life"),
    [
        ("1h", timedelta(minutes=6)),
        ("1d", timedelta(hours=2.4)),
        ("7d", LIST_LIFE),
        ("0 3 * * *", timedelta(hours=2.4)),
        ("*/30 * * * *", timedelta(minutes=3)),
    ],
)
def test_a_list_lives_for_a_tenth_of_the_interval_and_for_hours_at_most(schedule: str, life: timedelta) -> None:
    config = SupplierConfig.model_validate(
        {"supplier": "jd", "name": "京东", "adapter": "jd_vop", "facets": ["price"], "pulls": {"price": schedule}}
    )
    assert list_life(config, Facet.PRICE, NOW) == life
