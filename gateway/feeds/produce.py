"""Putting the chunks of a feed on their topic, a few megabytes at a time, and showing meanwhile that somebody does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from gateway.feeds.chunk import ChunkHead, ChunkSpan
from gateway.feeds.feed import touch_feed
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.source_offsets import LANE_TOPIC
from gateway.kafka import Message, Producer
from gateway.store import Pool, transaction
from gateway.telemetry.failpoints import failpoint

SEND_BYTES = 4 * 1024 * 1024
"""Of chunks sent and acked together; what a request holds in memory stays small however large its records are."""

LIFE_SECONDS = 5.0
"""Between two signs of life of a feed."""


class SignOfLife:
    """Says in a feed's row that somebody works on it, at most every LIFE_SECONDS; it has just been said."""

    def __init__(self, pool: Pool, feed_no: int) -> None:
        self._pool = pool
        self._feed_no = feed_no
        self._shown = time.monotonic()

    async def show(self) -> None:
        """Say so, if it is time. Raises StoreUnavailableError."""
        now = time.monotonic()
        if now - self._shown < LIFE_SECONDS:
            return
        self._shown = now
        async with transaction(self._pool) as connection:
            await touch_feed(connection, self._feed_no)


async def produce(
    producer: Producer,
    head: ChunkHead,
    chunks: Sequence[ChunkSpan],
    payload: Callable[[ChunkSpan], bytes],
    life: SignOfLife,
    seal: ChunkSeal,
) -> None:
    """Send the chunks and await their acks. head: what they share; payload: value of a chunk.

    Raises KafkaUnavailableError, StoreUnavailableError: some of them may be on the topic; send them all again.
    """
    for spans in _together(chunks):
        failpoint("produce.before")
        await producer.send([_message(head, span, payload(span), seal) for span in spans])
        failpoint("produce.after")
        await life.show()


def _together(chunks: Sequence[ChunkSpan]) -> Iterator[list[ChunkSpan]]:
    """Runs of chunks of at most SEND_BYTES, a larger one alone."""
    run: list[ChunkSpan] = []
    for span in chunks:
        if run and sum(each.size for each in run) + span.size > SEND_BYTES:
            yield run
            run = []
        run.append(span)
    if run:
        yield run


def _message(head: ChunkHead, span: ChunkSpan, value: bytes, seal: ChunkSeal) -> Message:
    own = replace(head, chunk_no=span.chunk_no, first_record=span.first_record)
    return Message(LANE_TOPIC[head.lane], None, value, seal.headers(own, value))
