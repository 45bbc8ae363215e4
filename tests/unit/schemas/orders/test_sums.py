"""Sums that somebody states are compared with what they are sums of, and never computed for anybody."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import PriceBasis
from schemas.orders import Mismatch, order_mismatches, split_mismatches
from schemas.orders.parts import StatedLine, Sums, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder

GROSS, NET = PriceBasis.GROSS, PriceBasis.NET


def amounts(stated: dict[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(text) for name, text in stated.items()}


def line(quantity: str = "1", article: str = "A", line_sums: Sums | None = None, /, **price: str) -> StatedLine:
    unit = UnitPrice.model_validate(amounts(price))
    return StatedLine(sku=article, quantity=Decimal(quantity), price=unit, sums=line_sums or Sums())


def totals(*, freight_inside: bool = False, **stated: str) -> Totals:
    return Totals.model_validate({**amounts(stated), "freight_in_gross": freight_inside})


def found(lines: list[StatedLine], of: Totals, basis: PriceBasis = GROSS) -> list[tuple[str, str]]:
    return [(each.where, each.what) for each in order_mismatches(lines, of, basis)]


def test_sums_that_hold_are_no_mismatch():
    lines = [line("2", gross="113.00", net="100.00", tax="13.00"), line("1", "B", gross="0", net="0", tax="0")]
    assert found(lines, totals(gross="226.00", net="200", tax="26.0", freight="6")) == []


@pytest.mark.parametrize("part", ["gross", "net", "tax"])
def test_a_fen_too_much_in_one_part_is_told(part: str):
    lines = [StatedLine(sku="A", quantity=Decimal(2), price=UnitPrice.model_validate({part: Decimal("56.50")}))]
    told = order_mismatches(lines, Totals.model_validate({part: Decimal("113.01")}), GROSS)
    assert told == (Mismatch("order", part, Decimal("113.01"), Decimal("113.00")),)


def test_what_is_not_stated_is_not_compared():
    assert found([line(gross="1")], totals()) == []
    assert found([line()], totals(gross="5")) == []
    assert found([line(gross="1"), line("1", "B")], totals(gross="5")) == []
    assert found([], totals(gross="5")) == []


def test_the_line_price_of_a_net_contract_is_held_against_the_net_total():
    of = totals(gross="159.16", net="137.21", tax="21.95")
    assert found([line(net="137.21")], of, NET) == []
    assert found([line(gross="137.21")], of) == [("order", "gross")], "taken for a price with tax"


def test_gross_has_to_be_net_and_tax_where_nothing_else_vouches_for_it():
    assert found([line(net="137.21")], totals(gross="999", net="137.21", tax="21.95"), NET) == [("order", "gross")]


def test_a_sum_that_neither_lines_nor_net_and_tax_make_is_told_once():
    whole = line("3", gross="113.00", net="100.00", tax="13.00")
    told = order_mismatches([whole], totals(gross="340.00", net="300.00", tax="39.00"), GROSS)
    assert told == (Mismatch("order", "gross", Decimal("340.00"), Decimal("339.00")),)


def test_freight_stands_apart_unless_the_supplier_has_it_in_its_sum():
    lines = [line("2", gross="50")]
    assert found(lines, totals(gross="100", freight="6")) == []
    assert found(lines, totals(gross="106", freight="6")) == [("order", "gross")]
    assert found(lines, totals(gross="106", freight="6", freight_inside=True)) == []
    assert found(lines, totals(gross="100", freight="6", freight_inside=True)) == [("order", "gross")]


def test_prices_with_more_decimals_than_money_add_up_to_rounded_fen():
    lines = [line("2", net="4689.380531")]
    assert found(lines, totals(net="9378.76")) == []
    assert found(lines, totals(net="9378.761062")) == []
    assert found(lines, totals(net="9378.77")) == [("order", "net")]
    assert found([line(gross="100.40")], totals(gross="100")) == [("order", "gross")], "fen are never rounded away"


def test_a_line_that_states_its_sums_counts_with_them():
    rounded = line("3", "A", Sums(gross=Decimal("264.00"), net=Decimal("233.63")), gross="88.00", net="77.87")
    assert found([rounded], totals(gross="264.00", net="233.63")) == []
    wrong = line("3", "A", Sums(gross=Decimal("263.00")), gross="88.00")
    assert found([wrong], totals(gross="263.00")) == [("line 1", "gross")]
    assert found([line("1", "A", Sums(gross=Decimal(3), net=Decimal(1), tax=Decimal(1)))], totals()) == [
        ("line 1", "gross")
    ]


prices = st.decimals(0, 999_999_999_999, places=6)
quantities = st.decimals(Decimal("0.001"), 999_999_999_999, places=3)


@given(st.lists(st.tuples(prices, quantities), min_size=1, max_size=20))
def test_the_sum_is_exact_however_long_the_numbers_are(pairs: list[tuple[Decimal, Decimal]]):
    lines = [StatedLine(sku="A", quantity=quantity, price=UnitPrice(gross=price)) for price, quantity in pairs]
    exact = sum((Fraction(price) * Fraction(quantity) for price, quantity in pairs), Fraction(0))
    told = order_mismatches(lines, totals(gross="0"), GROSS)
    assert [Fraction(each.computed) for each in told] == ([exact] if exact >= Fraction(1, 200) else [])


def order(quantity: str, gross: str, freight: str = "0", sku: str = "A") -> StatedOrder:
    return StatedOrder(lines=(line(quantity, sku),), totals=totals(gross=gross, freight=freight))


def test_children_sum_to_their_parent_in_amounts_freight_and_quantities():
    parent = order("3", "339.00", "6.00")
    assert split_mismatches(parent, [order("2", "226.00", "4.00"), order("1", "113.00", "2.00")]) == ()
    found = split_mismatches(parent, [order("2", "226.00", "4.00"), order("1", "113.01", "2.01", sku="B")])
    assert [each.what for each in found] == ["gross", "freight", "quantity of A", "quantity of B"]
    assert {each.where for each in found} == {"children"}
    assert found[-1].stated is None


def test_children_that_do_not_state_all_are_compared_in_what_they_state():
    assert split_mismatches(order("3", "339.00"), [StatedOrder(), order("1", "1")]) == ()


def test_a_parent_with_freight_inside_has_children_without():
    parent = StatedOrder(totals=totals(gross="106", freight="6", freight_inside=True))
    assert split_mismatches(parent, [StatedOrder(totals=totals(gross="100", freight="6"))]) == ()
    assert [each.what for each in split_mismatches(parent, [StatedOrder(totals=totals(gross="106"))])] == ["gross"]
