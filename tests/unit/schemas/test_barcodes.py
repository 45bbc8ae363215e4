"""What the check digit says of the barcodes suppliers send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import ean

from schemas.barcodes import barcode_check
from schemas.catalog import BarcodeCheck


@pytest.mark.parametrize("barcode", ["73513537", "036000291452", "6901234567892", "98412345678908"])
def test_a_right_check_digit_is_valid_at_every_length(barcode: str) -> None:
    assert barcode_check(barcode) is BarcodeCheck.VALID


@pytest.mark.parametrize(
    "barcode", ["6901234567893", "6901234567829", "123456789", "1234567890", "", "６９０１２３４５６７８９２"]
)
def test_anything_else_is_invalid(barcode: str) -> None:
    assert barcode_check(barcode) is BarcodeCheck.INVALID


def test_no_barcode_is_absent() -> None:
    assert barcode_check(None) is BarcodeCheck.ABSENT


@given(st.sampled_from([8, 12, 13, 14]).flatmap(lambda size: st.text("0123456789", min_size=size, max_size=size)))
def test_the_check_agrees_with_the_library_of_standard_numbers(barcode: str) -> None:
    assert (barcode_check(barcode) is BarcodeCheck.VALID) == ean.is_valid(barcode)
