"""Topics made and checked against the registry. The admin client is aiokafka's; its answers are untyped tuples."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import NoError, TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from gateway.config import Bootstrap
from gateway.kafka.errors import KafkaRefusedError
from gateway.kafka.security import client_options
from gateway.kafka.topics import TopicSpec

REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How topics are laid out: before their names, partitions where the topic leaves it open, copies of each."""

    prefix: str
    partitions: int
    replication: int


async def build_admin(bootstrap: Bootstrap) -> Any:
    """A started admin client that knows its brokers. Raises what aiokafka raises."""
    client = AIOKafkaAdminClient(
        **client_options(bootstrap), client_id="mallgate-admin", request_timeout_ms=int(REQUEST_SECONDS * 1000)
    )
    try:
        await client.start()
        # Unlike start(), this fails while the controller holds every broker for dead.
        await client.describe_cluster()
    except BaseException:
        await client.close()
        raise
    return client


async def discard_admin(client: Any) -> None:
    """Close it."""
    await client.close()


async def create_missing(client: Any, specs: Sequence[TopicSpec], layout: Layout) -> None:
    """Make the topics that do not exist yet and wait until each has its leaders.

    Raises what aiokafka raises, and KafkaRefusedError.
    """
    existing = set(await client.list_topics())
    wanted = [_new_topic(spec, layout) for spec in specs if layout.prefix + spec.name not in existing]
    if not wanted:
        return
    answer = await client.create_topics(wanted)
    for name, code, message in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise KafkaRefusedError(f"topic {name}: {message or for_code(code).__name__}")
    names = [topic.name for topic in wanted]
    # Kafka tells nobody when a partition has got its leader.
    while any(ailment(topic) for topic in await client.describe_topics(names)):  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _new_topic(spec: TopicSpec, layout: Layout) -> Any:
    partitions, settings = spec.partitions or layout.partitions, spec.settings(layout.replication)
    return NewTopic(layout.prefix + spec.name, partitions, layout.replication, topic_configs=settings)


def ailment(topic: Mapping[str, Any]) -> str:
    """Why a topic takes no records, as the cluster describes it; nothing where it should take them."""
    error = for_code(topic["error_code"])
    if error is UnknownTopicOrPartitionError:
        return "it does not exist"
    if error is not NoError:
        return str(error())
    leaderless = [part["partition"] for part in topic["partitions"] if part["leader"] < 0]
    return f"partition {leaderless[0]} has no leader" if leaderless else ""


async def differences(client: Any, specs: Sequence[TopicSpec], layout: Layout) -> list[str]:
    """What of the topics is not as declared, a line each; empty when all is well. Raises what aiokafka raises."""
    names = [layout.prefix + spec.name for spec in specs]
    topics = {topic["topic"]: topic for topic in await client.describe_topics(names)}
    answers = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    settings = {
        name: {entry[0]: entry[1] for entry in entries}
        for answer in answers
        for _, _, _, name, entries in answer.resources
    }
    return [
        f"topic {name}: {problem}"
        for name, spec in zip(names, specs, strict=True)
        for problem in problems(spec, layout, topics[name]["partitions"], settings[name])
    ]


def problems(
    spec: TopicSpec, layout: Layout, partitions: Sequence[Mapping[str, Any]], settings: Mapping[str, str]
) -> Iterator[str]:
    """What of one topic is not as declared. partitions: as described, each with its `replicas`; none: no such topic."""
    if not partitions:
        yield "does not exist"
        return
    wanted = spec.partitions or layout.partitions
    if len(partitions) != wanted:
        yield f"has {len(partitions)} partitions, should have {wanted}"
    copies = min(len(partition["replicas"]) for partition in partitions)
    if copies < layout.replication:
        yield f"keeps {copies} copies, should keep {layout.replication}"
    for name, value in spec.settings(max(copies, layout.replication)).items():
        if settings.get(name) != value:
            yield f"{name} is {settings.get(name)}, should be {value}"
