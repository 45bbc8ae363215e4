"""What aiokafka reads, as ours."""

from __future__ import annotations

from aiokafka import ConsumerRecord

from gateway.kafka.records import Partition, record_of


def test_a_header_without_a_value_is_none() -> None:
    headers = (("ce_id", b"1"), ("traceparent", None), ("empty", b""))
    read = ConsumerRecord("p.orders", 3, 7, 1_780_000_000_000, 0, b"A-1", None, None, 3, -1, headers)
    found = record_of(Partition("orders", 3), read)
    assert found == ("orders", 3, 7, 1_780_000_000_000, b"A-1", None, (("ce_id", b"1"), ("empty", b"")))
