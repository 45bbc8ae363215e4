"""What VOP says costs no more than its length to read, whatever it says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.jd_vop import areas, product, replies

_SEVERAL_DOTS = re.compile(r"https?://[^/\s]+\.[^\s]+", re.IGNORECASE)
"""What an absolute address is, in words that take the square of what they refuse."""


@given(st.text("a./ :", max_size=12))
def test_an_absolute_address_has_a_host_with_a_dot(rest: str) -> None:
    assert bool(product._ABSOLUTE.fullmatch(f"http://{rest}")) is bool(_SEVERAL_DOTS.fullmatch(f"http://{rest}"))


@pytest.mark.parametrize("path", ["http://" + "." * 40_000 + " x", "a.jpg" * 40_000, "http://a.cn/" + "x" * 2_000])
def test_an_address_that_is_too_long_is_none(path: str) -> None:
    assert product._address(path, "https://img.example") is None


@given(st.text("_01", max_size=12))
def test_zeros_at_the_end_of_an_area_are_left_out(area: str) -> None:
    assert areas.bare(area) == re.sub(r"(_0)+$", "", area)


def test_the_zeros_of_a_long_area_are_looked_at_once() -> None:
    zeros = "_0" * 100_000
    assert areas.bare(f"{zeros}x") == f"{zeros}x"
    assert areas.bare(f"1{zeros}") == "1"


def test_the_words_of_an_answer_are_read_once_for_all_skus() -> None:
    given = {"success": True, "resultCode": "0010", "resultMessage": "不存在12 " * 2_000}
    answer = replies.envelope("get_sell_price", given)
    assert answer is not None
    assert answer.barred is answer.barred
    assert answer.words is answer.words


def test_a_table_is_read_no_further_than_parameters_fill_it() -> None:
    row = "<tr><td>a</td><td>b</td></tr>"
    assert len(product._parameters(row * product.MAX_ATTRIBUTES)) == product.MAX_ATTRIBUTES
    assert ("a", "b") not in product._parameters("<td>x" * 40_000 + row)
