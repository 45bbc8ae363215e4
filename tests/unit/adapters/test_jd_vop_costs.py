"""What VOP says costs no more than its length to read, whatever it says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.jd_vop import areas, product, pulls, replies
from gateway import sdk

_SEVERAL_DOTS = re.compile(r"https?://[^/\s]+\.[^\s]+", re.IGNORECASE)
"""What an absolute address is, in words that take the square of what they refuse."""


REPLY = sdk.Reply("get_sku", 200, {}, b"")


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


def test_a_reference_of_thousands_of_digits_is_no_fault_of_ours() -> None:
    [(name, value)] = product._parameters(f"<tr><td>a</td><td>&#{'9' * 9_000};</td></tr>")
    assert (name, len(value)) == ("a", 1)


@pytest.mark.parametrize("success", [[[]], {"a": "true"}, [], {}])
def test_a_success_that_is_no_word_is_none(success: object) -> None:
    answer = replies.envelope("check", {"success": success, "result": [1]})
    assert answer is not None
    assert answer.success is False


@pytest.mark.parametrize("listed", [[1, "2", " 3 "], "1,2 , 3", ["1", 2, 3]])
def test_skus_are_a_list_or_a_text(listed: object) -> None:
    assert pulls._skus(REPLY, listed) == ["1", "2", "3"]


@pytest.mark.parametrize("listed", [[True], [1.5], [None], [-1], "1;2", "x", ",", {"a": 1}])
def test_what_is_no_list_of_skus_is_refused(listed: object) -> None:
    with pytest.raises(sdk.ContractError):
        pulls._skus(REPLY, listed)


@pytest.mark.parametrize(("listed", "odd"), [([1, "2,3"], "2,3"), (["", 1], '""'), ([1, None], "null"), ("1,x", "x")])
def test_among_skus_what_is_none_is_handed_on_in_words(listed: object, odd: str) -> None:
    assert sorted(pulls._skus(REPLY, listed)) == sorted(["1", odd])


@pytest.mark.parametrize("listed", [None, "", [], {}])
def test_nothing_is_no_sku(listed: object) -> None:
    assert pulls._skus(REPLY, listed) == []
