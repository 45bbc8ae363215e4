"""Reading the topics of commands into the inbox."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gateway.feeds.source_offsets import wait_for_starting_offsets
from gateway.kafka import CONTRACT_COMMANDS, ORDER_COMMANDS, Assigned, Bus, Consumer, Partition, Record
from gateway.kafka.partitions import PartitionReader, ReadLimits
from gateway.relay.inbox import Inbox
from gateway.store import Pool
from gateway.telemetry.supervise import Supervisor

TOPICS_READ = [ORDER_COMMANDS, CONTRACT_COMMANDS]

AMOUNTS = ReadLimits(concurrency=4, ahead=400, together=200)
"""A transaction takes many: each of its ends waits for the disk."""

MAX_POLL = 400
"""Records of one poll."""


def command_reader(bus: Bus, pool: Pool, inbox: Inbox) -> PartitionReader:
    """The reader of one process. Its `run` raises ConfigError when a stored place lies beyond the log's end."""
    stands: dict[Partition, int] = {}

    def consumer(assigned: Assigned) -> Consumer:
        return bus.consumer(TOPICS_READ, "gateway.relay", assigned=assigned, max_records=MAX_POLL)

    async def places(partitions: Collection[Partition]) -> Mapping[Partition, int]:
        found = await wait_for_starting_offsets(pool, bus, partitions)
        stands.update(found)
        return found

    async def take(partition: Partition, records: Sequence[Record]) -> int:
        stands[partition] = await inbox.take(partition, records, stands=stands[partition])
        return stands[partition]

    return PartitionReader(
        "relay.commands",
        consumer,
        take,
        places,
        amounts=AMOUNTS,
        supervisor=Supervisor[Partition]("commands", "partition"),
    )
