"""JSON: however the bytes arrive, the records are the document's elements, byte for byte, or it is refused."""

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import MAX_CARRIED
from gateway.http.problems import ProblemError
from gateway.intake.framing.json_document import JsonFramer

SPACE = st.sampled_from(["", " ", "\n", "\r\n", "\t  ", "\n\n"])
NUMBERS = st.sampled_from(["0", "-1", "12.50", "1e400", "-0.0E+7", "9" * 60])
STRINGS = st.text(max_size=8).map(json.dumps) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
SCALARS = (
    st.sampled_from(["true", "false", "null", '"\\ud800"', '"\\u0000"', '"]"', '",{"', '"\\\\"']) | NUMBERS | STRINGS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.tuples(SPACE, st.lists(inner, max_size=3)).map(lambda made: f"[{made[0]}{','.join(made[1])}]")
        | st.tuples(SPACE, st.lists(st.tuples(STRINGS, inner), max_size=3)).map(
            lambda made: "{" + made[0] + ",".join(f"{key}:{value}" for key, value in made[1]) + "}"
        )
    ),
    max_leaves=12,
)
OBJECTS = st.lists(st.tuples(STRINGS, VALUES), max_size=3).map(
    lambda members: "{" + ",".join(f"{key} : {value}" for key, value in members) + "}"
)
ELEMENTS = st.lists(st.tuples(SPACE, VALUES, SPACE), max_size=6)
CUTS = st.lists(st.integers(0, 5_000), max_size=10)


def split(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """`data` in pieces, cut at the given places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        yield data[start:end]


def framed(pieces: Iterable[bytes]) -> list[tuple[int, bytes]]:
    framer = JsonFramer()
    records = [record for piece in pieces for record in framer.feed(piece)]
    return records + list(framer.finish())


def no_constant(name: str) -> None:
    raise ValueError(name)


def refused(*pieces: bytes) -> ProblemError:
    with pytest.raises(ProblemError) as raised:
        framed(pieces)
    return raised.value


@given(ELEMENTS, SPACE, CUTS)
def test_any_split_gives_the_elements_as_they_were_written(
    elements: list[tuple[str, str, str]], around: str, cuts: list[int]
) -> None:
    written = around + "[" + ",".join("".join(parts) for parts in elements) + "]" + around
    found = framed(split(written.encode(), cuts))
    assert [raw.decode() for _, raw in found] == [value for _, value, _ in elements]


@given(OBJECTS, SPACE, CUTS)
def test_a_single_object_is_a_single_record(written: str, around: str, cuts: list[int]) -> None:
    data = (around + written + around).encode()
    assert framed(split(data, cuts)) == [(1 + around.count("\n"), written.encode())]


@given(st.text(st.sampled_from('[]{},:" \n\\u0019.eE+-tfnaN/xé'), max_size=30), CUTS)
def test_it_takes_what_the_standard_parser_takes_and_nothing_else(text: str, cuts: list[int]) -> None:
    """The judgement on the whole is json.loads's (without its NaN), and does not depend on how the bytes arrive."""
    try:
        document = json.loads(text, parse_constant=no_constant)
        readable = isinstance(document, list | dict)
    except ValueError:
        readable = False
    try:
        framed(split(text.encode(), cuts))
        refused_as = None
    except ProblemError as error:
        refused_as = error.code
    assert refused_as == (None if readable else "malformed_json")


def test_lines_are_those_on_which_the_records_begin() -> None:
    data = b'[\n  {"a": 1},\n  {\n"a": 2\n}, {"a": 3},\n\n4]'
    assert [line for line, _ in framed([data])] == [2, 3, 5, 7]
    assert [line for line, _ in framed(data[at : at + 1] for at in range(len(data)))] == [2, 3, 5, 7]


def test_an_empty_array_is_a_document_without_records() -> None:
    assert framed([b" [ ] "]) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" \n ",
        b'[{"a":1},]',
        b'[{"a":1}',
        b'[{"a":1},',
        b"[",
        b'{"a":1',
        b'{"a":1}{"a":2}',
        b"[1]\n[2]",
        b'[{"a":NaN}]',
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a":-Infinity}',
        b'[{"a":01}]',
        b'["\xff"]',
        b'[{"a":"\x01"}]',
        b'["\\x"]',
        b"5",
        b'"text"',
        b"null",
        b"\xef\xbb\xbf[]",
        '[{"a":1}]'.encode("utf-16"),
        '[{"a":1}]'.encode("utf-16-le"),
        b"['a']",
        b"[1 2]",
        b"[1.]",
        b"[1e]",
        b'[{"a" 1}]',
        b"\x00",
    ],
)
def test_what_is_no_json_is_refused_however_it_arrives(data: bytes) -> None:
    assert refused(data).code == "malformed_json"
    assert refused(*(data[at : at + 1] for at in range(len(data)))).code == "malformed_json"


def test_the_refusal_names_the_line() -> None:
    problem = refused(b'[\n{"a":1},\n{"a":1,\n"b" 2}\n]')
    assert (problem.place.row, problem.place.actual) == (4, "2}\n]")


def test_an_error_is_told_before_the_rest_of_the_file_has_come() -> None:
    framer = JsonFramer()
    with pytest.raises(ProblemError):
        list(framer.feed(b'[{"a": nonsense}, ' + b" " * 100))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_million_open_brackets_are_too_deep_and_nothing_else_happens(opening: bytes) -> None:
    data = opening * 1_000_000
    assert refused(*(data[at : at + 65_536] for at in range(0, len(data), 65_536))).code == "json_too_deep"


def test_what_is_only_a_little_too_deep_is_left_to_the_record() -> None:
    deep = b"[" * 100 + b"]" * 100
    assert framed([b"[", deep, b"]"]) == [(1, deep)]


@pytest.mark.parametrize("number", [b"9" * 100_000, b"-" + b"1" * 100_000 + b".5e9"])
def test_a_number_of_any_length_is_kept_as_it_is(number: bytes) -> None:
    assert framed([b'[{"a":', number, b"}]"]) == [(1, b'{"a":' + number + b"}")]


@pytest.mark.parametrize("data", [b"[12.5e+3]", b"[-1, 0.25 ,1e5]", b'["\\ud83d\\ude00", true]'])
def test_a_token_may_be_cut_anywhere(data: bytes) -> None:
    expected = [raw.strip() for raw in data[1:-1].split(b",")]
    for cut in range(len(data)):
        assert [raw for _, raw in framed([data[:cut], data[cut:]])] == expected


def test_the_longest_record_is_carried_and_a_longer_one_refuses_the_file() -> None:
    longest = b'"' + b"x" * (MAX_CARRIED - 2) + b'"'
    pieces = [longest[at : at + 65_536] for at in range(0, len(longest), 65_536)]
    assert framed([b"[", *pieces, b",1]"]) == [(1, longest), (1, b"1")]
    assert refused(b"[", *pieces[:-1], b"x" * 65_536, b'"]').code == "line_too_long"
    assert refused(b'[{"a":"', *pieces[1:-1], *pieces[1:-1]).code == "line_too_long"
    assert refused(b'["' + "价".encode() * (MAX_CARRIED // 3) + b'"]').code == "line_too_long"
