"""The composition root: one process of the gateway, put together top to bottom and taken apart in reverse."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from aiohttp import web

from gateway.admin.app import PREFIX as ADMIN_PREFIX
from gateway.admin.app import Routes, build_admin
from gateway.admin.audit import AuditRoutes, FailedLogins
from gateway.admin.breakers import BreakerRoutes
from gateway.admin.catalog import CatalogRoutes
from gateway.admin.deadletters import DeadLetterRoutes
from gateway.admin.feeds import FeedRoutes
from gateway.admin.orders import OrderRoutes
from gateway.admin.pulls import PullRoutes
from gateway.admin.replays import ReplayRoutes
from gateway.admin.suppliers import SupplierRoutes
from gateway.admin.webhooks import WebhookRoutes
from gateway.config import Address, Bootstrap, Settings
from gateway.deadletters import DeadLetters, Replays
from gateway.feeds import queries
from gateway.feeds.admit import Admission
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import Lane
from gateway.feeds.comparison import Comparisons
from gateway.feeds.contents import Contents
from gateway.feeds.deferred import DeferredChunks
from gateway.feeds.finish import Finisher
from gateway.feeds.holds import Holds
from gateway.feeds.keeper import Keeper
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.process import ChunkProcessor
from gateway.feeds.profile import Profiles
from gateway.feeds.rebuilds import RebuildRunner, Rebuilds
from gateway.feeds.recover import raise_feed_no
from gateway.feeds.remade import KnownTopics
from gateway.feeds.repair import Repairs
from gateway.feeds.replay import FeedReplays
from gateway.feeds.report import Reports
from gateway.feeds.runs import Runs
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.unread import MissingChunks
from gateway.feeds.waits import Waits
from gateway.feeds.withdraw import Withdrawer
from gateway.feeds.worker import lane_reader
from gateway.http.addresses import ListenAddress, require_free
from gateway.http.answers import answer_problems
from gateway.http.clients import TrustedProxies
from gateway.http.ops import OpsRoutes
from gateway.http.server import ConnectionLimits, serve
from gateway.http.under_way import UnderWay
from gateway.intake.body import BodyLimits
from gateway.intake.docs import DocsRoutes
from gateway.intake.document import UNVERIFIED
from gateway.intake.feeds import FeedRoutes as VendorRoutes
from gateway.intake.feeds import IntakeLimits
from gateway.intake.orders import OrderRoutes as VendorOrderRoutes
from gateway.intake.reads import ReadRoutes
from gateway.intake.unverified import UnverifiedBytes
from gateway.jobs import Drain, Job, working
from gateway.kafka import TOPICS, Bus, Producer, open_bus
from gateway.outbox import Publisher
from gateway.pulls import PullReplays, RereadRequests
from gateway.registry import Registry
from gateway.relay.counting import OrderCounts
from gateway.relay.decisions import OrderDecisions
from gateway.relay.declared import DeclaredProfiles
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Mailbox
from gateway.relay.mailbox_job import MailboxJob
from gateway.relay.offered import operations_offered, reads_orders
from gateway.relay.overdue import OverdueCommands
from gateway.relay.reader import command_reader
from gateway.relay.reading import OrderReading
from gateway.relay.replays import OrderReplays
from gateway.relay.vendor_desk import VendorDesk
from gateway.relay.webhook_operations import WebhookOperations
from gateway.relay.webhooks import WebhookMeans
from gateway.sdk.errors import ConfigError, ServiceUnavailableError
from gateway.sessions import BreakerOrders, Means, Owner, PullStatus, supplier_sessions, webhook_sessions
from gateway.store import Pool, SharedPool, connect, migrate, open_pool, pin_cluster, ping
from gateway.suppliers import Keys, Live, SecretBox, Suppliers, watch_suppliers
from gateway.telemetry.health import Health
from gateway.telemetry.loop import watch_loop
from gateway.telemetry.supervise import Supervisor, described

log = structlog.get_logger(__name__)

GENERAL_CONNECTIONS = 12
READ_CONNECTIONS = 6
READS_PER_SUPPLIER = 2
"""Connections of a process that the questions of one supplier may have at a time."""

WEBHOOKS_PER_SUPPLIER = 2
"""The same, of what is delivered to its webhook."""

FEED_CONNECTIONS = 18
SESSION_CONNECTIONS = 12

ADMIN_DRAIN_SECONDS = 3.0
OPS_DRAIN_SECONDS = 1.0
"""For requests of operators and of their tools under way at the end, after the vendors'."""


class StartingError(ServiceUnavailableError):
    """The process does not take requests yet."""


class StoppingError(ServiceUnavailableError):
    """The process is stopping."""


