"""What decoding takes, and the code of everything it refuses."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.http import Reply
from gateway.sdk.wire import (
    MAX_DEPTH,
    MAX_ISSUES,
    MAX_MEMBERS,
    MAX_NESTED,
    MAX_RECORD,
    MAX_REPLY_NAMES,
    MAX_REPLY_VALUES,
    decode,
    decode_reply,
    encode,
    legible,
    limit_issues,
    members,
    pointer,
    shown,
    whole_json,
)


def refused(raw: bytes, read: Callable[[bytes], object] = decode) -> list[Issue]:
    """The issues of a record that is refused."""
    with pytest.raises(InvalidMessageError) as caught:
        read(raw)
    return list(caught.value.issues)


def code_of(raw: bytes) -> str:
    [issue] = refused(raw)
    return issue.code


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{} x",
        b"[1,]",
        b"01",
        b"0x10",
        b"NaN",
        b"-Infinity",
        b"{'a':1}",
        b'"a',
        b'"a\x01b"',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\ud83d"',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        "{}".encode("utf-16-be"),
        b"\x00",
    ],
)
def test_what_is_no_single_json_value_in_utf8_is_malformed(raw: bytes):
    assert code_of(raw) == "malformed_json"


def test_a_repeated_member_is_named_wherever_it_stands():
    [issue] = refused('{"a":[{"价格":1,"价格":2}]}'.encode())
    assert (issue.code, issue.actual) == ("duplicate_key", "价格")


def test_a_member_repeated_in_another_spelling_is_repeated():
    assert code_of(b'{"ab":1,"a\\u0062":2}') == "duplicate_key"


@pytest.mark.parametrize("digits", [5_000, 100_000])
def test_an_integer_of_thousands_of_digits_is_out_of_range(digits: int):
    assert code_of(b"1" * digits) == "number_out_of_range"


def test_numbers_stay_as_they_are_written():
    assert [str(number) for number in decode(b"[1.50,1e3,-0.0,12345678901234567890123]")] == [
        "1.50",
        "1e3",
        "-0.0",
        "12345678901234567890123",
    ]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 1_025, 1_000_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_deeper_than_64_levels_is_refused(depth: int, opening: bytes, closing: bytes):
    depth = min(depth, MAX_RECORD // len(opening + closing) - 1)
    assert code_of(opening * depth + b"1" + closing * depth) == "json_too_deep"


def test_a_million_open_brackets_are_too_deep_even_unclosed():
    assert code_of(b"[" * 1_000_000) == "json_too_deep"


def test_64_levels_and_any_number_of_brackets_in_texts_are_taken():
    assert decode(b"[" * 64 + b"]" * 64)
    text = '"[{' * 100
    assert decode(json.dumps([text, text]).encode()) == [text, text]
    assert decode(b"[" + b"[],{}," * 100 + b"1]")


def test_an_array_of_more_than_10_000_elements_is_refused():
    assert len(decode(b"[" + b"0," * (MAX_MEMBERS - 1) + b"0]")) == MAX_MEMBERS
    assert code_of(b"[" + b"0," * MAX_MEMBERS + b"0]") == "too_many_items"


def test_a_crowd_is_found_wherever_it_stands():
    crowd = {str(name): 1 for name in range(MAX_MEMBERS + 1)}
    assert code_of(json.dumps([1, {"a": [crowd]}]).encode()) == "too_many_items"
    assert decode(json.dumps([[0] * 9_000, [0] * 9_000, "," * 10_000]).encode())


def test_a_record_longer_than_1_mib_is_refused_for_its_length():
    assert decode(b'"' + b"a" * (MAX_RECORD - 2) + b'"')
    assert code_of(b'"' + b"a" * (MAX_RECORD - 1) + b'"') == "line_too_long"
    assert code_of(b"," * (MAX_RECORD + 1)) == "line_too_long"


def test_a_million_elements_are_a_crowd_before_they_are_too_long():
    assert code_of(b'{"a":[' + b"0," * 1_000_000 + b"0]}") == "too_many_items"


@pytest.mark.parametrize("escape", ["\\u0000", "\\u0001", "\\u001f", "\\b", "\\f", "\\u007f", "\\u007F", "\x7f"])
def test_control_characters_are_refused_with_every_place_they_stand_in(escape: str):
    issues = refused(f'{{"a":"x{escape}","b":[{{"c":"{escape}"}}],"d":"clean"}}'.encode())
    assert {(issue.code, issue.path) for issue in issues} == {("invalid_text", "/a"), ("invalid_text", "/b/0/c")}
    assert all(issue.actual.isprintable() for issue in issues)


def test_a_control_character_in_a_name_is_refused_at_its_object():
    [issue] = refused(b'{"a":{"\\u0000":1}}')
    assert (issue.code, issue.path) == ("invalid_text", "/a")


def test_line_ends_tabs_and_escaped_backslashes_are_text():
    assert decode(rb'"a\nb\r\tc"') == "a\nb\r\tc"
    assert decode(rb'"C:\\backup\\files"') == "C:\\backup\\files"


@pytest.mark.parametrize("text", ["\u202e", "\u200b", "e" + "\u0301" * 10_000, "<script>", "😀", "\ufeff", "\u0085"])
def test_strange_texts_stay_as_they_are(text: str):
    assert decode(json.dumps(text).encode()) == text
    assert decode(json.dumps(text, ensure_ascii=False).encode()) == text


def test_members_are_those_of_an_object_alone():
    assert members(b'{"a":1}') == {"a": 1}
    [issue] = refused(b"[1]", members)
    assert issue == Issue("validation_failed", "", "array", "an object")


def test_pointers_are_escaped_cut_and_storable():
    assert pointer("a/b", "c~d", 0) == "/a~1b/c~0d/0"
    assert pointer("\x00") == "/[U+0000]"
    assert len(pointer("x" * 100_000)) == 201


def test_values_are_shown_short_and_in_json_words():
    assert [shown(value) for value in (None, True, 1, "a\nb", [1], {"a": 1})] == [
        "null",
        "true",
        "1",
        "a[U+000A]b",
        "array",
        "object",
    ]
    assert len(legible("\x00" * 200)) == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4, alphabet='ab{[",:'), inner),
    max_leaves=20,
)


@given(JSON, st.booleans(), st.sampled_from([None, 2]))
def test_what_is_json_is_taken_as_it_is(value: object, ascii_only: bool, indent: int | None):
    assert decode(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()) == value


@given(st.binary(max_size=60) | st.text(alphabet='[]{}",:\\u0019eE+-.tfn ', max_size=80).map(str.encode))
def test_any_bytes_are_a_value_or_an_invalid_message(raw: bytes):
    try:
        decode(raw)
    except InvalidMessageError as error:
        assert error.issues  # noqa: PT017 - either is fine, nothing else is


def test_no_record_takes_long_to_refuse():
    """Quadratic searches would take minutes here, so the test's own timeout is the judge."""
    half = MAX_RECORD // 2 - 40
    for raw in (
        b'"' + b'\\"' * half,
        b'["' + b'\\"' * half,
        b"[" * 65 + b'"' + b'\\"' * half,
        b"[]" * half,
        b"[" * 65 + b"[]," * 300_000,
    ):
        refused(raw)


