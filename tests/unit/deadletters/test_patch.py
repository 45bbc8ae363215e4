"""The difference between a dead letter and its patch, as an auditor reads it."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deadletters import Patch
from gateway.deadletters.patch import MAX_COMPARED, MAX_DIFF, diff


def test_one_changed_member_is_one_changed_line() -> None:
    shown = diff(b'{"sku":"A-1","price":"1,5","area":"*"}', b'{"sku":"A-1","price":"1.5","area":"*"}').splitlines()
    changed = [line for line in shown if line[0] in "+-" and not line.startswith(("+++", "---"))]
    # The comma inside the text ends a line too: the text is cut, not parsed.
    assert changed == ['-"price":"1,', '-5",', '+"price":"1.5",']


def test_a_difference_that_parsing_would_lose_is_shown() -> None:
    assert "+19.9" in diff(b"19.90", b"19.9")


def test_bytes_that_are_no_text_show_as_escapes() -> None:
    assert "-\\xff\\x00" in diff(b"\xff\0", b"{}")


def test_long_differences_are_cut() -> None:
    shown = diff(b"[" + b"1," * 10_000 + b"1]", b"[" + b"2," * 10_000 + b"2]")
    assert len(shown) < MAX_DIFF + 50
    assert shown.endswith("more characters")


def test_what_is_too_long_to_compare_is_left_to_the_digests() -> None:
    detail = Patch(b"{}").detail(b"x" * (MAX_COMPARED + 1))
    assert detail["diff"] == "65537 bytes replaced by 2"
    assert detail["original_sha256"] != detail["patched_sha256"]


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_it_is_total_and_fits_the_audit(original: bytes, patched: bytes) -> None:
    shown = diff(original, patched)
    assert "\0" not in shown
    assert shown.encode().decode() == shown


@given(st.binary(max_size=300))
def test_the_same_bytes_differ_in_nothing(content: bytes) -> None:
    assert diff(content, content) == ""


LINES = st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=12).map(b",".join)


@given(LINES, LINES, LINES, LINES)
def test_every_line_is_told_as_kept_taken_or_given(head: bytes, old: bytes, new: bytes, tail: bytes) -> None:
    original, patched = b"%b,%b,%b" % (head, old, tail), b"%b,%b,%b" % (head, new, tail)
    places = diff(original, patched).split("\n@@ ")[1:]
    for (_, *lines), (side, mark) in product(map(str.splitlines, places), ((original, "-"), (patched, "+"))):
        assert "".join(line[1:] for line in lines if line[0] in (mark, " ")) in side.decode()
    assert bool(places) is (original != patched)


@pytest.mark.parametrize("distinct", [3, 101, 1_000])
def test_many_lines_that_are_alike_are_not_matched_with_each_other(distinct: int) -> None:
    members = [b"%d" % (number % distinct) for number in range(10_000)]
    one, turned = b"[%b]" % b",".join(members), b"[%b]" % b",".join(reversed(members))
    assert diff(one, one.replace(b"[0,", b"[x,")).splitlines()[2:] == [
        "@@ -1,4 +1,4 @@",
        " [",
        "-0,",
        "+x,",
        " 1,",
        " 2,",
    ]
    assert diff(one, turned).startswith("--- original\n+++ patched\n@@ -")


def test_many_bytes_that_are_no_text_are_shown_as_a_whole() -> None:
    shown = diff(b"\xff" * 2_000, "汉".encode() + b"\xff" * 2_000)
    assert "+\\xe6\\xb1\\x89\\xff" in shown
    assert "+汉\\xff" in diff(b"", "汉".encode() + b"\xff")
