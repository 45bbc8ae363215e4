"""Texts that may hold markup: nothing active is left in any of them, and what got lost is told."""

import re
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.feeds import cleaning
from gateway.feeds.cleaning import cleaned
from gateway.sdk.markup import names_in
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
    [
        *("<p>好 <b>纸</b></p>", "<ul><li>1</li></ul>", '<img src="https://x.example/1.jpg">', "a<br>b"),
        *("<!DOCTYPE html>好", '<!doctype HTML PUBLIC "-//W3C//DTD HTML 4.01//EN">好'),
        *("<!-- x -->好", "<?xml version='1.0'?><p>好</p>", "<p>好<!-- x --!></p>"),
        *("<style>p {color: red}</style>好", "<o:p>好</o:p>", "<font color=red>好</font>", "<td nowrap>好</td>"),
        *('<center data-x class="a">好</center >', "<hr noshade/>好"),
    ],
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
@pytest.mark.parametrize("text", ["<!-- 好纸 -->", "<style>p {}</style>", " <!--a--><!--b-->"])
def test_a_text_of_which_nothing_is_left_is_told(field: str, text: str) -> None:
    [warning] = cleaned(product(field, text))[1]
    assert (warning.code, warning.actual) == ("markup_removed", "everything")


@pytest.mark.parametrize(
    "text",
    [
        *("<!-- 好纸", "<p title='好纸", "<?php 好纸 ?>x", "<!好纸 y>"),
        *("<style>p{}<p>好纸</p>", "<style/>好纸", "<script/>好纸", "<p>甲</p><STYLE x=1>好纸"),
        *("<!doctype html 好纸", "<!DOCTYPE html 好纸 <b>x</b>", "<!doctype 好纸>", "<?xml 好纸"),
    ],
)
def test_text_that_is_swallowed_is_told(text: str) -> None:
    [warning] = cleaned(product("description", text))[1]
    assert "characters of text" in warning.actual


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("联系 <sales@example.com> 订购", "<sales@example.com>"),
        ("见 <https://example.com/a b>", "<https://example.com/a b>"),
        ("适用范围 5<Temp and Temp>40", "<Temp and Temp>"),
        ("<p>10<b and c>5</p>", "<b and c>"),
        ("配<Model X-200>使用", "<Model X-200>"),
        ("a</b or c>d", "</b or c>"),
        ("a<i\u200bx>d", "<i[U+200B]x>"),
    ],
)
@pytest.mark.parametrize("field", FIELDS)
def test_words_in_brackets_that_are_no_element_are_told_as_they_were_written(field: str, text: str, lost: str) -> None:
    [warning] = cleaned(product(field, text))[1]
    assert (warning.code, warning.actual) == ("markup_removed", lost)


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ('<img src="data:image/png;base64,AA==">好', "data"),
        ("<video src=x.mp4></video>好", "video"),
        ("<audio src=x.mp3></audio>好", "audio"),
        ("<input value='好'>", "input"),
    ],
)
def test_what_showed_something_is_told(text: str, lost: str) -> None:
    [warning] = cleaned(product("description", text))[1]
    assert warning.actual == lost


PIECES = ["甲乙", " ", "5<Temp", " and ", "Temp>40", "<b", "</b", ">", "<p>", "<style>", "<!doctype ", "<?xml "]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_word_goes_without_a_word(text: str) -> None:
    changed, warnings = cleaned(product("description", text))
    published = changed.get("description", text)
    for word in ("甲乙", "Temp", "and"):
        assert warnings or published.count(word) == text.count(word)


@given(st.text(st.sampled_from("<>/!-?[]&;=\"' abscript"), max_size=60))
def test_cleaning_again_changes_nothing_more(text: str) -> None:
    once = told(product("description", text), "description")
    assert told(product("description", once), "description") == once


def test_facets_without_such_texts_cost_nothing() -> None:
    assert cleaned(ListingFacts(sku="A", shelf=Shelf.ON, reason="<b>x</b>")) == ({}, ())


PARTS = st.sampled_from(
    [
        *(
            "<p>",
            "</p>",
            "<B>",
            "<b/>",
            "<br />",
            "<P class='a'>",
            '<p class="a">',
            "</p >",
            "</p x>",
            "<p x>",
            "<o:p>",
        ),
        *(
            '<a href="https://a.cn/x">',
            '<a href="javascript:x()">',
            '<a href="data:x">',
            "<a href=data:x>",
            "<a href='",
        ),
        *('<p onclick="x()">', '<p title="on=1">', "<T and T>", "<script>", "</script>", "<style>", "<svg>", "<image>"),
        *("<!--", "-->", "<!doctype html>", "<?xml ?>", "text", "<", ">", '"', "a<b", "<p", "<p a=", 'on="1"', "data:"),
    ]
)


@given(st.lists(PARTS, max_size=20).map("".join))
@settings(max_examples=500)
def test_passing_over_what_is_plain_misses_nothing(html: str) -> None:
    found = cleaning._lost(html, names_in(html))
    with patch.object(cleaning, "_PLAIN", re.compile("")):
        assert found == cleaning._lost(html, names_in(html))