def reply(body: bytes) -> Reply:
    return Reply("list_skus", 200, {}, body)


def test_a_reply_may_be_longer_and_more_crowded_than_a_record():
    skus = list(range(1_000_000, 1_000_000 + 2 * MAX_MEMBERS))
    assert decode_reply(reply(json.dumps(skus).encode())) == skus
    assert decode_reply(reply(b'"' + b"x" * MAX_RECORD + b'"')) == "x" * MAX_RECORD


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1,]", b'{"a":1,"a":2}', b"NaN", b"\xff", b'"\x01"', b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)],
)
def test_a_reply_that_is_no_json_is_kept_with_the_error(body: bytes):
    with pytest.raises(ContractError) as caught:
        decode_reply(reply(body))
    assert (caught.value.reply, caught.value.operation, caught.value.status) == (body, "list_skus", 200)


def test_a_reply_of_too_many_arrays_is_refused_however_few_its_bytes():
    most = b"[%b1]" % (b"[]," * (MAX_NESTED - 1))
    assert len(decode_reply(reply(most))) == MAX_NESTED
    with pytest.raises(ContractError, match="more than 25,000 arrays"):
        decode_reply(reply(b"[%b1]" % (b"[]," * MAX_NESTED)))
    assert decode_reply(reply(b'["%b"]' % (b"[" * 2 * MAX_NESTED)))


