"""Amounts are read as they are written, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from schemas.base import Amount
from schemas.money import InvalidDecimalError, NumberOutOfRangeError, parse_decimal

written = st.from_regex(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?", fullmatch=True)


@given(text=written)
def test_what_is_written_comes_out_the_same(text: str) -> None:
    amount = parse_decimal(text, places=6)
    assert str(amount) == text
    assert TypeAdapter(Amount).dump_json(amount) == f'"{text}"'.encode()


@given(text=st.text(max_size=40), places=st.integers(0, 6))
def test_any_text_is_a_decimal_or_one_of_two_errors(text: str, places: int) -> None:
    try:
        amount = parse_decimal(text, places=places)
    except (InvalidDecimalError, NumberOutOfRangeError):
        return
    assert amount == Decimal(text) >= 0


@pytest.mark.parametrize(
    "text",
    ["", "1e3", "1E3", "-0", "-1", "+1", "0x10", "19.999", "１２", "1_0", " 1", "1 ", "1\n", ".5", "5.", "NaN", "1,5"],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(InvalidDecimalError):
        parse_decimal(text, places=2)


@pytest.mark.parametrize("text", ["1" * 13, "9" * 100_000, "1" * 13 + ".5"])
def test_more_digits_than_an_amount_can_have_are_out_of_range(text: str) -> None:
    with pytest.raises(NumberOutOfRangeError):
        parse_decimal(text, places=2)