DRAINING = 2 / 3
"""Share of the drain timeout for requests and chunks under way; the rest is for leaving groups and closing."""


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


PORT_SETTINGS = {"vendors": "--port or MALLGATE_PORT", "admin": "MALLGATE_ADMIN_PORT", "ops": "MALLGATE_OPS_PORT"}
"""What chooses the port of each address."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a process listens: for vendors, operators, and what watches over it; None for a role that it has not."""

    vendors: Address | None
    admin: Address | None
    ops: Address

    @classmethod
    def of(cls, settings: Settings) -> Addresses:
        """As settings with fixed ports have them."""
        return cls(
            vendors=settings.address if "intake" in settings.roles else None,
            admin=settings.admin_address if "console" in settings.roles else None,
            ops=settings.ops_address,
        )


def require_free_addresses(settings: Settings) -> None:
    """Raise ConfigError with every address that another program has: said before anything is started."""
    addresses = Addresses.of(settings)
    wanted = {"vendors": addresses.vendors, "admin": addresses.admin, "ops": addresses.ops}
    require_free(ListenAddress(at.host, at.port, PORT_SETTINGS[name]) for name, at in wanted.items() if at is not None)


async def run(
    settings: Settings, *, stop: asyncio.Event, started: Callable[[Addresses], None], reuse_port: bool = False
) -> None:
    """Run one process until `stop` is set. started: told where it listens once requests are taken.

    Raises ConfigError when it must not run, and whatever ended one of its tasks: a process that lost one is no use.
    """
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        stages, drain = compose(services), Drain(settings.drain_timeout * DRAINING)
        accepting = asyncio.Event()
        services.health.add("accepting", partial(_accepting, accepting, stop))
        async with (
            working(stages.jobs, drain),
            serving(stages, settings, reuse_port=reuse_port, drain_timeout=drain.seconds) as addresses,
        ):
            accepting.set()
            started(addresses)
            await stop.wait()
            drain.begin()
            log.info("process.stopping")


@asynccontextmanager
async def serving(
    stages: Stages, settings: Settings, *, reuse_port: bool, drain_timeout: float
) -> AsyncIterator[Addresses]:
    """Serve what there is, each on an address of its own; that of vendors opens last and closes first."""
    limits = ConnectionLimits(proxies=TrustedProxies(settings.trusted_proxies))
    async with AsyncExitStack() as stack:

        async def opened(app: web.Application, address: Address, setting: str, drain: float) -> Address:
            site = serve(app, *address, setting=setting, reuse_port=reuse_port, connections=limits, drain_timeout=drain)
            return address._replace(port=await stack.enter_async_context(site))

        ops = await opened(stages.ops, settings.ops_address, PORT_SETTINGS["ops"], OPS_DRAIN_SECONDS)
        admin = vendors = None
        if stages.admin is not None:
            admin = await opened(stages.admin, settings.admin_address, PORT_SETTINGS["admin"], ADMIN_DRAIN_SECONDS)
        if stages.vendors is not None:
            vendors = await opened(stages.vendors, settings.address, PORT_SETTINGS["vendors"], drain_timeout)
        yield Addresses(vendors, admin, ops)


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


@dataclass(frozen=True, slots=True)
class Stages:
    """What a process does: its jobs, and an HTTP application for each kind of client that its roles serve."""

    vendors: web.Application | None
    admin: web.Application | None
    ops: web.Application
    jobs: Sequence[Job]


