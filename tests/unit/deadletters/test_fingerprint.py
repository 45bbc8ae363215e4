"""Laws of the fingerprint: what differs from letter to letter leaves it alone, what makes another fault changes it."""

from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deadletters.fingerprint import Kind, kind_of

WORDS = st.lists(
    st.sampled_from(["price", "of", "must", "be", "below", "格式错误", "行", "sku"]), min_size=1, max_size=6
).map(" ".join)
NUMBERS = st.one_of(
    st.integers(0).map(str), st.decimals(allow_nan=False, allow_infinity=False).map(lambda value: f"{value:f}")
)
HEXES = st.text("0123456789abcdef", min_size=8, max_size=40)
IDENTIFIERS = st.one_of(
    NUMBERS,
    st.uuids().map(str),
    HEXES,
    st.datetimes().map(str),
    st.from_regex(r"[A-Z]{2,4}-?[0-9]{3,9}", fullmatch=True),
)
QUOTABLE = st.text(st.characters(exclude_characters="\"'`“”‘’「」", exclude_categories=["Cs"]), max_size=30)


def fingerprint(
    message: str = "", *, stage: str = "normalise", code: str = "invalid_decimal", path: str = "/price"
) -> str:
    return kind_of(stage=stage, code=code, path=path, message=message).fingerprint


@given(WORDS, WORDS, IDENTIFIERS, IDENTIFIERS)
def test_numbers_and_identifiers_do_not_count(before: str, after: str, first: str, second: str) -> None:
    assert fingerprint(f"{before} {first} {after}") == fingerprint(f"{before} {second} {after}")


@given(st.text(), st.randoms(use_true_random=False))
def test_no_digit_of_any_message_counts(message: str, random: object) -> None:
    swapped = re.sub(r"\d", lambda match: str((int(match[0]) + 1) % 10), message)
    assert fingerprint(message) == fingerprint(swapped)


@given(WORDS, QUOTABLE, QUOTABLE, st.sampled_from(['""', "''", "``", "“”", "‘’", "「」"]))
def test_quoted_values_do_not_count(words: str, first: str, second: str, quotes: str) -> None:
    opening, closing = quotes[0], quotes[1]
    assert fingerprint(f"{words} {opening}{first}{closing} {words}") == fingerprint(
        f"{words} {opening}{second}{closing} {words}"
    )


@given(WORDS, QUOTABLE)
def test_a_quotation_that_was_cut_off_does_not_count(words: str, value: str) -> None:
    assert fingerprint(f'{words} "{value}') == fingerprint(f'{words} "')


@given(st.integers(0), st.integers(0))
def test_indexes_of_the_path_do_not_count(first: int, second: int) -> None:
    assert fingerprint(path=f"/items/{first}/price") == fingerprint(path=f"/items/{second}/price")
    assert fingerprint(path=f"/images/{first}") == fingerprint(path=f"/images/{second}")


PARTS = st.text(string.ascii_lowercase + "_.", min_size=1, max_size=12)


@given(st.tuples(PARTS, PARTS, PARTS), st.tuples(PARTS, PARTS, PARTS))
def test_stage_code_and_path_make_the_fault(first: tuple[str, str, str], second: tuple[str, str, str]) -> None:
    def of(parts: tuple[str, str, str]) -> str:
        stage, code, path = parts
        return fingerprint(stage=stage, code=code, path=f"/{path}")

    assert (of(first) == of(second)) == (first == second)


@given(st.text(), st.text(), st.text(), st.text())
def test_it_is_total_and_keeps_its_form(stage: str, code: str, path: str, message: str) -> None:
    found = fingerprint(message, stage=stage, code=code, path=path)
    assert re.fullmatch(r"fp1:[0-9a-f]{32}", found)


@given(st.text(), st.text())
def test_a_kind_is_of_its_own_kind(path: str, message: str) -> None:
    kind = kind_of(stage="guard", code="stale", path=path, message=message)
    assert kind_of(stage=kind.stage, code=kind.code, path=kind.path, message=kind.message) == kind


@pytest.mark.parametrize(
    ("message", "common"),
    [
        ("expected at most 2 places", "expected at most # places"),
        ("sku 'A-17' of order 2026-11-23T08:00:00+08:00", "sku # of order #"),
        ("第3行：价格“12.50”无效", "第#行：价格#无效"),
        ("the reply isn't JSON and doesn't end", "the reply isn't JSON and doesn't end"),
        ("no such area", "no such area"),
        ("key 80d0c79f-cbea-5ec1-a181-54c8c56cdb58 seen 3, 4 and 5 times", "key # seen # and # times"),
        ("hash deadbeefcafe differs", "hash # differs"),
    ],
)
def test_what_remains_reads_like_the_fault(message: str, common: str) -> None:
    assert kind_of(stage="s", code="c", path="", message=message).message == common


def test_a_long_text_counts_by_its_beginning() -> None:
    assert fingerprint("x " * 1000 + "a") == fingerprint("x " * 1000 + "b")


def test_the_fingerprint_is_pinned() -> None:
    """Another value here means other rules: they need a name other than fp1, or every group starts anew."""
    assert Kind("normalise", "invalid_decimal", "/price", "").fingerprint == "fp1:5cbc0d93980d8067d85ead205eba5cc9"
