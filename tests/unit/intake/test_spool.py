"""The spool keeps what it is given, wherever it keeps it, and leaves nothing behind."""

import asyncio
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.intake.spool import FLUSH, Spool, SpoolFailedError


def entries(directory: Path) -> int:
    return len(list(directory.iterdir()))


@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(0, 500))
async def test_everything_can_be_read_where_it_was_put(pieces: list[bytes], memory: int) -> None:
    async with Spool(None, memory=memory) as spool:
        offsets = [await spool.append(piece) for piece in pieces]
        await spool.seal()
        assert [spool.read(at, len(piece)) for at, piece in zip(offsets, pieces, strict=True)] == pieces
        assert spool.size == sum(map(len, pieces))


async def test_a_large_body_lies_in_a_file_without_a_name(tmp_path: Path) -> None:
    async with Spool(tmp_path, memory=10) as spool:
        for number in range(8):
            await spool.append(bytes([number]) * FLUSH)
        await spool.seal()
        assert spool.read(7 * FLUSH - 1, 2) == b"\x06\x07"
        assert entries(tmp_path) == 0


async def test_a_missing_directory_is_told_as_what_it_is(tmp_path: Path) -> None:
    async with Spool(tmp_path / "missing", memory=0) as spool:
        with pytest.raises(SpoolFailedError, match="missing"):
            await spool.append(b"x")


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 1 MiB: the disk is full as far as this process can see."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, before)


@pytest.mark.usefixtures("small_files")
async def test_a_full_disk_is_an_outage_not_a_crash(tmp_path: Path) -> None:
    async with Spool(tmp_path, memory=0) as spool:
        with pytest.raises(SpoolFailedError):
            await spool.append(bytes(2 * 1024 * 1024))


async def test_a_request_cancelled_in_a_write_closes_after_it(tmp_path: Path) -> None:
    """Closing under a write could let it hit a file that was opened meanwhile under the same number."""
    spool = Spool(tmp_path, memory=0)
    opened = entries(Path("/proc/self/fd"))
    writing = asyncio.create_task(spool.append(bytes(64 * 1024 * 1024)))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await spool.close()
    assert spool._writing is not None
    assert spool._writing.done()
    assert entries(Path("/proc/self/fd")) == opened
