"""What the stages of one process share: connections, producers, keys, and the known state of suppliers and topics."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog

from gateway.config import Bootstrap, Settings
from gateway.feeds import queries
from gateway.feeds.chunk import Lane
from gateway.feeds.recover import raise_feed_no
from gateway.feeds.recreated_topics import KnownTopics
from gateway.feeds.seal import ChunkSeal
from gateway.kafka import TOPICS, Bus, Producer, open_bus
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.store import Pool, connect, migrate, open_pool, pin_cluster, ping
from gateway.suppliers import Live, SecretBox, watch_suppliers
from gateway.telemetry.health import Health

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

GENERAL_CONNECTIONS = 12
READ_CONNECTIONS = 6
FEED_CONNECTIONS = 18
SESSION_CONNECTIONS = 12


@dataclass(frozen=True, slots=True)
class Services:
    """What the stages share in one process."""

    settings: Settings
    owner: str
    pool: Pool
    read_pool: Pool
    feed_pool: Pool
    session_pool: Pool
    bus: Bus
    producers: Mapping[Lane, Producer]
    outbox: Producer
    box: SecretBox
    seal: ChunkSeal
    live: Live
    registry: Registry
    health: Health
    topics: KnownTopics


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Connect to everything, with topics and tables as this version needs them."""
    bootstrap, url = _addresses(settings)
    key = settings.secret_key_bytes()
    if key is None:
        raise ConfigError(["secret_key or secret_key_file must be set: suppliers' secrets are encrypted with it"])
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        async with connect(url, name="migrate") as connection:
            await migrate(connection)
        pool = await enter(open_pool(url, name="gateway", size=GENERAL_CONNECTIONS))
        bus = await enter(open_bus(bootstrap, topic_prefix=settings.topic_prefix))
        await pin_cluster(pool, bus.cluster_id)
        for problem in await bus.ensure_topics(
            list(TOPICS.values()), partitions=settings.partitions, replication=settings.replication_factor
        ):
            log.warning("topic.differs", problem=problem)
        topics = KnownTopics(bus, pool)
        await topics.look()
        former = settings.former_secret_keys_bytes()
        seal = ChunkSeal(key, *former)
        await raise_feed_no(bus, pool, seal)
        box, health = SecretBox(key, *former), Health()
        health.add("postgres", partial(_answering, pool))
        health.add("kafka", bus.check)
        health.add("catalog", topics.check)
        yield Services(
            settings=settings,
            owner=f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            pool=pool,
            read_pool=await enter(open_pool(url, name="reads", size=READ_CONNECTIONS)),
            feed_pool=await enter(open_pool(url, name="feeds", size=FEED_CONNECTIONS, session=queries.SESSION)),
            session_pool=await enter(
                open_pool(url, name="sessions", size=SESSION_CONNECTIONS, session=_of_owner(settings.lease_seconds))
            ),
            bus=bus,
            producers={lane: await enter(bus.producer(lane)) for lane in Lane},
            outbox=await enter(bus.producer("outbox")),
            box=box,
            seal=seal,
            live=await enter(watch_suppliers(pool, box)),
            registry=Registry(),
            health=health,
            topics=topics,
        )


def _addresses(settings: Settings) -> tuple[Bootstrap, str]:
    """Kafka's bootstrap and database URL. Raises ConfigError naming both ways to have them."""
    missing = [
        name
        for name, value in (("KAFKA_BOOTSTRAP", settings.bootstrap), ("DATABASE_URL", settings.database_url))
        if value is None
    ]
    if missing or settings.bootstrap is None or settings.database_url is None:
        raise ConfigError(
            [f"{' and '.join(missing)} must be set; or run with --embedded, which starts Kafka and PostgreSQL itself"]
        )
    return settings.bootstrap, settings.database_url.get_secret_value()


def _of_owner(lease_seconds: float) -> Mapping[str, str]:
    """Server settings of connections whose transactions hold leases.

    An owner that was frozen in a transaction would block its successor for as long as the server lets it; one frozen
    in mid-statement is not idle to the server.
    """
    return {"transaction_timeout": f"{lease_seconds * 1000:.0f}ms"}


async def _answering(pool: Pool) -> str:
    await ping(pool)
    return "answers"
