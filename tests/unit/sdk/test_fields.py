"""Amounts, counts and times as suppliers write them: what the fast check takes is what the exact parser takes."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jiter import LosslessFloat
from pydantic import TypeAdapter, ValidationError

from gateway.sdk import Count, Moment, Money, PositiveCount, PositiveMoney, Rate
from gateway.sdk.faults import issues_of
from schemas.base import SHANGHAI
from schemas.money import parse_decimal

AT = datetime(2026, 5, 1, 12, tzinfo=SHANGHAI)


def read(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value, context=AT)


def code_of(kind: Any, value: object) -> str:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    [issue] = issues_of(caught.value)
    return issue.code


NUMERALS = st.from_regex(r"0{0,2}[0-9]{0,14}(\.[0-9]{0,4})?", fullmatch=True) | st.text(alphabet="0123456789.+-eE１ ")


@given(NUMERALS)
@example("0")
@example("00")
@example("999999999999.99")
@example("1000000000000")
@example("1.")
@example("１")
@example("1\n")
def test_money_is_what_the_exact_parser_takes_without_leading_zeros(text: str):
    try:
        exact = parse_decimal(text, places=2)
    except ValueError:
        exact = None
    if exact is None or re.match("0[0-9]", text):
        assert code_of(Money, text) in ("invalid_decimal", "number_out_of_range")
    else:
        assert str(read(Money, text)) == text
        assert read(Money, text) == exact
    if exact:
        assert (read(Money, text) if not re.match("0[0-9]", text) else exact) == exact


@given(NUMERALS)
def test_positive_money_is_money_but_nothing(text: str):
    try:
        amount = read(Money, text)
    except ValidationError:
        amount = None
    if amount:
        assert read(PositiveMoney, text) == amount
    else:
        assert code_of(PositiveMoney, text)


@pytest.mark.parametrize("value", ["12.50", LosslessFloat(b"12.50")])
def test_an_amount_is_kept_as_written_string_or_number(value: object):
    assert str(read(Money, value)) == "12.50"
    assert read(Money, 12) == Decimal(12)


@pytest.mark.parametrize(
    "value",
    [
        "1e3",
        LosslessFloat(b"1e3"),
        "-0",
        "-5",
        -5,
        "0x10",
        "19.999",
        LosslessFloat(b"19.999"),
        "１２",
        "1,299",
        " 1",
        "",
    ],
)
def test_what_is_not_written_plainly_is_an_invalid_decimal(value: object):
    assert code_of(Money, value) == "invalid_decimal"


@pytest.mark.parametrize("value", [2**64, str(2**64), "1" * 40, int("1" * 40), "1" * 100_000, 10**12])
def test_more_digits_than_any_amount_has_are_out_of_range(value: object):
    assert code_of(Money, value) == "number_out_of_range"


@pytest.mark.parametrize("kind", [Money, PositiveMoney, Rate])
@pytest.mark.parametrize("value", [True, False, None, [], {}, ["1"], b"1"])
def test_what_is_neither_text_nor_number_is_no_amount(kind: Any, value: object):
    assert code_of(kind, value) == "validation_failed"


@pytest.mark.parametrize("text", ["0", "13", "6.5", "100", "100.00", "0.0001"])
def test_rates_are_percentages(text: str):
    assert str(read(Rate, text)) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("100.01", "number_out_of_range"),
        ("150", "number_out_of_range"),
        ("1.23456", "invalid_decimal"),
        ("013", "invalid_decimal"),
    ],
)
def test_rates_beyond_percentages_are_refused(text: str, code: str):
    assert code_of(Rate, text) == code


@pytest.mark.parametrize("value", [True, "5", LosslessFloat(b"1.5"), LosslessFloat(b"1.0"), -1, None, [], {}])
@pytest.mark.parametrize("kind", [Count, PositiveCount])
def test_quantities_are_json_integers(kind: Any, value: object):
    assert code_of(kind, value) == "validation_failed"


@pytest.mark.parametrize("value", [10**12, 2**53 + 1, 10**40])
def test_more_pieces_than_there_can_be_are_out_of_range(value: int):
    assert code_of(Count, value) == "number_out_of_range"


def test_a_count_may_be_nothing_a_positive_one_may_not():
    assert read(Count, 0) == 0
    assert read(PositiveCount, 1) == 1
    assert code_of(PositiveCount, 0) == "validation_failed"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-01T11:58:03+08:00", datetime(2026, 5, 1, 3, 58, 3, tzinfo=UTC)),
        ("2026-05-01T11:58:03", datetime(2026, 5, 1, 3, 58, 3, tzinfo=UTC)),
        ("2026-05-01 11:58", datetime(2026, 5, 1, 3, 58, tzinfo=UTC)),
        ("2026-05-01T03:58:03.5Z", datetime(2026, 5, 1, 3, 58, 3, 500_000, tzinfo=UTC)),
        ("2026-05-01T11:58:03.123456789+0800", datetime(2026, 5, 1, 3, 58, 3, 123_456, tzinfo=UTC)),
        ("2026-05-01T12:05:00+08:00", AT + timedelta(minutes=5)),
    ],
)
def test_times_are_iso_8601_and_chinas_without_an_offset(text: str, moment: datetime):
    assert read(Moment, text) == moment
    assert read(Moment, text).tzinfo is not None


@pytest.mark.parametrize("text", ["2026-05-01T12:05:01+08:00", "2026-05-01T12:10:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_more_than_five_minutes_past_its_receipt_is_in_the_future(text: str):
    assert code_of(Moment, text) == "timestamp_in_future"


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-01",
        "2026-W18-5T10:00",
        "20260501T100000",
        "2026-13-01T00:00:00",
        "2026-02-30T00:00:00",
        "2026-05-01T24:30:00",
        "2026-05-01T10:00:00+08:00:30",
        "2026-05-01T10:00:00+25:00",
        "0001-01-01T00:00:00+08:00",
        "２026-05-01T10:00:00",
        "1777600683",
        "",
        1777600683,
        None,
        True,
        [],
    ],
)
def test_what_is_no_time_is_refused(value: object):
    assert code_of(Moment, value) == "validation_failed"
