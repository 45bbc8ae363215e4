"""What may be declared of a supplier."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.suppliers import SupplierConfig
from schemas.catalog import Facet


def declared(**changes: Any) -> SupplierConfig:
    valid = {"supplier": "acme", "name": "Acme 办公", "adapter": "native", "facets": ["product", "price"]}
    return SupplierConfig.model_validate({**valid, **changes})


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800), (3600, 3600)]
)
def test_a_period_is_seconds_or_a_number_with_a_unit(written: str | int, seconds: int) -> None:
    assert declared(periods={"price": written}).periods == {Facet.PRICE: seconds}


@pytest.mark.parametrize("written", ["", "24", "0h", "-1h", "1.5h", "1 h", "1w", "24h ago", 0, -5, 1.5, True, "367d"])
def test_any_other_period_is_refused(written: object) -> None:
    with pytest.raises(ValidationError):
        declared(periods={"price": written})


def test_what_is_stored_reads_back_the_same() -> None:
    config = declared(
        periods={"price": "24h"}, category_map={"办公设备/打印机": "激光式打印机"}, limits={"concurrency": 4}
    )
    assert SupplierConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    "changes",
    [
        {"supplier": "Acme"},
        {"supplier": "a"},
        {"supplier": "acme_1"},
        {"name": ""},
        {"facets": []},
        {"facets": ["price", "price"]},
        {"facets": ["colour"]},
        {"periods": {"stock": "2h"}},
        {"limits": {"feeds_per_minute": 0}},
        {"limits": {"feeds_per_minute": "60"}},
        {"limits": {"speed": 1}},
        {"category_map": {"办公设备//打印机": "激光式打印机"}},
        {"typo": 1},
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        declared(**changes)
