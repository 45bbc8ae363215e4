"""A body is packed in stretches: others have their turns of the event loop, whatever it holds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.http.problems import ProblemError
from gateway.intake.body import pack
from gateway.intake.encoding import PIECE, Gunzip
from gateway.intake.framing import framer_for
from gateway.intake.spool import Spool
from tests.turns import turns_of_others

HEAD = b"\x1f\x8b\x08\x00" + bytes(6)
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
NAMED = b"\x1f\x8b\x08\x08" + bytes(6)


async def stored(start: bytes, filling: bytes) -> AsyncIterator[bytes]:
    """A signed body as it is read back: nothing is waited for."""
    yield start
    for _ in range(512):
        yield (filling * PIECE)[: PIECE // len(filling) * len(filling)]


@pytest.mark.parametrize(("start", "filling"), [(HEAD, EMPTY_BLOCK), (NAMED, b"x")], ids=["empty blocks", "a name"])
async def test_a_compressed_body_that_holds_nothing_leaves_others_their_turns(start: bytes, filling: bytes) -> None:
    async with Spool(None) as spool, turns_of_others() as turns:
        with pytest.raises(ProblemError, match="malformed_encoding"):
            await pack(stored(start, filling), Gunzip(2**31), framer_for("application/json", None), spool)
    assert turns.count > 1
