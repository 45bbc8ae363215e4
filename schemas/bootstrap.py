"""A catalog topic as a table in memory, for programs of the mall core.

A catalog topic is compacted: read from its beginning to its end it holds at least the last state of every key, and
after that every change. The rule that keeps a reader right is one line: take a record unless its `gw-version` is lower
than the one held for its key. It must hold for withdrawn keys too, or a late record brings back what is gone, so their
versions are remembered; a withdrawal is a null value and carries `gw-version` as any record does.

The table does no input or output and knows no client. With aiokafka:

    from functools import partial

    from aiokafka import AIOKafkaConsumer
    from schemas.base import read
    from schemas.bootstrap import TableBootstrap
    from schemas.catalog import Price

    async def follow_prices(servers: str) -> None:
        topic = "mall.catalog.prices.v1"
        async with AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest") as consumer:
            partitions = consumer.assignment()              # no group: all of them, from the beginning, at every start
            ends = await consumer.end_offsets(partitions)
            prices = TableBootstrap({tp.partition: end for tp, end in ends.items()}, partial(read, Price))
            while not prices.complete:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        prices.take(record.key, record.headers, record.value)
                for tp in partitions:
                    prices.reached(tp.partition, await consumer.position(tp))
            ...                                             # prices is whole: open for business
            async for record in consumer:                   # and stays current
                if prices.take(record.key, record.headers, record.value):
                    ...                                     # prices.get(record.key) is the new price, None: withdrawn

`schemas.envelope.key_of(supplier, sku, area)` makes the keys. Prices and stocks past their `expires_at` are
unconfirmed: the table keeps them, the reader decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from schemas.envelope import InvalidEnvelopeError, version_of

T = TypeVar("T")


class TableBootstrap(Mapping[bytes, T]):
    """The current value of every key of a catalog topic; withdrawn keys are not in it.

    end_offsets: of every partition, as they were when reading began; read: makes a value of the bytes of a record.
    """

    def __init__(self, end_offsets: Mapping[int, int], read: Callable[[bytes], T]) -> None:
        self._behind = dict(end_offsets)
        self._read = read
        self._values: dict[bytes, T] = {}
        self._versions: dict[bytes, int] = {}

    def take(self, key: bytes, headers: Iterable[tuple[str, bytes]], value: bytes | None) -> bool:
        """Take one record over, in whatever order and however often it comes; False: a newer one is held already.

        Raises InvalidEnvelopeError when the record carries no version, and whatever `read` raises; then nothing has
        changed.
        """
        version = version_of(headers)
        if version is None:
            raise InvalidEnvelopeError(f"record of key {key[:200]!r} carries no gw-version")
        if version < self._versions.get(key, 0):
            return False
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = self._read(value)
        self._versions[key] = version
        return True

    def reached(self, partition: int, position: int) -> None:
        """Say that everything before `position` of a partition was offered.

        The consumer's position says this, the last record does not: compaction may have removed the records at the end.
        """
        if position >= self._behind.get(partition, position + 1):
            del self._behind[partition]

    @property
    def complete(self) -> bool:
        """Whether every partition was read to where it ended when reading began."""
        return not any(self._behind.values())

    def version(self, key: bytes) -> int | None:
        """The version held for a key, also of a withdrawn one; None: the key was never seen."""
        return self._versions.get(key)

    def __getitem__(self, key: bytes) -> T:
        return self._values[key]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
