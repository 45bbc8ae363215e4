"""Records of the catalog topics as the keeper remembers them: light, for many wait at a time."""

from __future__ import annotations

from typing import NamedTuple

from gateway.feeds.message import PERISHABLE
from gateway.feeds.reconciliation import Observed
from gateway.kafka import CATALOG_TOPIC, Record
from schemas.catalog import Facet
from schemas.envelope import InvalidEnvelopeError, ItemKey, parts_of, version_of

FACET_OF_TOPIC = {topic: facet for facet, topic in CATALOG_TOPIC.items()}

MAX_KEY = 2000
"""Bytes of the longest key that can be ours; PostgreSQL's indexes take little more."""

MAX_VERSION = 2**63 - 1


class UnsettledRecord(NamedTuple):
    """One record of a catalog topic that is not settled yet. since: when it was read, by the monotonic clock."""

    facet: Facet
    key: ItemKey
    observed: Observed
    since: float


def read_catalog_record(record: Record, since: float) -> UnsettledRecord | None:
    """What the record is a state of; None for one that the gateway cannot have written."""
    facet, kafka_key = FACET_OF_TOPIC[record.topic], record.key or b""
    try:
        version, key = version_of(record.headers), parts_of(kafka_key)
    except InvalidEnvelopeError:
        return None
    if version is None or not 0 < version <= MAX_VERSION or (key.area is not None) != (facet in PERISHABLE):
        return None
    if len(kafka_key) > MAX_KEY or b"%00" in kafka_key:  # PostgreSQL holds no NUL
        return None
    return UnsettledRecord(facet, key, Observed(record.partition, record.offset, version), since)