def compose(services: Services) -> Stages:
    """The stages that the settings' roles ask for, wired to each other."""
    roles, pool, suppliers = services.settings.roles, services.pool, services.live.suppliers
    profiles = Profiles(Suppliers(pool, services.box), services.registry)
    applier = Applier(services.producers)
    contents = Contents(services.bus, services.feed_pool, profiles, services.seal)
    withdrawer = Withdrawer(services.feed_pool, services.producers[Lane.BULK])
    numbers, waits, reports = FeedNumbers(pool), Waits(pool), Reports(pool)
    finisher = Finisher(pool, withdrawer.wake, waits.end)
    holds = Holds(pool, contents, withdrawer.wake)
    admission = Admission(pool, services.producers, numbers, services.seal, finisher.touched)
    feed_replays = FeedReplays(applier, services.producers[Lane.EXPRESS], profiles, suppliers, services.seal)
    replays = _replays(services, feed_replays, holds)
    vendors = admin = None
    jobs = [Job("loop", watch_loop), Job("kafka", services.bus.watch), Job("numbers", numbers.watch)]
    jobs += [Job("topics", services.topics.watch), Job("order counts", OrderCounts(pool).run)]
    jobs += [Job("finisher", finisher.run, supervisors=[finisher.supervisor])]
    if "feeds" in roles:
        processor = ChunkProcessor(
            services.feed_pool,
            applier,
            profiles,
            services.seal,
            finisher.touched,
            rejected_bytes=services.settings.rejected_bytes_per_day,
        )
        jobs += _feed_jobs(services, processor, contents)
        jobs += [Job("withdrawer", withdrawer.run, supervisors=[withdrawer.supervisor])]
        deferred = DeferredChunks(services.feed_pool, services.bus, processor, finisher.touched)
        jobs += [Job("deferred chunks", deferred.run, supervisors=[deferred.supervisor])]
        services.health.add("topics", deferred.check)
        missing = MissingChunks(pool, services.bus, finisher.touched)
        jobs += [Job("missing chunks", missing.run, supervisors=[missing.supervisor])]
        publisher = Publisher(pool, services.outbox, owner=services.owner)
        jobs += [Job("outbox", publisher.run, supervisors=[publisher.supervisor])]
        jobs += [Job("replays", replays.run, supervisors=replays.supervisors), _rebuild_job(services, contents)]
    if "sessions" in roles:
        overdue = OverdueCommands(services.session_pool, services.box)
        jobs += [_session_job(services, numbers, admission, finisher), _command_job(services)]
        jobs += [_webhook_job(services)]
        jobs += [Job("overdue commands", overdue.run, supervisors=overdue.supervisors)]
    if "intake" in roles:
        jobs += [Job("waits", waits.run)]
        reads = Reports(services.read_pool, share=READS_PER_SUPPLIER)
        orders, mailbox_job = _mailbox(services)
        jobs += [Job("mailbox", mailbox_job.run, supervisors=mailbox_job.supervisors)]
        feeds = _vendor_routes(services, admission, reports, waits)
        vendors = _application(feeds, ReadRoutes(reads, services.live.keys), orders, DocsRoutes())
        vendors.middlewares.append(UnderWay().count)
    if "console" in roles:
        comparisons = Comparisons(services.feed_pool, contents, feed_replays)
        admin = _application()
        admin.add_subapp(ADMIN_PREFIX, _admin(services, reports, holds, replays, comparisons))
    services.health.add("set_aside", partial(_set_aside, [each for job in jobs for each in job.supervisors]))
    return Stages(vendors, admin, _application(OpsRoutes(services.health)), jobs)


def _application(*parts: Routes) -> web.Application:
    """An application of its own, which answers problems as every one does."""
    app = web.Application(middlewares=[answer_problems])
    for part in parts:
        app.add_routes(part.routes())
    return app


def _replays(services: Services, feeds: FeedReplays, holds: Holds) -> Replays:
    suppliers, registry = services.live.suppliers, services.registry
    sessions, offered = PullReplays(suppliers, registry), partial(operations_offered, suppliers, registry)
    inbox = Inbox(services.pool, services.box, offered)
    orders = OrderReplays(inbox, offered, partial(reads_orders, suppliers, registry))
    handlers = feeds.handlers() | holds.handlers() | sessions.handlers() | orders.handlers()
    predictors = feeds.predictors() | holds.predictors() | sessions.predictors() | orders.handlers()
    return Replays(services.pool, handlers, predictors, owner=services.owner)


def _session_job(services: Services, numbers: FeedNumbers, admission: Admission, finisher: Finisher) -> Job:
    means = Means(
        pool=services.session_pool,
        suppliers=services.live.suppliers,
        registry=services.registry,
        box=services.box,
        numbers=numbers,
        runs=Runs(services.session_pool, services.producers[Lane.BULK], admission, services.seal, finisher.touched),
        owner=services.owner,
        drain_seconds=services.settings.drain_timeout * DRAINING / 2,
    )
    sessions = supplier_sessions(means, term=services.settings.lease_seconds)
    return Job("sessions", sessions.run, sessions.stop, supervisors=[sessions.supervisor])


def _webhook_job(services: Services) -> Job:
    """Sending messages to the webhooks of vendors that fetch."""
    pool, suppliers = services.session_pool, services.live.suppliers
    mailbox = Mailbox(SharedPool(pool, share=WEBHOOKS_PER_SUPPLIER), services.box)
    means = WebhookMeans(pool, suppliers, services.box, mailbox)
    owner = Owner(services.owner, pool, suppliers, services.registry, services.settings.lease_seconds)
    webhooks = webhook_sessions(owner, means)
    supervisors: list[Supervisor[Any]] = [webhooks.supervisor, means.orders.supervisor, mailbox.supervisor]
    return Job("webhooks", webhooks.run, webhooks.stop, supervisors=supervisors)


