"""What a process does, by role: its jobs, and an HTTP application for each kind of client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from aiohttp import web

from gateway.admin.app import PREFIX as ADMIN_PREFIX
from gateway.admin.app import Routes, build_admin
from gateway.admin.audit import AuditRoutes, FailedLogins
from gateway.admin.breakers import BreakerRoutes
from gateway.admin.catalog import CatalogRoutes
from gateway.admin.deadletters import DeadLetterRoutes
from gateway.admin.evidence import EvidenceRoutes
from gateway.admin.feeds import FeedRoutes
from gateway.admin.orders import OrderRoutes
from gateway.admin.pulls import PullRoutes
from gateway.admin.replays import ReplayRoutes
from gateway.admin.suppliers import SupplierRoutes
from gateway.admin.webhooks import WebhookRoutes
from gateway.deadletters import DeadLetters, Replays
from gateway.evidence import EvidenceExport
from gateway.feeds.admit import Admission
from gateway.feeds.apply import Applier
from gateway.feeds.chunk import Lane
from gateway.feeds.comparison import Comparisons
from gateway.feeds.contents import Contents
from gateway.feeds.deferred import DeferredChunks
from gateway.feeds.finish import Finisher
from gateway.feeds.holds import Holds
from gateway.feeds.keeper import Keeper
from gateway.feeds.missing_chunks import MissingChunks
from gateway.feeds.numbers import FeedNumbers
from gateway.feeds.process import ChunkProcessor
from gateway.feeds.profile import Profiles
from gateway.feeds.rebuilds import RebuildRunner, Rebuilds
from gateway.feeds.repair import Repairs
from gateway.feeds.replay import FeedReplays
from gateway.feeds.report import Reports
from gateway.feeds.runs import Runs
from gateway.feeds.waits import Waits
from gateway.feeds.withdraw import Withdrawer
from gateway.feeds.worker import lane_reader
from gateway.http.answers import answer_problems
from gateway.http.ops import OpsRoutes
from gateway.http.under_way import UnderWay
from gateway.intake.body import BodyLimits
from gateway.intake.contracts import ContractRoutes
from gateway.intake.docs import DocsRoutes
from gateway.intake.document import UNVERIFIED
from gateway.intake.feeds import FeedRoutes as VendorRoutes
from gateway.intake.feeds import IntakeLimits
from gateway.intake.orders import OrderRoutes as VendorOrderRoutes
from gateway.intake.reads import ReadRoutes
from gateway.intake.unverified import UnverifiedBytes
from gateway.intake.vendor_messages import VendorMessageReader
from gateway.jobs import Job
from gateway.kafka import TOPICS
from gateway.outbound.document import DocumentSource
from gateway.outbox import Publisher
from gateway.pulls import PullReplays, RereadRequests
from gateway.relay.contract_answer_service import ContractAnswerService
from gateway.relay.counting import OrderCounts
from gateway.relay.decisions import OrderDecisions
from gateway.relay.declared import DeclaredProfiles
from gateway.relay.document_store import DocumentStore
from gateway.relay.documents import DocumentLinks, signatures_by
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Mailbox
from gateway.relay.mailbox_job import MailboxJob
from gateway.relay.offered import has_capability, operations_offered
from gateway.relay.overdue import OverdueCommands
from gateway.relay.reader import command_reader
from gateway.relay.reading import OrderReading
from gateway.relay.replays import OrderReplays
from gateway.relay.vendor_event_service import VendorEventService
from gateway.relay.webhook_operations import WebhookOperations
from gateway.relay.webhooks import WebhookDependencies
from gateway.services import Services
from gateway.sessions import BreakerOrders, Owner, PullStatus, SessionDependencies, supplier_sessions, webhook_sessions
from gateway.store import SharedPool
from gateway.suppliers import Keys, Suppliers
from gateway.telemetry.loop import watch_loop
from gateway.telemetry.supervise import Supervisor, described

WEBHOOKS_PER_SUPPLIER = 2
"""Connections of a process with which messages of one supplier may be delivered to its webhook at a time."""

READS_PER_SUPPLIER = 2
"""Connections of a process that the questions of one supplier may have at a time."""

DRAINING = 2 / 3
"""Share of the drain timeout for requests and chunks under way; the rest is for leaving groups and closing."""


@dataclass(frozen=True, slots=True)
class Stages:
    """What a process does: its jobs, and an HTTP application for each kind of client that its roles serve."""

    vendors: web.Application | None
    admin: web.Application | None
    ops: web.Application
    jobs: Sequence[Job]


def compose(services: Services) -> Stages:
    """The stages that the settings' roles ask for, wired to each other."""
    roles, parts = services.settings.roles, FeedParts.of(services)
    replays = _replays(services, parts)
    jobs = _jobs_of_every_process(services, parts)
    vendors = admin = None
    if "feeds" in roles:
        jobs += [*_feed_jobs(services, parts), Job("replays", replays.run, supervisors=replays.supervisors)]
    if "sessions" in roles:
        jobs += _session_jobs(services, parts)
    if "intake" in roles:
        vendors, intake_jobs = _intake(services, parts)
        jobs += intake_jobs
    if "console" in roles:
        admin = _application()
        admin.add_subapp(ADMIN_PREFIX, _admin(services, parts, replays))
    services.health.add("set_aside", partial(_set_aside, [each for job in jobs for each in job.supervisors]))
    return Stages(vendors, admin, _application(OpsRoutes(services.health)), jobs)


