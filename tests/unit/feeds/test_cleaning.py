"""Texts that may hold markup: nothing active is left in any of them, and what got lost is told."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.cleaning import cleaned
from schemas.catalog import Attribute, ListingFacts, ProductFacts, Shelf

FIELDS = ["description", "warranty", "packing_list", "attributes"]

ACTIVE = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//x.example/a.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '<a href="javascript:alert(1)">buy</a>',
    '<iframe src="https://x.example"></iframe>',
    '<form action="https://x.example"><input name=pin></form>',
    "<b onclick='x()'>bold</b>",
    "<<script>script>alert(1)<</script>/script>",
    "<meta http-equiv=refresh content=0>",
]


def product(field: str, text: str) -> ProductFacts:
    value: Any = (Attribute(name="用途", value=text),) if field == "attributes" else text
    return ProductFacts(sku="A", name="甲", **{field: value})


def told(facts: ProductFacts, field: str) -> str:
    """What is published of the field."""
    changed, _ = cleaned(facts)
    value = changed.get(field, getattr(facts, field))
    return str(value[0].value if field == "attributes" else value)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", ACTIVE)
def test_nothing_active_is_left_in_any_text(field: str, text: str) -> None:
    published = told(product(field, f"前 {text} 后"), field).lower()
    for sign in ("<script", "<iframe", "<svg", "<form", "<meta", "onerror=", "onclick=", "onload=", "javascript:"):
        assert sign not in published
    assert "前" in published
    assert "后" in published


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", ACTIVE)
def test_what_was_removed_is_told(field: str, text: str) -> None:
    [warning] = cleaned(product(field, text))[1]
    assert warning.code == "markup_removed"
    assert warning.path.startswith(f"/{field}")
    assert warning.actual


@pytest.mark.parametrize("text", ["功率 <5W & 噪音 < 40dB", "a <= b", "1 < 2 > 0", "AT&T", "&lt;b&gt;", "plain"])
def test_a_text_without_markup_stays_as_it_is(text: str) -> None:
    assert cleaned(product("description", text)) == ({}, ())


@pytest.mark.parametrize(
    "text",
    ["<p>好 <b>纸</b></p>", "<ul><li>1</li></ul>", '<img src="https://x.example/1.jpg">', "a<br>b", "<!-- x -->好"],
)
def test_layout_is_kept_without_a_word(text: str) -> None:
    assert cleaned(product("description", text))[1] == ()


@pytest.mark.parametrize("inside", ["好纸", "<p>好纸</p>", "a < b"])
def test_a_text_taken_out_of_xml_loses_its_wrapping_alone_and_that_is_told(inside: str) -> None:
    facts = product("description", f"<![CDATA[{inside}]]>")
    assert "好纸" in told(facts, "description") or inside == "a < b"
    [warning] = cleaned(facts)[1]
    assert "CDATA" in warning.actual


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("text", ["<!-- 好纸 -->", "<style>p {}</style>", "<input value='好纸'>", " <!--a--><!--b-->"])
def test_a_text_of_which_nothing_is_left_is_told(field: str, text: str) -> None:
    [warning] = cleaned(product(field, text))[1]
    assert (warning.code, warning.actual) == ("markup_removed", "everything")


@pytest.mark.parametrize("text", ["<!-- 好纸", "<p title='好纸", "<?php 好纸 ?>x", "<!好纸 y>"])
def test_text_that_is_swallowed_is_told(text: str) -> None:
    [warning] = cleaned(product("description", text))[1]
    assert "characters of text" in warning.actual


@given(st.text(st.sampled_from("<>/!-?[]&;=\"' abscript"), max_size=60))
def test_cleaning_again_changes_nothing_more(text: str) -> None:
    once = told(product("description", text), "description")
    assert told(product("description", once), "description") == once


def test_facets_without_such_texts_cost_nothing() -> None:
    assert cleaned(ListingFacts(sku="A", shelf=Shelf.ON, reason="<b>x</b>")) == ({}, ())