def _command_job(services: Services) -> Job:
    """Reading the mall's commands."""
    offered = partial(operations_offered, services.live.suppliers, services.registry)
    inbox = Inbox(services.feed_pool, services.box, offered)
    reader = command_reader(services.bus, services.feed_pool, inbox)
    services.health.add(reader.name, reader.check)
    return Job(reader.name, reader.run, reader.stop, [reader.supervisor])


def _rebuild_job(services: Services, contents: Contents) -> Job:
    rereads = RereadRequests(services.live.suppliers, services.registry)
    runner = RebuildRunner(
        services.feed_pool,
        services.producers[Lane.BULK],
        contents,
        rereads.ask,
        partial(_ensure_topic, services),
        owner=services.owner,
    )
    return Job("rebuilds", runner.run, supervisors=[runner.supervisor])


async def _ensure_topic(services: Services, topic: str) -> None:
    """Make a topic if it is missing, and know it from then on. Raises ServiceUnavailableError."""
    settings = services.settings
    await services.bus.ensure_topics(
        [TOPICS[topic]], partitions=settings.partitions, replication=settings.replication_factor
    )
    await services.topics.look()


def _feed_jobs(services: Services, processor: ChunkProcessor, contents: Contents) -> list[Job]:
    bus, pool = services.bus, services.feed_pool
    lanes = [lane_reader(lane, bus, pool, processor) for lane in Lane]
    repairs = Repairs(pool, services.producers[Lane.BULK], contents)
    keeper = Keeper(bus, pool, repairs, busy=lambda: any(lane.busy for lane in lanes))
    for lane in lanes:
        services.health.add(lane.name, lane.check)
    return [
        *(Job(lane.name, lane.run, lane.stop, [lane.supervisor]) for lane in lanes),
        Job("keeper", keeper.run, keeper.stop, [keeper.supervisor]),
    ]


def _vendor_routes(services: Services, admission: Admission, reports: Reports, waits: Waits) -> VendorRoutes:
    settings = services.settings
    limits = IntakeLimits(
        BodyLimits(max_bytes=settings.max_body_bytes, spool_dir=settings.spool_dir),
        settings.feeds_rate_per_minute,
        settings.rejected_bytes_per_day,
    )
    live = services.live
    return VendorRoutes(admission, reports, waits, live.suppliers, live.keys, services.registry, limits)


def _mailbox(services: Services) -> tuple[VendorOrderRoutes, MailboxJob]:
    """Orders of suppliers whose vendors fetch them."""
    live, registry = services.live, services.registry
    pool = SharedPool(services.read_pool, share=READS_PER_SUPPLIER)
    mailbox, desk = Mailbox(pool, services.box), VendorDesk(pool, services.box)
    routes = VendorOrderRoutes(mailbox, desk, live.suppliers, live.keys, registry, UnverifiedBytes(UNVERIFIED))
    return routes, MailboxJob(mailbox, live.suppliers, registry)


def _admin(
    services: Services, reports: Reports, holds: Holds, replays: Replays, comparisons: Comparisons
) -> web.Application:
    pool, token = services.pool, services.settings.admin_token
    letters = DeadLetters(pool)
    parts: list[Routes] = [
        SupplierRoutes(Suppliers(pool, services.box), Keys(pool, services.box), services.registry),
        FeedRoutes(reports, holds),
        DeadLetterRoutes(letters),
        ReplayRoutes(replays, letters, comparisons),
        PullRoutes(PullStatus(pool, services.live.suppliers, services.registry)),
        OrderRoutes(OrderReading(pool, services.box), _decisions(services)),
        BreakerRoutes(BreakerOrders(pool, services.live.suppliers, services.registry)),
        WebhookRoutes(WebhookOperations(pool, services.box, services.live.suppliers)),
        CatalogRoutes(Rebuilds(pool), services.live.suppliers),
        AuditRoutes(pool),
    ]
    return build_admin(parts, token.get_secret_value() if token else None, FailedLogins(pool))


def _decisions(services: Services) -> OrderDecisions:
    lease_term = timedelta(seconds=services.settings.lease_seconds)
    profiles = DeclaredProfiles(services.live.suppliers, services.registry, lease_term)
    return OrderDecisions(services.pool, services.box, profiles.of)


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


async def _set_aside(supervisors: Sequence[Supervisor[Any]]) -> str:
    """What is set aside does not make the process unready: everything else goes on."""
    return described(supervisors)


async def _accepting(accepting: asyncio.Event, stop: asyncio.Event) -> str:
    if stop.is_set():
        raise StoppingError
    if not accepting.is_set():
        raise StartingError
    return "accepts requests"
