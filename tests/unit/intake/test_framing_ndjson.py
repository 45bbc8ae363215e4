"""NDJSON: whatever way the bytes arrive, the records are the lines that a naive reading of the whole file gives."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import MAX_CARRIED
from gateway.http.problems import ProblemError
from gateway.intake.framing.ndjson import NdjsonFramer

LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b" ", b"\t", b"\r", b'{"sku":"1"}', b'{"sku":"1"}\r', b"nonsense", b"\xff\xfe", b"\r\r"]),
        st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")),
    ),
    max_size=12,
)


def split(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """`data` in pieces, cut at the given places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        yield data[start:end]


def framed(pieces: Iterable[bytes]) -> list[tuple[int, bytes]]:
    framer = NdjsonFramer()
    records = [record for piece in pieces for record in framer.feed(piece)]
    return records + list(framer.finish())


def naive(data: bytes) -> list[tuple[int, bytes]]:
    """All at once, from the definition."""
    return [
        (number, line.removesuffix(b"\r")) for number, line in enumerate(data.split(b"\n"), 1) if line.strip(b" \t\r")
    ]


@given(LINES, st.booleans(), st.lists(st.integers(0, 1_000), max_size=8))
def test_any_split_gives_the_lines_of_the_whole(lines: list[bytes], final_newline: bool, cuts: list[int]) -> None:
    data = b"{}\n" + b"\n".join(lines) + (b"\n" if final_newline else b"")
    assert framed(split(data, cuts)) == naive(data)


def test_lines_are_counted_with_the_blank_ones() -> None:
    assert framed([b'{"a":1}\r\n\r\n  \n{"a":2}']) == [(1, b'{"a":1}'), (4, b'{"a":2}')]


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n"])
def test_a_body_without_a_record_is_refused(data: bytes) -> None:
    with pytest.raises(ProblemError) as raised:
        framed([data])
    assert raised.value.code == "malformed_json"


@pytest.mark.parametrize("start", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("size", [1, 2, 100])
def test_another_encoding_is_recognised_however_it_arrives(start: str, size: int) -> None:
    data = '{"sku":"1"}\n'.encode(start)
    with pytest.raises(ProblemError) as raised:
        framed(data[at : at + size] for at in range(0, len(data), size))
    assert (raised.value.code, raised.value.place.row) == ("malformed_json", 1)


def test_the_longest_line_is_carried_and_one_byte_more_refuses_the_file() -> None:
    longest = b"x" * MAX_CARRIED
    assert framed([b"{}\n", longest, b"\r\n{}"]) == [(1, b"{}"), (2, longest), (3, b"{}")]
    with pytest.raises(ProblemError) as raised:
        framed([b"{}\n", longest, b"x\n"])
    assert (raised.value.code, raised.value.place.row) == ("line_too_long", 2)


def test_an_endless_line_is_refused_before_it_ends() -> None:
    framer = NdjsonFramer()
    with pytest.raises(ProblemError) as raised:  # noqa: PT012 - one of many calls raises
        for _ in range(64):
            assert list(framer.feed(b"x" * 65_536)) == []
    assert raised.value.code == "line_too_long"
