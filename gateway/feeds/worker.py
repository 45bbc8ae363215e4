"""The lanes: the chunks of the feeds topics, given to the processor partition by partition, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial

from gateway.feeds.chunk import Lane
from gateway.feeds.process import ChunkProcessor, Step
from gateway.feeds.source_offsets import LANE_TOPIC, wait_for_starting_offsets
from gateway.kafka import Assigned, Bus, Consumer, Partition, Record
from gateway.kafka.partitions import PartitionReader, ReadLimits
from gateway.store import Pool
from gateway.telemetry import metrics
from gateway.telemetry.supervise import Supervisor
from gateway.turnstile import urgent

AMOUNTS: Mapping[Lane, ReadLimits] = {
    Lane.EXPRESS: ReadLimits(concurrency=12, ahead=8),
    Lane.BULK: ReadLimits(concurrency=3, ahead=2),
}
"""Bulk leaves express its share of connections and of the event loop's turns."""

MAX_POLL = 12
"""Chunks of one poll: what waits in memory stays small however large chunks are."""


def lane_reader(lane: Lane, bus: Bus, pool: Pool, processor: ChunkProcessor) -> PartitionReader:
    """The reader of one lane of one process.

    Its `run` raises ConfigError when a stored place lies beyond the log's end: this is another log.
    """

    def consumer(assigned: Assigned) -> Consumer:
        return bus.consumer([LANE_TOPIC[lane]], f"gateway.feeds.{lane}", assigned=assigned, max_records=MAX_POLL)

    async def take(partition: Partition, records: Sequence[Record]) -> int:
        [record] = records
        with urgent() if lane is Lane.EXPRESS else nullcontext():
            step = await processor.process(record)
        if step is not Step.MISPLACED:
            return record.offset + 1
        return (await wait_for_starting_offsets(pool, bus, [partition])).get(partition, record.offset)

    return PartitionReader(
        f"feeds.{lane}",
        consumer,
        take,
        partial(wait_for_starting_offsets, pool, bus),
        amounts=AMOUNTS[lane],
        supervisor=Supervisor[Partition](f"feeds_{lane}", "partition"),
        report_backlog=partial(_report_backlog, lane),
    )


def _report_backlog(lane: Lane, waiting: int) -> None:
    metrics.backlog_chunks.labels(lane=lane).set(waiting)