@pytest.mark.parametrize(
    ("most", "one", "what"),
    [
        (b"[%b0]" % (b"1.5," * (MAX_REPLY_VALUES - 2)), b"1,", "values"),
        (b"[%b0]" % (b'"","a" ,' * (MAX_REPLY_VALUES // 2 - 1)), b"1,", "values"),
        (b'[{"":0%b}]' % b"".join(b',"%d" :0' % name for name in range(MAX_REPLY_NAMES - 1)), b'{"a":1},', "names"),
        (b"[0%b]" % (b',{"a":"b"}' * MAX_REPLY_NAMES), b'{"a":1},', "names"),
    ],
    ids=["numbers", "texts", "members of one", "members of many"],
)
def test_a_reply_that_is_too_full_is_refused_however_few_its_bytes(most: bytes, one: bytes, what: str):
    decode_reply(reply(most))
    with pytest.raises(ContractError, match=f"more than .* {what}"):
        decode_reply(reply(b"[%b%b" % (one, most[1:])))


def test_a_text_of_a_reply_may_hold_any_number_of_marks():
    for text in (",", ":", "[", "\\", '"', '",'):
        whole = text * (2 * MAX_REPLY_VALUES)
        assert decode_reply(reply(json.dumps([whole]).encode())) == [whole]


def test_a_reply_of_more_texts_than_values_and_names_is_not_looked_through():
    with pytest.raises(ContractError, match="texts"):
        decode_reply(reply(b'["%b"' % (b'","' * (MAX_REPLY_VALUES + MAX_REPLY_NAMES))))


def test_brackets_in_texts_after_any_escapes_are_no_structure():
    for text in ('"[{', '\\"]', '\\\\"[', '""[', '","'):
        crowd = [text * 9, text] * 5_000
        assert decode(json.dumps(crowd).encode()) == crowd


@pytest.mark.parametrize("body", [b"{}", b" [1]\r\n", b'{"a" 1,}'])
def test_what_begins_and_ends_like_json_is_whole(body: bytes):
    assert whole_json(body)


@pytest.mark.parametrize("body", [b"", b" ", b"<html></html>", b'{"a":[1', b"[1}", b'"a"', b"1", b"{"])
def test_error_pages_and_cut_off_bodies_are_not_whole(body: bytes):
    assert not whole_json(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_what_was_decoded_is_encoded_as_it_was(value: object):
    assert json.loads(encode(decode_reply(reply(json.dumps(value).encode())))) == value


@pytest.mark.parametrize(
    "raw", [b'{"a":16.90,"b":[1e400,-0.50]}', b'["' + "价".encode() + b'",123456789012345678901234567890]']
)
def test_numbers_are_encoded_as_they_were_written(raw: bytes):
    assert encode(decode_reply(reply(raw))) == raw


@pytest.mark.parametrize(
    "crowd",
    [
        b"[" + b",".join([b"[]"] * 9_999) + b"]",
        b"[" + b",".join([b"[1,2]"] * 9_999) + b"]",
        b"[" + b"[[[[1]]]]," * 5_000 + b"1]",
    ],
)
def test_values_are_counted_over_the_whole_record(crowd):
    assert decode(b'{"a":' + b"[" + b"0," * 9_000 + b"0]}")
    assert code_of(b'{"a":%b,"b":%b}' % (crowd, crowd)) == "too_many_items"


def test_commas_and_brackets_in_texts_are_no_values():
    assert decode(b'{"a":"%b"}' % (b",[{" * 100_000))


def test_issues_beyond_those_told_are_mentioned():
    faults = [Issue("invalid_text", f"/{number}") for number in range(MAX_ISSUES + 1)]
    assert limit_issues(faults[:-1]) == tuple(faults[:-1])
    assert [each.code for each in limit_issues(faults)][-2:] == ["invalid_text", "more_issues"]
    assert len(limit_issues(faults)) == MAX_ISSUES
    assert limit_issues([]) == ()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=150), st.integers(0, 2_000))
def test_the_texts_of_issues_take_no_more_room_than_they_are_given(sizes, characters):
    found = limit_issues([Issue("invalid_text", "/", "x" * size) for size in sizes], room=characters)
    assert found
    kept = [each for each in found[1:] if each.code != "more_issues"]
    assert sum(len(each.path) + len(each.actual) for each in kept) <= characters
    assert len(found) == len(sizes) or found[-1].code == "more_issues"


def test_a_number_of_thousands_of_digits_costs_a_reply_no_other_value():
    long = b"9" * 9_000
    reply = Reply("list", 200, {}, b'{"a":[%b,"%b",1.5,-12,%b]}' % (long, b'\\"' + long, b"1" * 40))
    value = decode_reply(reply)
    assert value["a"] == ["9" * 9_000, '"' + "9" * 9_000, value["a"][2], -12, int("1" * 40)]
    assert str(value["a"][2]) == "1.5"
