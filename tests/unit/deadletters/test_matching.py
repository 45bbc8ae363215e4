"""What operators ask for is found as it is kept."""

from __future__ import annotations

import pytest

from gateway.admin.deadletters import FilterBody


@pytest.mark.parametrize(
    ("asked", "kept"), [(None, None), ("A-1", "A-1"), ("e\u0301", "\u00e9"), ("\u00e9", "\u00e9"), (" A", " A")]
)
def test_a_sku_is_asked_for_however_it_is_composed(asked: str | None, kept: str | None) -> None:
    assert FilterBody(sku=asked).filter().sku == kept
