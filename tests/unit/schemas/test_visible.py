"""Characters that nobody can see, in identifiers and where they are shown."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.base import Sku
from schemas.text import folded
from schemas.visible import is_deceptive, is_unseen, visible

SKU = TypeAdapter(Sku)

# By name, from the Unicode character database: what two spellings of one article number differ in without a trace.
UNSEEN = [
    *("ZERO WIDTH SPACE", "ZERO WIDTH NO-BREAK SPACE", "SOFT HYPHEN", "RIGHT-TO-LEFT OVERRIDE", "WORD JOINER"),
    *(
        "ZERO WIDTH JOINER",
        "LEFT-TO-RIGHT ISOLATE",
        "ARABIC LETTER MARK",
        "INVISIBLE SEPARATOR",
        "TAG LATIN SMALL LETTER A",
    ),
    *("NO-BREAK SPACE", "IDEOGRAPHIC SPACE", "THIN SPACE", "LINE SEPARATOR", "PARAGRAPH SEPARATOR"),
    *("MUSICAL SYMBOL NULL NOTEHEAD", "KHITAN SMALL SCRIPT FILLER"),
    *("HANGUL FILLER", "HALFWIDTH HANGUL FILLER", "BRAILLE PATTERN BLANK", "COMBINING GRAPHEME JOINER"),
    *(
        "VARIATION SELECTOR-16",
        "VARIATION SELECTOR-17",
        "MONGOLIAN VOWEL SEPARATOR",
        "MONGOLIAN FREE VARIATION SELECTOR ONE",
    ),
]


@pytest.mark.parametrize("name", UNSEEN)
@pytest.mark.parametrize("sku", ["A{}1", "{}A1", "A1{}"])
def test_an_article_number_holds_nothing_that_cannot_be_seen(name: str, sku: str) -> None:
    with pytest.raises(ValidationError):
        SKU.validate_python(sku.format(unicodedata.lookup(name)), strict=True)


@pytest.mark.parametrize("sku", ["A 1", "办公-用纸", "Ä/ö#1", "得力 (DL)_7.5", "𠮷-1", "é"])
def test_an_article_number_that_people_can_read_is_taken(sku: str) -> None:
    assert SKU.validate_python(sku, strict=True) == unicodedata.normalize("NFC", sku)


@given(st.characters())
def test_by_category_only_what_is_drawn_is_taken(character: str) -> None:
    if unicodedata.category(character)[0] == "C":
        assert is_deceptive(character)
    if character != " " and unicodedata.category(character)[0] == "Z":
        assert is_deceptive(character)
    if unicodedata.category(character) in {"Lu", "Ll", "Nd", "Pd", "Po", "Sc"}:
        assert not is_deceptive(character)


@given(st.text())
def test_what_is_written_out_can_be_seen_and_stays_so(text: str) -> None:
    shown = visible(text)
    assert visible(shown) == shown
    assert visible("A" + text) == "A" + shown


def test_names_that_differ_in_what_cannot_be_seen_compare_equal() -> None:
    """Of every character: the expression that names are read with knows what the tables know."""
    told_apart = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if is_unseen(chr(code)) and not chr(code).isspace() and folded(f"甲{chr(code)}乙") != "甲乙"
    ]
    assert told_apart == []


def test_names_that_differ_in_what_can_be_seen_do_not() -> None:
    assert folded("ا\u0301") != folded("ا")
    assert folded("甲\u2028乙") == "甲 乙"


def test_a_character_is_shown_by_its_number() -> None:
    assert visible("A\u200b1\n\t", keep="\n\t") == "A[U+200B]1\n\t"
