"""One brand, one spelling, however a supplier writes it."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.brands import fold_brand
from schemas.text import folded


@pytest.mark.parametrize(
    "raw",
    [
        "联想",
        "联想/lenovo",
        "联想(lenovo)",
        "联想（Lenovo）",
        "联想【LENOVO】",
        "Ｌenovo",
        "Lenovo",
        " LENOVO ",
        "lenovo/联想",
        "Lenovo (联想)",
        "联想 Lenovo",
        "联想Lenovo",
        *("Lenovo\u200b", "\ufeff联想", "联\u00ad想", "\u202eLENOVO\u202c", "\u200b / Lenovo", "Len\U0001d159ovo"),
    ],
)
def test_every_spelling_of_a_known_brand_folds_to_one(raw: str) -> None:
    assert fold_brand(raw) == "联想"


@pytest.mark.parametrize(
    ("raw", "folds_to"),
    [
        (None, None),
        ("", None),
        ("/", None),
        ("( )", None),
        ("\u200b", None),
        ("\u3164/\ufeff", None),
        ("史泰博（Staples）", "史泰博"),
        ("Staples(史泰博)", "史泰博"),
        ("ＡＢＣ  Pro", "abc pro"),
        ("A.O.史密斯", "a.o.史密斯"),
        ("晨光/M&G", "晨光"),
        ("富士施乐(Fuji Xerox)", "富士施乐"),
        ("联想惠普", "联想惠普"),
    ],
)
def test_other_brands_fold_without_a_guess(raw: str | None, folds_to: str | None) -> None:
    assert fold_brand(raw) == folds_to


@given(st.text(max_size=30))
def test_folding_again_changes_nothing(raw: str) -> None:
    once = fold_brand(raw)
    assert fold_brand(once) == once


def test_no_name_of_the_table_belongs_to_two_brands() -> None:
    table = tomllib.loads(files("schemas").joinpath("data/brands.toml").read_text(encoding="utf-8"))["brands"]
    names = [folded(name) for brand, others in table.items() for name in (brand, *others)]
    assert sorted(names) == sorted(set(names))
    assert all(fold_brand(name) == brand for brand, others in table.items() for name in (brand, *others))
