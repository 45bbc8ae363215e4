"""The version that orders the states of one key: the feed's number and the record's place in it."""

from __future__ import annotations

RECORD_BITS = 24
MAX_FEED_NO = 2 ** (63 - RECORD_BITS) - 1
"""The last number of a feed whose versions are an int64; the database gives out no higher one."""

WITHDRAWAL: int = 2**RECORD_BITS - 1
"""The place that a feed's withdrawals take: after every record."""


def version_of(feed_no: int, record_index: int) -> int:
    """int64 that rises with the feed and, within it, with the record (from 0)."""
    return (feed_no << RECORD_BITS) | record_index


def feed_no_of(version: int) -> int:
    """The feed that gave the version."""
    return version >> RECORD_BITS


def record_index_of(version: int) -> int:
    """The record within its feed, from 0, or WITHDRAWAL."""
    return version & WITHDRAWAL