@dataclass(frozen=True, slots=True)
class FeedParts:
    """What stages of several roles use of feeds."""

    profiles: Profiles
    applier: Applier
    contents: Contents
    withdrawer: Withdrawer
    numbers: FeedNumbers
    waits: Waits
    reports: Reports
    finisher: Finisher
    holds: Holds
    admission: Admission
    replays: FeedReplays

    @classmethod
    def of(cls, services: Services) -> FeedParts:
        """The parts, wired to each other."""
        pool, seal = services.pool, services.seal
        profiles = Profiles(Suppliers(pool, services.box), services.registry)
        applier = Applier(services.producers)
        contents = Contents(services.bus, services.feed_pool, profiles, seal)
        withdrawer = Withdrawer(services.feed_pool, services.producers[Lane.BULK])
        numbers, waits = FeedNumbers(pool), Waits(pool)
        finisher = Finisher(pool, withdrawer.wake, waits.end)
        express, suppliers = services.producers[Lane.EXPRESS], services.live.suppliers
        return cls(
            profiles=profiles,
            applier=applier,
            contents=contents,
            withdrawer=withdrawer,
            numbers=numbers,
            waits=waits,
            reports=Reports(pool),
            finisher=finisher,
            holds=Holds(pool, contents, withdrawer.wake),
            admission=Admission(pool, services.producers, numbers, seal, finisher.touched),
            replays=FeedReplays(applier, express, profiles, suppliers, seal),
        )


def _application(*parts: Routes) -> web.Application:
    """An application of its own, which answers problems as every one does."""
    app = web.Application(middlewares=[answer_problems])
    for part in parts:
        app.add_routes(part.routes())
    return app


def _jobs_of_every_process(services: Services, parts: FeedParts) -> list[Job]:
    finisher = parts.finisher
    return [
        Job("loop", watch_loop),
        Job("kafka", services.bus.watch),
        Job("numbers", parts.numbers.watch),
        Job("topics", services.topics.watch),
        Job("order counts", OrderCounts(services.pool).run),
        Job("finisher", finisher.run, supervisors=[finisher.supervisor]),
    ]


