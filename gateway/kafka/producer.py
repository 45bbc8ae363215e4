"""Sends messages in batches per partition and says exactly where each of them stands.

The idempotent producer is off: aiokafka's wedges after an error. What is sent again after an unknown outcome may
therefore stand twice, or behind newer records; versions in the messages and the keeper absorb both.

A send that gets no acks for a while asks the cluster about its topics: one that is away is told apart from Kafka being
away, and says nothing of the client.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NoReturn

from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from gateway.config import Bootstrap
from gateway.kafka.breakers import TopicBreakers
from gateway.kafka.errors import AWAY, KafkaRefusedError, KafkaUnavailableError, TopicUnavailableError, translate
from gateway.kafka.partitioner import partition_of
from gateway.kafka.records import Message, Partition, Position
from gateway.kafka.security import client_options
from gateway.kafka.supervisor import STOP_SECONDS, Supervised
from gateway.turnstile import Stretch

BATCH_BYTES = 256 * 1024
REQUEST_SECONDS = 10.0

SUSPECT_SECONDS = 2.0
"""Without all acks for so long, the cluster is asked about the topics."""

MISSES = 3
"""Failures in a row, of no one topic, after which the client is rebuilt: the brokers may have new addresses."""


class Producer:
    """One producer, kept alive. Messages of one call that go to one partition keep their order there.

    breakers: the known state of topics, shared by the producers of a process; ailment: asks the cluster why a topic
    takes
    no records, nothing where it should take them, raising KafkaUnavailableError.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        prefix: str,
        name: str,
        breakers: TopicBreakers,
        ailment: Callable[[str], Awaitable[str]],
    ) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._name = name
        self._breakers = breakers
        self._ailment = ailment
        self._client = Supervised[Any](f"producer {name}", self._build, _discard)
        self._missed = 0
        # One call at a time hands batches to a partition: aiokafka's own queueing gives up early under contention.
        self._turns: defaultdict[Partition, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._spread = itertools.count(random.randrange(1 << 16))  # noqa: S311 -- where spreading begins is no secret

    def blocked(self, topic: str) -> bool:
        """Whether a send to the topic would fail at once, because it is known to be away."""
        return self._breakers.blocked(topic)

    async def send(self, messages: Sequence[Message], *, deadline: float = 15.0) -> list[Position]:
        """Send, await every ack; where each message stands, in the order given.

        Raises KafkaUnavailableError when not all acks came within `deadline` seconds: any of the messages may be on
        its topic, or get there yet; TopicUnavailableError, one of them, as soon as it is a topic that is away. Raises
        KafkaRefusedError when a message can never be taken.
        """
        topics = frozenset(message.topic for message in messages)
        tried = self._breakers.enter(topics)
        try:
            async with asyncio.timeout(deadline):
                for topic in tried:
                    await self._look_at(topic)
                positions = await self._acked(messages, topics)
        except TopicUnavailableError as error:
            self._breakers.fail(error)
            raise
        except TimeoutError as error:
            self._count_miss()
            raise KafkaUnavailableError(f"no answer from Kafka within {deadline:g} s") from error
        except KafkaUnavailableError:
            self._count_miss()
            raise
        except KafkaRefusedError:
            self._found_well(tried)
            raise
        self._found_well(tried)
        return positions

    async def close(self) -> None:
        """Stop, in bounded time."""
        await self._client.close()

    async def _acked(self, messages: Sequence[Message], topics: Collection[str]) -> list[Position]:
        """What `_sent` comes to, unless it takes long and the cluster says that one of the topics is away."""
        sending = asyncio.create_task(self._sent(messages), name=f"send {self._name}")
        try:
            await asyncio.wait([sending], timeout=SUSPECT_SECONDS)
            return sending.result() if sending.done() else await self._acked_late(sending, topics)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _acked_late(self, sending: asyncio.Task[list[Position]], topics: Collection[str]) -> list[Position]:
        """What a send comes to that is suspected: the cluster is asked until one of the two is done."""
        asking = asyncio.create_task(self._ask_about(topics), name=f"ask about topics {self._name}")
        try:
            await asyncio.wait([sending, asking], return_when=asyncio.FIRST_COMPLETED)
            if asking.done() and (not sending.done() or sending.exception() is not None):
                asking.result()
            return sending.result()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _ask_about(self, topics: Collection[str]) -> NoReturn:
        """Ask, every SUSPECT_SECONDS, whether one of the topics is away. Raises TopicUnavailableError once it is."""
        while True:
            for topic in topics:
                try:
                    await self._look_at(topic)
                except TopicUnavailableError:
                    await self._drop(topic)
                    raise
                except KafkaUnavailableError:
                    break  # the deadline says so
            await asyncio.sleep(SUSPECT_SECONDS)

    async def _look_at(self, topic: str) -> None:
        """Raises TopicUnavailableError when the cluster says that the topic is away, KafkaUnavailableError."""
        if why := await self._ailment(topic):
            raise TopicUnavailableError(topic, why)

    async def _drop(self, topic: str) -> None:
        """Forget what waits to be sent to a topic.

        aiokafka would ask for its leaders without a pause until those batches expire, and send them late if it is back
        by then.
        """
        accumulator = (await self._client.get())._message_accumulator  # noqa: SLF001 -- nothing public takes back
        for target in [each for each in accumulator._batches if each.topic == self._prefix + topic]:  # noqa: SLF001
            while target in accumulator._batches:  # noqa: SLF001
                accumulator._pop_batch(target).failure(UnknownTopicOrPartitionError())  # noqa: SLF001

    async def _sent(self, messages: Sequence[Message]) -> list[Position]:
        with translate():
            client = await self._living()
        positions: list[Position] = [Position(-1, -1)] * len(messages)
        shares = await self._by_partition(client, messages)
        stretch = Stretch()
        packed = [await _packed(client, [messages[place] for place in places], stretch) for _, places in shares]
        errors = await asyncio.gather(
            *(
                self._send_to(client, target, batches, places, positions)
                for (target, places), batches in zip(shares, packed, strict=True)
            ),
            return_exceptions=True,  # every partition is settled before the caller hears of the first error
        )
        for error in filter(None, errors):
            raise error
        return positions

    async def _living(self) -> Any:
        client = await self._client.get()
        if client._sender.sender_task.done():  # noqa: SLF001 -- nothing public tells that it died
            self._client.condemn(client, "its sender died")
            client = await self._client.get()
        return client

    async def _by_partition(self, client: Any, messages: Sequence[Message]) -> list[tuple[Partition, list[int]]]:
        """Where there is something to send, and the indexes of the messages for there, in order."""
        shares: dict[str, list[list[int]]] = {}
        for place, (topic, key, _, _, chosen) in enumerate(messages):
            share = shares.get(topic)
            if share is None:
                with translate(topic):
                    share = shares[topic] = [[] for _ in await client.partitions_for(self._prefix + topic)]
            if chosen is not None:
                share[chosen].append(place)
            elif key is not None:
                share[partition_of(key, len(share))].append(place)
            else:
                share[next(self._spread) % len(share)].append(place)
        return [
            (Partition(topic, number), places)
            for topic, share in shares.items()
            for number, places in enumerate(share)
            if places
        ]

    async def _send_to(
        self,
        client: Any,
        target: Partition,
        batches: Sequence[Any],
        places: Sequence[int],
        positions: list[Position],
    ) -> None:
        """Send one partition's share and write down where it stands."""
        topic, partition = self._prefix + target.topic, target.partition
        acks: list[asyncio.Future[Any]] = []
        try:
            with translate(target.topic):
                async with self._turns[target]:
                    for batch in batches:
                        acks.append(await client.send_batch(batch, topic, partition=partition))
                bases = [(await ack).offset for ack in acks]
        finally:
            _forget(acks)
        counts = (batch.record_count() for batch in batches)
        offsets = (base + index for base, count in zip(bases, counts, strict=True) for index in range(count))
        for place, offset in zip(places, offsets, strict=True):
            positions[place] = Position(partition, offset)

    def _found_well(self, tried: Iterable[str]) -> None:
        self._missed = 0
        for topic in tried:
            self._breakers.succeed(topic)

    def _count_miss(self) -> None:
        self._missed += 1
        if self._missed >= MISSES:
            self._missed = 0
            self._client.condemn_current(f"{MISSES} failures in a row")

    async def _build(self) -> Any:
        client = AIOKafkaProducer(
            **client_options(self._bootstrap),
            client_id=f"mallgate-{self._name}",
            acks="all",
            enable_idempotence=False,
            compression_type="zstd",  # a third of the time of lz4 at the one level aiokafka has it, half of the bytes
            linger_ms=0,  # batches come filled
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
            metadata_max_age_ms=30_000,
        )
        try:
            await client.start()
        except BaseException:
            await client.stop()
            raise
        return client


async def _packed(client: Any, messages: Iterable[Message], stretch: Stretch) -> list[Any]:
    """Batches, compressed one by one: their sender would compress those of all partitions in one go."""
    batches = []
    for batch in _batches(client, messages):
        batch._build()  # noqa: SLF001 -- nothing public does it before the sender
        batches.append(batch)
        await stretch.rest()
    return batches


def _batches(client: Any, messages: Iterable[Message]) -> Iterator[Any]:
    """Pack messages into batches of at most BATCH_BYTES; a larger message goes alone."""
    now = int(time.time() * 1000)
    batch = client.create_batch()
    for _, key, value, headers, _ in messages:
        listed = list(headers)
        if batch.append(timestamp=now, key=key, value=value, headers=listed) is None:
            yield batch
            batch = client.create_batch()
            batch.append(timestamp=now, key=key, value=value, headers=listed)
    # Closed, or aiokafka would add what others send one by one.
    batch.close()
    yield batch


def _forget(acks: Iterable[asyncio.Future[Any]]) -> None:
    """Nobody waits for these any more; asyncio would log what they come to."""
    for ack in acks:
        if not ack.cancel() and not ack.cancelled():
            ack.exception()


async def _discard(client: Any) -> None:
    """Stop; with brokers away aiokafka would wait for them with no deadline, so its tasks are ended by force then."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await client.stop()
    except AWAY:
        client._sender.sender_task.cancel()  # noqa: SLF001 -- stop() gave up before it got there
        await client.client.close()
