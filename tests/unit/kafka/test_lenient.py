"""What Kafka takes is read, whatever the names of its headers are."""

from __future__ import annotations

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from gateway.kafka.lenient import LenientRecords

COUNT = 5


def batch(compression: int, name: str) -> bytes:
    """Records of which the third alone has a header of this name."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=compression,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=10_000,
    )
    for number in range(COUNT):
        headers = [("ce_id", b"1"), (name, None)] if number == 2 else [("ce_id", b"1")]
        builder.append(number, timestamp=7, key=b"A", value=b"%d" % number, headers=headers)
    return bytes(builder.build())


def spoilt(whole: bytes) -> bytes:
    """With a name that is no UTF-8, and the checksum of it."""
    whole = whole.replace(b"zzzz", b"\xff\xfe\xfd\xfc")
    checksum: int = calc_crc32c(whole[21:])
    return whole[:17] + checksum.to_bytes(4, "big") + whole[21:]


@pytest.mark.parametrize("compression", [0, 1, 3], ids=["plain", "gzip", "lz4"])
@pytest.mark.parametrize("name", ["zzzz", "名"])
def test_what_aiokafka_reads_is_read_as_it_does(compression: int, name: str) -> None:
    records = LenientRecords(batch(compression, name))
    found = records.next_batch()
    assert found.validate_crc()
    assert [(each.offset, each.value, each.key) for each in found] == [(n, b"%d" % n, b"A") for n in range(COUNT)]
    assert not records.has_next()
    assert records.next_batch() is None


def test_a_name_that_is_no_text_is_replaced_and_nothing_is_lost_or_read_twice() -> None:
    records = LenientRecords(spoilt(batch(0, "zzzz")) + batch(1, "b"))
    found = records.next_batch()
    assert found.validate_crc()
    read = list(found)
    assert [(each.offset, each.value) for each in read] == [(n, b"%d" % n) for n in range(COUNT)]
    assert [list(each.headers) for each in read] == [
        [("ce_id", b"1"), ("\ufffd" * 4, None)] if n == 2 else [("ce_id", b"1")] for n in range(COUNT)
    ]
    assert found.next_offset == COUNT
    assert len(list(records.next_batch())) == COUNT
