"""When facets are pulled: the schedule of the row, else once in the period, else daily."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.pulls.schedule import JITTER, RETRY, after_failure, next_run
from gateway.suppliers import SupplierConfig
from schemas.base import SHANGHAI
from schemas.catalog import Facet

NOON = datetime(2026, 5, 1, 4, tzinfo=UTC)  # 12:00 in China


def config(**changes: object) -> SupplierConfig:
    told = {"supplier": "acme", "name": "Acme", "adapter": "any", "facets": ["price", "stock"]}
    return SupplierConfig.model_validate(told | changes)


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 86_400),
        ({"periods": {"price": "6h"}}, 6 * 3600),
        ({"periods": {"price": "6h"}, "pulls": {"price": "30m"}}, 1800),
    ],
)
def test_an_interval_counts_from_the_start_of_the_run_and_is_spread_a_little(changes: dict[str, object], seconds: int):
    interval = timedelta(seconds=seconds)
    due = next_run(config(**changes), Facet.PRICE, NOON, NOON)
    assert NOON + interval * (1 - JITTER) <= due <= NOON + interval


def test_a_run_that_took_longer_than_its_interval_is_followed_at_once_and_only_once():
    assert next_run(config(pulls={"price": "1h"}), Facet.PRICE, NOON - timedelta(hours=9), NOON) == NOON


def test_a_cron_expression_is_read_in_chinas_time():
    due = next_run(config(pulls={"price": "0 3 * * *"}), Facet.PRICE, NOON, NOON)
    assert due.astimezone(SHANGHAI).isoformat() == "2026-05-02T03:00:00+08:00"


@pytest.mark.parametrize("given", ["0 3 * *", "61 * * * *", "soon", "", "0"])
def test_what_is_no_schedule_is_refused(given: str):
    with pytest.raises(ValueError, match="pulls"):
        config(pulls={"price": given})


def test_a_schedule_of_a_facet_that_is_not_fed_is_refused():
    with pytest.raises(ValueError, match="product not among the facets"):
        config(pulls={"product": "1h"})


def test_a_failed_run_is_tried_again_soon_but_not_at_once():
    assert after_failure(config(), Facet.PRICE, NOON, NOON) == NOON + RETRY
    assert NOON < after_failure(config(pulls={"price": "1m"}), Facet.PRICE, NOON, NOON) < NOON + RETRY