def _replays(services: Services, parts: FeedParts) -> Replays:
    suppliers, registry = services.live.suppliers, services.registry
    sessions, offered = PullReplays(suppliers, registry), partial(operations_offered, suppliers, registry)
    inbox = Inbox(services.pool, services.box, offered)
    reads = [partial(has_capability, name, suppliers, registry) for name in ("reads_orders", "requests_invoices")]
    orders = OrderReplays(inbox, services.box, offered, *reads)
    feeds, holds = parts.replays, parts.holds
    handlers = feeds.handlers() | holds.handlers() | sessions.handlers() | orders.handlers()
    predictors = feeds.predictors() | holds.predictors() | sessions.predictors() | orders.handlers()
    return Replays(services.pool, handlers, predictors, owner=services.owner)


def _feed_jobs(services: Services, parts: FeedParts) -> list[Job]:
    processor = ChunkProcessor(
        services.feed_pool,
        parts.applier,
        parts.profiles,
        services.seal,
        parts.finisher.touched,
        rejected_bytes=services.settings.rejected_bytes_per_day,
    )
    deferred = DeferredChunks(services.feed_pool, services.bus, processor, parts.finisher.touched)
    missing = MissingChunks(services.pool, services.bus, parts.finisher.touched)
    publisher = Publisher(services.pool, services.outbox, owner=services.owner)
    services.health.add("topics", deferred.check)
    return [
        *_lane_jobs(services, processor, parts.contents),
        Job("withdrawer", parts.withdrawer.run, supervisors=[parts.withdrawer.supervisor]),
        Job("deferred chunks", deferred.run, supervisors=[deferred.supervisor]),
        Job("missing chunks", missing.run, supervisors=[missing.supervisor]),
        Job("outbox", publisher.run, supervisors=[publisher.supervisor]),
        _rebuild_job(services, parts.contents),
    ]


def _lane_jobs(services: Services, processor: ChunkProcessor, contents: Contents) -> list[Job]:
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


def _session_jobs(services: Services, parts: FeedParts) -> list[Job]:
    overdue = OverdueCommands(services.session_pool, services.box)
    return [
        _session_job(services, parts),
        _command_job(services),
        _webhook_job(services),
        Job("overdue commands", overdue.run, supervisors=overdue.supervisors),
    ]


def _session_job(services: Services, parts: FeedParts) -> Job:
    dependencies = SessionDependencies(
        pool=services.session_pool,
        suppliers=services.live.suppliers,
        registry=services.registry,
        box=services.box,
        numbers=parts.numbers,
        runs=Runs(
            services.session_pool,
            services.producers[Lane.BULK],
            parts.admission,
            services.seal,
            parts.finisher.touched,
        ),
        owner=services.owner,
        drain_seconds=services.settings.drain_timeout * DRAINING / 2,
    )
    sessions = supplier_sessions(dependencies, term=services.settings.lease_seconds)
    return Job("sessions", sessions.run, sessions.stop, supervisors=[sessions.supervisor])


def _webhook_job(services: Services) -> Job:
    """Sending messages to the webhooks of vendors that fetch."""
    pool, suppliers = services.session_pool, services.live.suppliers
    mailbox = Mailbox(SharedPool(pool, share=WEBHOOKS_PER_SUPPLIER), services.box, links=_links(services))
    dependencies = WebhookDependencies(pool, suppliers, services.box, mailbox)
    owner = Owner(services.owner, pool, suppliers, services.registry, services.settings.lease_seconds)
    webhooks = webhook_sessions(owner, dependencies)
    supervisors: list[Supervisor[Any]] = [webhooks.supervisor, dependencies.orders.supervisor, mailbox.supervisor]
    return Job("webhooks", webhooks.run, webhooks.stop, supervisors=supervisors)


def _command_job(services: Services) -> Job:
    """Reading the mall's commands."""
    offered = partial(operations_offered, services.live.suppliers, services.registry)
    inbox = Inbox(services.feed_pool, services.box, offered)
    reader = command_reader(services.bus, services.feed_pool, inbox)
    services.health.add(reader.name, reader.check)
    return Job(reader.name, reader.run, reader.stop, [reader.supervisor])


