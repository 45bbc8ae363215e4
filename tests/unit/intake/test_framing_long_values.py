"""Values too long to be decoded in one go: where they end, however their bytes arrive."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD
from gateway.http.problems import ProblemError
from gateway.intake.framing.json_document import _LONG, JsonFramer, _Extent

CROWD = b'{"a":[' + b'[],"]",' * 40_000 + b"1]}"
ESCAPES = b'"' + b'\\"\\\\' * 30_000 + b'"'
TOO_LONG = b'{"a":"%b",}' % (b"\\n" * MAX_RECORD)
TEXTS = json.dumps({"a": ['"]}\\' * 30_000]}).encode()
PIECES = (1_000, 4_096, 65_536)


def framed(body: bytes, piece: int) -> list[bytes]:
    framer = JsonFramer()
    found = [raw for at in range(0, len(body), piece) for _, raw in framer.feed(body[at : at + piece])]
    return [*found, *(raw for _, raw in framer.finish())]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("long", [CROWD, TEXTS, ESCAPES, TOO_LONG], ids=["crowd", "texts", "text", "too long"])
def test_a_long_value_is_cut_out_as_it_was_sent(long: bytes, piece: int) -> None:
    if long[:1] == b"{":
        assert framed(long, piece) == [long]
    assert framed(b"[1,%b , %b,2]" % (long, long), piece) == [b"1", long, long, b"2"]


def test_the_end_of_a_long_value_and_of_a_piece_may_be_one() -> None:
    framer = JsonFramer()
    assert list(framer.feed(b"[")) == []
    assert list(framer.feed(CROWD[:40_000])) == []
    assert list(framer.feed(CROWD[40_000:])) == []
    assert list(framer.feed(b" ")) == []
    assert [raw for data in (b"]",) for _, raw in framer.feed(data)] + [raw for _, raw in framer.finish()] == [CROWD]


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (CROWD[:-1], "malformed_json"),
        (b"[" + CROWD + b"x]", "malformed_json"),
        (b"[" + CROWD, "malformed_json"),
        (TEXTS[:-1] + b"x}", "malformed_json"),
        (b"[" + ESCAPES[:-1], "malformed_json"),
        (b"[" + ESCAPES + b"x]", "malformed_json"),
        (b'["' + b"a" * 10 + b'",' + b"[" + b"[]," * (MAX_CARRIED // 3) + b"1]]", "line_too_long"),
    ],
    ids=["open", "nonsense behind", "array open", "nonsense inside", "open text", "nonsense behind a text", "too long"],
)
def test_what_is_wrong_with_a_long_value_is_told(body: bytes, code: str, piece: int) -> None:
    with pytest.raises(ProblemError) as caught:
        framed(body, piece)
    assert caught.value.code == code


def test_lines_are_counted_through_long_values() -> None:
    framer = JsonFramer()
    body = b"[\n" + CROWD.replace(b"[],", b"[],\n") + b",\n7]"
    found = [line for at in range(0, len(body), 65_536) for line, _ in framer.feed(body[at : at + 65_536])]
    assert [*found, *(line for line, _ in framer.finish())] == [2, 40_003]


DEEP = st.recursive(
    st.text(alphabet='[]{}"\\,a', max_size=8) | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[]{}"\\a', max_size=4), inner),
)


@given(
    st.lists(DEEP, max_size=4) | st.text('[]{}"\\,a') | st.dictionaries(st.text(max_size=3), DEEP),
    st.integers(1, 9),
    st.text(max_size=5),
)
def test_the_extent_of_a_value_ends_where_it_ends(value: object, piece: int, behind: str) -> None:
    written = json.dumps(value)
    text, extent = written + behind, _Extent()
    for at in range(0, len(text), piece):
        assert not extent.ended or at >= len(written)
        extent.add(text[at : at + piece])
    assert (extent.ended, extent.size) == (True, len(written))


def test_a_value_is_long_well_before_decoding_it_is() -> None:
    assert _LONG <= 32 * 1024
