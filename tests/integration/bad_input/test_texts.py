"""Texts that break naive programs: kept byte for byte, or refused for control characters, never changed in between."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Any

import orjson

from tests.integration.bad_input.conftest import Shop

NAUGHTY = (
    # what programs take for something else
    "undefined",
    "null",
    "NULL",
    "None",
    "NaN",
    "true",
    "0",
    "-1",
    "1e1000",
    "0x1F",
    "١٢٣",
    "12,5",
    "1/0",
    "hasOwnProperty",
    "__proto__",
    "\\",
    "\\\\",
    "\\u0000",
    "%00",
    "%0d%0aInjected: 1",
    "{}",
    "[]",
    '"',
    "'",
    "''",
    "`",
    '{"sku":"B-1"}',
    ",./;'[]-=",
    "!@#$%^&*()`~",
    # commands, statements, templates, formulas, markup
    "'; DROP TABLE feeds; --",
    "1' OR '1'='1",
    "$(touch /tmp/x)",
    "`id`",
    "| cat /etc/passwd",
    "${jndi:ldap://127.0.0.1/x}",
    "{{7*7}}",
    "{% include '/etc/passwd' %}",
    "%s%n%x%d",
    "%(password)s",
    "../../../../etc/passwd",
    "C:\\Windows\\System32",
    '=HYPERLINK("http://127.0.0.1","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "＝1+1",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]><!--",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>",
    "&lt;b&gt; &amp;amp; &#x26;",
    "javascript:alert(1)",
    # scripts and their corners
    "办公椅（人体工学）",
    "ＡＢＣ　１２３",
    "田中さんにあげて下さい",
    "사회과학원 어학연구소",
    "ستاجت",
    "הָיְתָה",
    "Ω≈ç√∫˜µ≤≥÷",
    "ﬀ ﬁ ﬂ",
    "ǅ İ ı ß ẞ",
    "é",  # composed
    "e\u0301",  # decomposed
    "\u212b \u2126",  # signs that normalise to letters
    "Z" + "\u0335\u0321\u0353" * 60,
    "\u202etxt.exe\u202c",
    "\u2066right\u2069\u200f\u200e",
    "zero\u200bwidth\u200c\u200djoin\u2060ed\ufeff",
    "\u00ad soft",
    "\u2028line\u2029paragraph\u0085next",
    "\u3000ideographic\u00a0no-break",
    "\ufffd\ufffe\uffff",
    "\ue000\U000f0000",
    "🏳\u200d🌈 👨\u200d👩\u200d👧 🇨🇳 👍🏿",
    "𠜎𠜱𡿨𪛖",
    "\U0010ffff",
    "\u0080\u0090\u009f",
)

CONTROLS = [chr(code) for code in (*range(0x20), 0x7F)]

LINES = ("name", "brand", "model", "unit", "origin")
"""Texts of a product that are no markup, whatever they look like."""

MARKUP = ("warranty", "packing_list")
"""Texts that may hold markup: those without any are kept as they are given."""

FIELDS = (*LINES, *MARKUP)

MULTILINE = {"warranty", "packing_list"}


def product(number: int, **members: Any) -> bytes:
    return orjson.dumps({"sku": f"A-{number}", "name": "x", **members})


async def test_a_text_comes_out_as_it_went_in(shop: Shop) -> None:
    records = [
        product(
            number,
            **dict.fromkeys(FIELDS, text),
            category=[text, "b"],
            attributes={text: text},
            description=text,
        )
        for number, text in enumerate(NAUGHTY)
    ]
    feed = await shop.done(await shop.push(b"\n".join(records), facet="product"))
    assert feed["items"] == {"normalized": len(NAUGHTY)}
    items = {item["sku"]: item for item in (await shop.left()).items}
    for number, text in enumerate(NAUGHTY):
        item = items[f"A-{number}"]
        kept = {name: item["brand_raw" if name == "brand" else name] for name in FIELDS}
        assert {name: kept[name] for name in LINES} == dict.fromkeys(LINES, text)
        assert item["category_path"] == [text, "b"]
        [attribute] = item["attributes"]
        assert attribute["name"] == text
        for shown in (*(kept[name] for name in MARKUP), attribute["value"]):
            if re.search("<[A-Za-z/!?]", text) is None:
                assert shown == text
            else:
                assert not re.search("<script|onerror|<!", shown)


async def test_a_description_loses_what_is_active_and_nothing_else(shop: Shop) -> None:
    plain = [text for text in NAUGHTY if html.escape(text, quote=False) == text and "\u00a0" not in text]
    records = [product(number, description=f"<p>{text}</p>") for number, text in enumerate(plain)]
    active = [
        "<p>a</p><script>alert(1)</script>",
        "<p onclick=alert(1)>a</p>",
        "<p>a<iframe src='http://127.0.0.1'></iframe></p>",
        "<style>p{}</style><p>a</p>",
    ]
    records += [product(number, description=text) for number, text in enumerate(active, len(plain))]
    await shop.done(await shop.push(b"\n".join(records), facet="product"))
    kept = [item["description"] for item in (await shop.left()).items]
    assert kept == [*(f"<p>{text}</p>" for text in plain), *["<p>a</p>"] * len(active)]


async def test_ten_thousand_accents_are_one_long_text(shop: Shop) -> None:
    stack = "a" + "\u0301" * 10_000
    bad = {"name": product(1, name=stack), "unit": product(1, unit=stack)}
    found = await shop.refused(bad, b'"name":"x"', facet="product")
    assert found == {name: [("validation_failed", f"/{name}")] for name in bad}
    await shop.done(await shop.push(product(2, warranty=stack), facet="product"))
    assert (await shop.left()).items[-1]["warranty"] == stack


async def test_a_control_character_is_refused_wherever_it_stands(shop: Shop) -> None:
    bad = {
        f"{ord(char):02x} in {name}": product(1, **{name: f"a{char}b"})
        for char in CONTROLS
        for name in FIELDS
        if not (name in MULTILINE and char in "\t\n\r")
    }
    found = await shop.refused(bad, b'"name":"x"', facet="product")
    assert found == {name: [("invalid_text", f"/{name.rsplit(' ', 1)[1]}")] for name in bad}


async def test_line_ends_of_long_texts_are_kept(shop: Shop) -> None:
    text = "一年\r\n\t整机\n"
    await shop.done(await shop.push(product(1, **dict.fromkeys(sorted(MULTILINE), text)), facet="product"))
    (item,) = (await shop.left()).items
    assert {item[name] for name in MULTILINE} == {text}


async def test_a_sku_is_one_sku_however_it_is_composed(shop: Shop) -> None:
    """The only text that changes: to NFC, or one article would be two."""
    short = [text for text in NAUGHTY if text == text.strip() and len(unicodedata.normalize("NFC", text)) <= 128]
    texts = [text for text in short if not any(unicodedata.category(each)[0] in "CZ" and each != " " for each in text)]
    records = [orjson.dumps({"sku": text, "shelf": "on"}) for text in short]
    await shop.done(await shop.push(b"\n".join(records), facet="listing"))
    left = await shop.left()
    assert {item["sku"] for item in left.items} == {unicodedata.normalize("NFC", text) for text in texts}
    assert len(left.letters) == len(short) - len(texts) > 0


async def test_a_sku_is_found_however_it_is_composed(shop: Shop) -> None:
    await shop.done(await shop.push(orjson.dumps({"sku": "e\u0301-1", "shelf": "on"}), facet="listing"))
    for spelling in ("e%CC%81-1", "%C3%A9-1"):
        assert (await shop.get(f"/v1/items/listing/{spelling}")).json["keys"][0]["status"] == "accepted"
    absent = await shop.get("/v1/items/listing/%C3%A9-1%E2%80%8B")
    assert absent.json["detail"] == "No listing feed has named this sku so that it could be read."
