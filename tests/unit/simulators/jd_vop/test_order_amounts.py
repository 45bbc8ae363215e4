"""The arithmetic of orders: no cent is made or lost, however an order is divided."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contrib.simulators.jd_vop.order import (
    Line,
    amounts,
    cents,
    divided,
    freight_of,
    line_entry,
    line_of,
    prorated,
)

CENTS = st.integers(0, 10**9)


@st.composite
def some_line(draw: st.DrawFn) -> Line:
    price = draw(CENTS)
    naked = draw(st.integers(0, price))
    return Line(
        draw(st.integers(1, 10**11)), draw(st.integers(1, 500)), "笔", 1, price, naked, draw(st.integers(0, 17))
    )


LINES = st.lists(some_line(), min_size=1, max_size=12)


@given(CENTS, st.lists(CENTS, min_size=1, max_size=12))
def test_parts_add_up_to_the_amount_and_none_is_a_cent_off_its_share(amount, weights):
    parts = prorated(amount, weights)
    assert sum(parts) == amount
    total = sum(weights)
    assert all(
        abs(part * total - amount * weight) < total or not total for part, weight in zip(parts, weights, strict=True)
    )
    assert all(part >= 0 for part in parts)


@given(LINES, st.integers(1, 20))
def test_children_hold_the_goods_and_the_sums_of_their_parent(lines, into):
    parts = divided(lines, into)
    assert len(parts) != 1
    if not parts:
        assert into == 1 or (len(lines) == 1 and lines[0].num == 1)
        return
    held = Counter[int]()
    for line in (line for part in parts for line in part):
        held[line.sku] += line.num
    asked = Counter[int]()
    for line in lines:
        asked[line.sku] += line.num
    assert held == asked
    assert all(line.num >= 1 for part in parts for line in part)
    whole, sums = amounts(lines, 0), [amounts(part, 0) for part in parts]
    assert (sum(one.gross for one in sums), sum(one.naked for one in sums)) == (whole.gross, whole.naked)
    assert sum(one.tax for one in sums) == whole.tax
    assert sum(prorated(freight_of(lines), [one.gross for one in sums])) == freight_of(lines)


@given(some_line())
def test_a_line_is_in_the_ledger_as_it_is(line):
    assert line_of(line_entry(line)) == line


@pytest.mark.parametrize(("value", "expected"), [("12.30", 1230), ("12", 1200), ("0.1", 10), (7, 700), ("-1", -100)])
def test_an_amount_is_read_exactly(value, expected):
    assert cents(value) == expected


@pytest.mark.parametrize("value", ["1.234", "", "ten", "NaN", "Infinity", None, [], True])
def test_what_is_no_amount_is_refused(value):
    with pytest.raises(ValueError, match="amount"):
        cents(value)