def _intake(services: Services, parts: FeedParts) -> tuple[web.Application, list[Job]]:
    """What vendors ask."""
    reads = Reports(services.read_pool, share=READS_PER_SUPPLIER)
    orders, contracts, mailbox = _mailbox(services)
    feeds = _vendor_feeds(services, parts)
    vendors = _application(feeds, ReadRoutes(reads, services.live.keys), orders, contracts, DocsRoutes())
    vendors.middlewares.append(UnderWay().count)
    return vendors, [
        Job("waits", parts.waits.run),
        Job("mailbox", mailbox.run, supervisors=mailbox.supervisors),
    ]


def _vendor_feeds(services: Services, parts: FeedParts) -> VendorRoutes:
    settings = services.settings
    limits = IntakeLimits(
        BodyLimits(max_bytes=settings.max_body_bytes, spool_dir=settings.spool_dir),
        settings.feeds_rate_per_minute,
        settings.rejected_bytes_per_day,
    )
    live = services.live
    return VendorRoutes(
        parts.admission, parts.reports, parts.waits, live.suppliers, live.keys, services.registry, limits
    )


def _mailbox(services: Services) -> tuple[VendorOrderRoutes, ContractRoutes, MailboxJob]:
    """Orders and contracts of suppliers whose vendors fetch them."""
    live, registry, settings = services.live, services.registry, services.settings
    pool = SharedPool(services.read_pool, share=READS_PER_SUPPLIER)
    links, unverified = _links(services), UnverifiedBytes(UNVERIFIED)
    mailbox, desk = Mailbox(pool, services.box, links=links), VendorEventService(pool, services.box)
    orders = VendorOrderRoutes(mailbox, desk, live.suppliers, live.keys, registry, unverified)
    contracts = ContractRoutes(
        VendorMessageReader(live.suppliers, live.keys, registry, unverified),
        ContractAnswerService(pool, services.box),
        DocumentStore(services.read_pool, services.box),
        links,
        DocumentSource(settings.contract_document_hosts),
        spool_dir=settings.spool_dir,
    )
    return orders, contracts, MailboxJob(mailbox, live.suppliers, registry)


def _links(services: Services) -> DocumentLinks:
    """Addresses of documents, signed with the secret key; those of a former one are good as long as they say."""
    settings, key = services.settings, services.settings.secret_key_bytes()
    keys = (*([] if key is None else [key]), *settings.former_secret_keys_bytes())
    return DocumentLinks(signatures_by(*keys), settings.public_url)


def _admin(services: Services, parts: FeedParts, replays: Replays) -> web.Application:
    pool, token = services.pool, services.settings.admin_token
    letters = DeadLetters(pool)
    comparisons = Comparisons(services.feed_pool, parts.contents, parts.replays)
    routes: list[Routes] = [
        SupplierRoutes(Suppliers(pool, services.box), Keys(pool, services.box), services.registry),
        FeedRoutes(parts.reports, parts.holds),
        DeadLetterRoutes(letters),
        ReplayRoutes(replays, letters, comparisons),
        PullRoutes(PullStatus(pool, services.live.suppliers, services.registry)),
        OrderRoutes(OrderReading(pool, services.box), _decisions(services), services.live.suppliers),
        BreakerRoutes(BreakerOrders(pool, services.box, services.live.suppliers, services.registry)),
        EvidenceRoutes(EvidenceExport(pool, services.box)),
        WebhookRoutes(WebhookOperations(pool, services.box, services.live.suppliers)),
        CatalogRoutes(Rebuilds(pool), services.live.suppliers),
        AuditRoutes(pool),
    ]
    return build_admin(routes, token.get_secret_value() if token else None, FailedLogins(pool))


def _decisions(services: Services) -> OrderDecisions:
    lease_term = timedelta(seconds=services.settings.lease_seconds)
    profiles = DeclaredProfiles(services.live.suppliers, services.registry, lease_term)
    return OrderDecisions(services.pool, services.box, profiles.of)


async def _set_aside(supervisors: Sequence[Supervisor[Any]]) -> str:
    """What is set aside does not make the process unready: everything else goes on."""
    return described(supervisors)
