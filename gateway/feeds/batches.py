"""The records of a chunk, normalised a few at a time, so that the event loop has its turns between them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from gateway.feeds.chunk import RawRecord
from gateway.feeds.decide import Entry
from gateway.feeds.normalise import Result, Rules, normalise_some
from gateway.feeds.profile import Profile
from gateway.turnstile import Stretch
from schemas.catalog import Facet

BATCH_RECORDS, BATCH_WEIGHT = 32, 32 * 1024
"""Records that are normalised together; they weigh their bytes, and more where they hold markup."""

MARK_WEIGHT = 24
"""Bytes that a bracket or a reference of markup weighs: cleaning it takes longer than reading so many."""

LARGE_BYTES = 64 * 1024
"""A record of this size is normalised in a thread, so that the event loop has its turns between the passes over it."""


async def normalise_in_stretches(
    profile: Profile, raws: Sequence[RawRecord], first_record: int, rules: Rules
) -> list[Entry]:
    """The entries of a chunk's records; the event loop has its turn after every stretch.

    first_record: index of the first of them within the feed, or its page.
    """
    entries: list[Entry] = []
    stretch = Stretch()
    for batch in batches(raws, products=rules.facet is Facet.PRODUCT):
        left = batch
        while left:
            results = await _normalised(profile, left, rules)
            for raw, result in zip(left, results, strict=False):
                entries.append(Entry(first_record + len(entries), raw.line, raw.raw, result))
            left = left[len(results) :]
            await stretch.rest()
    return entries


async def _normalised(profile: Profile, batch: Sequence[RawRecord], rules: Rules) -> list[Result]:
    if all(len(raw.raw) < LARGE_BYTES for raw in batch):
        return normalise_some(profile.adapter, batch, rules)
    return await asyncio.to_thread(normalise_some, profile.adapter, batch, rules)


def batches(raws: Sequence[RawRecord], *, products: bool = False) -> Iterator[Sequence[RawRecord]]:
    """Records to normalise together: few and light enough to make no stretch too long, a large one alone.

    products: they may hold markup.
    """
    start = size = 0
    for place, raw in enumerate(raws):
        weight = _weight_of_product(raw.raw) if products else len(raw.raw)
        if place > start and (place - start == BATCH_RECORDS or size + weight > BATCH_WEIGHT):
            yield raws[start:place]
            start, size = place, 0
        size += weight
    yield raws[start:]


def _weight_of_product(raw: bytes) -> int:
    """What a record that may hold markup weighs. Its brackets and ampersands count as escapes of JSON, too."""
    return len(raw) + MARK_WEIGHT * (raw.count(b"<") + raw.count(b"&") + raw.count(b"\\u00"))
