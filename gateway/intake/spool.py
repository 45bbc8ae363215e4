"""Where a body waits until it is known to be whole: in memory while small, in an unnamed file when not."""

from __future__ import annotations

import asyncio
import os
import tempfile
from asyncio import Future
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.sdk.errors import ServiceUnavailableError

MEMORY = 1024 * 1024
"""Bytes kept in memory before there is a file."""

FLUSH = 256 * 1024
"""Bytes gathered for one write to the file."""


class SpoolFailedError(ServiceUnavailableError):
    """The body cannot be kept on this machine's disk."""


class Spool:
    """Append, seal, then read anywhere. The file has no name: however the process ends, nothing stays behind.

    memory: bytes kept before there is a file, and gathered for one write to it where that is less than FLUSH.
    """

    def __init__(self, directory: Path | None, *, memory: int = MEMORY) -> None:
        self._directory = directory
        self._buffer = bytearray()
        self._room = memory
        self._flush_size = min(FLUSH, memory)
        self._file: FileIO | None = None
        self._writing: Future[None] | None = None
        self.size = 0

    async def append(self, data: bytes) -> int:
        """Keep `data`; the offset it lies at. Raises SpoolFailedError."""
        offset = self.size
        self._buffer += data
        self.size += len(data)
        if len(self._buffer) > self._room:
            await self._flush()
        return offset

    async def seal(self) -> None:
        """Nothing more comes; `read` works from here on. Raises SpoolFailedError."""
        if self._file is not None:
            await self._flush()

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`. A page or two of the cache as a rule, so it is not worth a thread.

        Raises SpoolFailedError.
        """
        if self._file is None:
            return bytes(memoryview(self._buffer)[offset : offset + size])
        try:
            data = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise SpoolFailedError from error
        if len(data) != size:
            raise SpoolFailedError("The spool file lost bytes.")
        return data

    async def close(self) -> None:
        """Give memory and disk back."""
        if self._writing is not None:
            # A cancelled request may leave a write under way: closing under it could let it hit another file.
            await asyncio.wait([self._writing])
            self._writing.exception()
        if self._file is not None:
            self._file.close()
        self._buffer.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _flush(self) -> None:
        data, self._buffer, self._room = self._buffer, bytearray(), self._flush_size
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, data)
        try:
            await asyncio.shield(self._writing)
        except OSError as error:
            where = self._directory or tempfile.gettempdir()
            raise SpoolFailedError(f"Writing a body below {where} failed: {error}") from error

    def _write(self, data: bytearray) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0, prefix="mallgate-", dir=self._directory)  # noqa: SIM115 - see close
        with memoryview(data) as left:
            written = 0
            while written < len(left):
                written += self._file.write(left[written:])
