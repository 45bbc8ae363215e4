"""gzip: what comes out is what gzip.decompress gives, or the body is refused."""

import gzip
import random
import zlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.problems import ProblemError
from gateway.intake.encoding import MAX_MEMBERS, PIECE, decoder_for

LIMIT = 64 * 1024 * 1024
CUTS = st.lists(st.integers(0, 10_000), max_size=8)


def split(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """`data` in pieces, cut at the given places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    for start, end in zip([0, *places], [*places, len(data)], strict=True):
        yield data[start:end]


def decoded(pieces: Iterable[bytes], encoding: str = "gzip", limit: int = LIMIT) -> bytes:
    decoder = decoder_for(encoding, max_bytes=limit)
    out = [piece for data in pieces for piece in decoder.feed(data)]
    decoder.finish()
    assert all(0 < len(piece) <= PIECE for piece in out)
    return b"".join(out)


def refusal(data: bytes, encoding: str = "gzip", limit: int = LIMIT) -> str:
    with pytest.raises(ProblemError) as raised:
        decoded([data], encoding, limit)
    return raised.value.code


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), CUTS)
def test_any_members_in_any_split_give_what_gzip_gives(members: list[bytes], cuts: list[int]) -> None:
    data = b"".join(gzip.compress(member) for member in members)
    assert decoded(split(data, cuts)) == gzip.decompress(data) == b"".join(members)


@given(st.binary(min_size=1, max_size=300), st.integers(0, 10_000), st.integers(1, 255), CUTS)
def test_a_damaged_body_is_decoded_as_gzip_does_or_refused(
    content: bytes, place: int, mask: int, cuts: list[int]
) -> None:
    data = bytearray(gzip.compress(content))
    data[place % len(data)] ^= mask
    try:
        found = decoded(split(bytes(data), cuts))
    except ProblemError as error:
        refused: str | None = error.code
    else:
        refused = None if found == gzip.decompress(data) else "nothing, though it was damaged"
    assert refused in {None, "malformed_encoding"}


@given(st.binary(max_size=300), st.integers(0, 10_000))
def test_a_body_cut_off_anywhere_is_refused(content: bytes, place: int) -> None:
    data = gzip.compress(content)
    assert refusal(data[: place % len(data)]) == "malformed_encoding"


def test_a_large_body_comes_in_small_pieces() -> None:
    content = random.Random(1).randbytes(3 * PIECE) + b"price" * 100_000
    assert decoded([gzip.compress(content)]) == content


@pytest.mark.parametrize(
    "data",
    [
        zlib.compress(b"{}"),
        zlib.compress(b"{}", wbits=-15),
        b"{}",
        gzip.compress(b"{}") + b"x",
        gzip.compress(b"{}") + b"\0",
        gzip.compress(b"{}")[:-1] + b"\x01",
        gzip.compress(b"{}")[:-8] + b"\0\0\0\0" + gzip.compress(b"{}")[-4:],
    ],
    ids=["zlib", "deflate", "plain", "garbage after", "zeros after", "wrong length", "wrong checksum"],
)
def test_what_is_not_exactly_gzip_is_refused(data: bytes) -> None:
    assert refusal(data) == "malformed_encoding"


def test_only_so_many_members_are_read() -> None:
    member = gzip.compress(b"{}\n")
    assert decoded([member * MAX_MEMBERS]) == b"{}\n" * MAX_MEMBERS
    assert refusal(member * (MAX_MEMBERS + 1)) == "malformed_encoding"


def test_a_bomb_is_refused_by_its_ratio_long_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024))
    decoder = decoder_for("gzip", max_bytes=2**31)
    unpacked = 0
    with pytest.raises(ProblemError) as raised:  # noqa: PT012 - it is a generator that raises
        for piece in decoder.feed(bomb):
            unpacked += len(piece)
    assert raised.value.code == "decompressed_too_large"
    assert unpacked < 5 * 1024 * 1024


def test_a_small_body_may_be_as_repetitive_as_it_likes() -> None:
    assert decoded([gzip.compress(b"0" * 1024 * 1024)]) == b"0" * 1024 * 1024


def test_the_decoded_size_is_capped() -> None:
    content = random.Random(1).randbytes(2 * PIECE)
    assert decoded([gzip.compress(content)], limit=len(content)) == content
    assert refusal(gzip.compress(content), limit=len(content) - 1) == "decompressed_too_large"
    assert refusal(content, "identity", limit=len(content) - 1) == "payload_too_large"


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_no_encoding_hands_the_body_through(encoding: str) -> None:
    content = random.Random(1).randbytes(3 * PIECE + 1)
    assert decoded([content, b"", b"{}"], encoding) == content + b"{}"


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip", " gzip "])
def test_gzip_has_two_names(encoding: str) -> None:
    assert decoded([gzip.compress(b"{}")], encoding) == b"{}"


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "unknown", "gzip, gzip", "gzip,identity", "gzip;q=1"])
def test_any_other_encoding_is_refused(encoding: str) -> None:
    assert refusal(b"", encoding) == "unsupported_encoding"
