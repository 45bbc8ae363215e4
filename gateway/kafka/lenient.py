"""Reading of records whose headers have names that are no UTF-8: Kafka takes them, aiokafka's reader fails at them.

It fails in mid-batch: what it had read of the batch before is forgotten, and what lies behind is never reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

VERSION_AT = 16
"""Where a batch says its version; 2: the one that has headers."""


def read_leniently() -> None:
    """Have the consumers of this process read what Kafka takes. In a name every wrong byte reads U+FFFD."""
    fetcher.MemoryRecords = LenientRecords


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]  # it says that it is final
    """The batches of one answer to a fetch."""

    def next_batch(self) -> Any:
        """The next one, None behind the last."""
        raw = self._next_slice
        batch = super().next_batch()
        return LenientBatch(raw, batch) if raw is not None and raw[VERSION_AT] >= 2 else batch


class LenientBatch:
    """Reads a batch as aiokafka does, and from the record on at which that fails by a reader that replaces bytes."""

    def __init__(self, raw: memoryview, batch: DefaultRecordBatch) -> None:
        self._raw = raw
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        before = -1
        try:
            for record in self._batch:
                yield record
                before = record.offset
        except ValueError:
            yield from (record for record in _ReplacingBatch(self._raw) if record.offset > before)


class _ReplacingBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # it says that it is final
    """aiokafka's own reader in Python, which is slower."""

    def __iter__(self) -> Self:
        super().__iter__()  # makes a buffer of what was compressed
        self._buffer: bytearray = _Text(self._buffer)
        return self


class _Text(bytearray):
    """Bytes of which every part can be decoded."""

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        return _Text(part) if isinstance(key, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "replace")
