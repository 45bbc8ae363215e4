"""What a large body costs: little memory whatever its size, and never the event loop."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from gateway.intake.body import pack
from gateway.intake.encoding import decoder_for
from gateway.intake.framing.ndjson import NdjsonFramer
from gateway.intake.spool import Spool
from tests.turns import turns_of_others

PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from gateway.intake.body import pack
from gateway.intake.encoding import decoder_for
from gateway.intake.framing import framer_for
from gateway.intake.spool import Spool

async def source(start, piece, end, times):
    yield start
    for _ in range(times):
        yield piece
    yield end

async def packed(media_type, *parts):
    async with Spool(Path(sys.argv[1])) as spool:
        decoder = decoder_for("", max_bytes=2**40)
        return (await pack(source(*parts), decoder, framer_for(media_type, None), spool)).size

record = b'{"sku":"SKU-1","price":"9.90","name":"' + "办公椅".encode() * 20 + b'"}'
lines, elements = (record + b"\\n") * 1_000, (record + b",") * 1_000
asyncio.run(packed("application/x-ndjson", lines, lines, lines, 10))
asyncio.run(packed("application/json", b"[", elements, record + b"]", 10))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = asyncio.run(packed("application/x-ndjson", lines, lines, lines, 600))
size += asyncio.run(packed("application/json", b"[", elements, record + b"]", 300))
print(size, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


async def test_memory_does_not_grow_with_the_body(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    size, growth = map(int, out.split())
    assert size > 150 * 1024 * 1024
    assert growth < 8 * 1024 * 1024


async def test_others_get_their_turn_while_a_body_is_packed_that_never_waits() -> None:
    async def source() -> AsyncIterator[bytes]:
        for _ in range(300):
            yield b"\n" * 65_536
        yield b"{}"

    async with Spool(None) as spool, turns_of_others() as turns:
        packed = await pack(source(), decoder_for("", max_bytes=2**40), NdjsonFramer(), spool)
    assert packed.records == 1
    assert turns.count > 20
