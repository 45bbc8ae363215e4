"""Bodies are decoded within caps, and what is damaged or cut off is never taken for a whole one."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbound.body import KEPT, Body
from gateway.sdk.errors import ContractError, UnavailableError

MOST = 100_000


def decoded(encoding: str, data: bytes, *, piece: int = 4096, max_bytes: int = MOST) -> bytes:
    body = Body(encoding, max_bytes)
    for at in range(0, len(data), piece):
        body.feed(data[at : at + piece])
    return body.finish()


def deflated(data: bytes) -> bytes:
    """Without zlib's header, as some servers send what they call deflate."""
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


ENCODERS: Mapping[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


@given(st.sampled_from(sorted(ENCODERS)), st.binary(max_size=2000), st.integers(1, 50))
def test_what_was_encoded_is_decoded_however_it_is_cut(encoding: str, data: bytes, piece: int) -> None:
    assert decoded(encoding, ENCODERS[encoding](data), piece=piece) == data


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_deflate_without_its_header_is_understood(data: bytes, piece: int) -> None:
    assert decoded("deflate", deflated(data), piece=piece) == data


@given(st.sampled_from(["gzip", "deflate"]), st.binary(min_size=1, max_size=500), st.integers(1, 50))
def test_a_body_that_is_cut_off_is_no_body(encoding: str, data: bytes, missing: int) -> None:
    cut = ENCODERS[encoding](data)[:-missing]
    if cut:
        with pytest.raises(UnavailableError):
            decoded(encoding, cut)


@pytest.mark.parametrize(
    "data",
    [b"<html>sorry</html>", gzip.compress(b"a") + b"tail", gzip.compress(b"") * 65],
    ids=["not encoded", "a tail", "too many members"],
)
def test_a_damaged_body_is_no_body(data: bytes) -> None:
    with pytest.raises(UnavailableError):
        decoded("gzip", data)


def test_several_members_are_one_body() -> None:
    assert decoded("gzip", gzip.compress(b"one ") + gzip.compress(b"two")) == b"one two"


@pytest.mark.parametrize("encoding", sorted(ENCODERS))
def test_a_body_beyond_the_cap_is_refused_and_its_start_kept(encoding: str) -> None:
    with pytest.raises(ContractError) as caught:
        decoded(encoding, ENCODERS[encoding](bytes(range(256)) * 400))
    assert len(caught.value.reply) <= KEPT


def test_a_bomb_is_refused_before_it_has_grown() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(ContractError):
        decoded("gzip", bomb, max_bytes=64 * 1024 * 1024, piece=len(bomb))


def test_blocks_that_hold_nothing_count_too() -> None:
    with pytest.raises(ContractError):
        decoded("deflate", b"\x00\x00\x00\xff\xff" * MOST)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(ContractError):
        Body(encoding, MOST)
