"""`mallgate check`: whether the gateway could run here, everything that is wrong at once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID

from gateway.cli.instance import CONNECT_SECONDS, KEY_FILE, settings
from gateway.cli.output import Json, emit, table
from gateway.cli.secrets import SEALED, box_of
from gateway.config import Bootstrap, Settings
from gateway.feeds.recreated_topics import FOLLOWED, describe_loss, facets_lost, facets_missing
from gateway.kafka import BULK, EXPRESS, TOPICS, Bus, open_bus
from gateway.loopback import is_loopback
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError, GatewayError
from gateway.store import connect, open_pool
from gateway.store.address import VERIFIED, is_here, sslmode_of
from gateway.store.inspection import outstanding, unfit
from gateway.suppliers import ResealReport, count_sealed, rotated_at
from gateway.telemetry.logging import configure

SAFE_COPIES = 3

CHUNKS_LIVE = timedelta(milliseconds=max(TOPICS[name].keep_ms for name in (EXPRESS, BULK)))
"""How long a chunk, sealed with the secret key of its day, lies on Kafka and may be read again."""


class CheckVerdict(StrEnum):
    """How a thing that was looked at is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at."""

    subject: str
    verdict: CheckVerdict
    words: str


class UnfitError(ConfigError):
    """The gateway cannot run like this."""


async def check(*, json: Json = False) -> None:
    """Look at the settings, the adapters, Kafka's topics and durability, and the database. Changes nothing.

    Ends with status 78 when the gateway could not run.
    """
    configure("console", "error")
    given = settings()
    findings = [finding async for finding in _results(given)]
    if json:
        emit([asdict(finding) for finding in findings])
    else:
        rows = ([finding.subject, finding.verdict.value, finding.words] for finding in findings)
        table("what|how|words", rows, empty="")
    problems = [finding for finding in findings if finding.verdict is CheckVerdict.PROBLEM]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UnfitError([f"The gateway cannot run like this: {count}."])


async def _results(given: Settings) -> AsyncIterator[CheckResult]:
    for finding in (_secret_key(given), _admin_token(given), _adapters()):
        yield finding
    ids: dict[str, UUID] = {}
    async for finding in _kafka(given, ids):
        yield finding
    async for finding in _postgres(given, ids):
        yield finding


def _secret_key(given: Settings) -> CheckResult:
    try:
        key = given.secret_key_bytes()
    except ConfigError as error:
        return CheckResult("secret key", CheckVerdict.PROBLEM, str(error))
    if key is None and (kept := given.data_dir / KEY_FILE).exists():  # where `--embedded` keeps the one that it made
        return CheckResult("secret key", CheckVerdict.OK, f"in {kept}")
    if key is None:
        return CheckResult("secret key", CheckVerdict.PROBLEM, "set MALLGATE_SECRET_KEY_FILE or MALLGATE_SECRET_KEY")
    return CheckResult("secret key", CheckVerdict.OK, "is set")


def _admin_token(given: Settings) -> CheckResult:
    if given.admin_token is None:
        return CheckResult("admin token", CheckVerdict.WARNING, "MALLGATE_ADMIN_TOKEN is not set: /admin/v1 is closed")
    return CheckResult("admin token", CheckVerdict.OK, "is set")


def _adapters() -> CheckResult:
    registry = Registry()
    try:
        registry.check(registry.names())
    except ConfigError as error:
        return CheckResult("adapters", CheckVerdict.PROBLEM, str(error))
    return CheckResult("adapters", CheckVerdict.OK, ", ".join(sorted(registry.names())))


async def _kafka(given: Settings, ids: dict[str, UUID]) -> AsyncIterator[CheckResult]:
    """ids: gets those of the topics, for who knows which they were."""
    bootstrap = given.bootstrap
    if bootstrap is None:
        yield CheckResult("Kafka", CheckVerdict.PROBLEM, "KAFKA_BOOTSTRAP is not set")
        return
    try:
        async with open_bus(bootstrap, topic_prefix=given.topic_prefix, wait_seconds=CONNECT_SECONDS) as bus:
            yield CheckResult("Kafka", CheckVerdict.OK, f"cluster {bus.cluster_id}, {await bus.check()}")
            yield _kafka_line(bootstrap)
            yield _durability(given)
            for finding in await _topics(bus, given):
                yield finding
            ids |= await bus.topic_ids(FOLLOWED)
    except GatewayError as error:
        yield CheckResult("Kafka", CheckVerdict.PROBLEM, f"{bootstrap}: {error}")


def _kafka_line(bootstrap: Bootstrap) -> CheckResult:
    """How safe what is said to Kafka is on its way."""
    protocol = bootstrap.security_protocol
    if protocol.endswith("SSL"):
        return CheckResult("Kafka's line", CheckVerdict.OK, f"{protocol}, certificates verified")
    hosts = [server.strip().rpartition(":")[0] for server in bootstrap.servers.split(",")]
    if all(map(is_loopback, hosts)):
        return CheckResult("Kafka's line", CheckVerdict.OK, f"{protocol}, within this machine")
    words = f"{protocol} to {bootstrap}: anybody on the way may write; set MALLGATE_KAFKA_SECURITY_PROTOCOL=SASL_SSL"
    return CheckResult("Kafka's line", CheckVerdict.WARNING, words)


def _postgres_line(url: str) -> CheckResult:
    """How safe what is said to PostgreSQL is on its way."""
    mode = sslmode_of(url, os.environ)
    if mode == VERIFIED:
        return CheckResult("PostgreSQL's line", CheckVerdict.OK, f"sslmode={mode}")
    if is_here(url, os.environ):
        return CheckResult("PostgreSQL's line", CheckVerdict.OK, "within this machine")
    words = f"sslmode={mode}: anybody on the way may answer in its place; sslmode={VERIFIED}&sslrootcert=FILE"
    return CheckResult("PostgreSQL's line", CheckVerdict.WARNING, words)


def _durability(given: Settings) -> CheckResult:
    copies = given.replication_factor
    if copies >= SAFE_COPIES:
        return CheckResult("durability", CheckVerdict.OK, f"{copies} copies of every record")
    kept = "1 copy" if copies == 1 else f"{copies} copies"
    words = f"{kept} of every record: a lost broker loses feeds and orders; MALLGATE_REPLICATION_FACTOR=3 in production"
    return CheckResult("durability", CheckVerdict.WARNING, words)


async def _topics(bus: Bus, given: Settings) -> list[CheckResult]:
    problems = await bus.topic_problems(
        list(TOPICS.values()), partitions=given.partitions, replication=given.replication_factor
    )
    absent = [problem for problem in problems if problem.endswith("does not exist")]
    if len(absent) == len(TOPICS):
        return [CheckResult("topics", CheckVerdict.WARNING, "do not exist yet; the gateway makes them when it starts")]
    return [CheckResult("topics", CheckVerdict.PROBLEM, problem) for problem in problems] or [
        CheckResult("topics", CheckVerdict.OK, f"{len(TOPICS)} as declared")
    ]


async def _postgres(given: Settings, ids: Mapping[str, UUID]) -> AsyncIterator[CheckResult]:
    if given.database_url is None:
        yield CheckResult("PostgreSQL", CheckVerdict.PROBLEM, "DATABASE_URL is not set")
        return
    url = given.database_url.get_secret_value()
    try:
        async with connect(url, name="check", wait_seconds=CONNECT_SECONDS) as connection:
            yield _postgres_line(url)
            problems = await unfit(connection)
            for problem in problems:
                yield CheckResult("PostgreSQL", CheckVerdict.PROBLEM, problem)
            if not problems:
                yield CheckResult("PostgreSQL", CheckVerdict.OK, urlsplit(url).hostname or "")
            todo = await outstanding(connection)
            words = f"{len(todo)} migrations to apply when the gateway starts" if todo else "up to date"
            yield CheckResult("tables", CheckVerdict.WARNING if todo else CheckVerdict.OK, words)
            if not todo:
                lost, missing = await facets_lost(connection, ids), facets_missing(ids)
                verdict = CheckVerdict.WARNING if lost or missing else CheckVerdict.OK
                yield CheckResult("catalog", verdict, describe_loss(lost, missing))
        if not todo and given.secret_key is not None:
            yield await _sealed(given, url)
    except GatewayError as error:
        yield CheckResult("PostgreSQL", CheckVerdict.PROBLEM, str(error))


async def _sealed(given: Settings, url: str) -> CheckResult:
    box = box_of(given)
    async with open_pool(url, name="check", size=1, wait_seconds=CONNECT_SECONDS) as pool:
        found, since = await count_sealed(pool, box, SEALED), await rotated_at(pool, box)
    return sealed_result(found, former=len(given.former_secret_keys_bytes()), since=since, now=datetime.now(UTC))


def sealed_result(found: ResealReport, *, former: int, since: datetime | None, now: datetime) -> CheckResult:
    """What sealed values and the age of the rotation say. former: keys; since: when values were last resealed."""
    if found.unreadable:
        words = f"{len(found.unreadable)} cannot be opened: mallgate secrets reseal --dry-run names them"
        return CheckResult("secrets", CheckVerdict.WARNING, words)
    if found.resealed:
        words = f"{found.resealed} sealed with a former secret key: mallgate secrets reseal"
        return CheckResult("secrets", CheckVerdict.WARNING, words)
    words = f"{found.current} sealed with the secret key"
    if not former:
        return CheckResult("secrets", CheckVerdict.OK, words)
    words += ", none needs a former one"
    if since is None:
        return CheckResult(
            "secrets", CheckVerdict.OK, f"{words}; not noted yet: mallgate secrets reseal once all gateways have it"
        )
    if now < since + CHUNKS_LIVE:
        return CheckResult(
            "secrets", CheckVerdict.OK, f"{words}; chunks on Kafka may until {since + CHUNKS_LIVE:%Y-%m-%d %H:%M} UTC"
        )
    return CheckResult(
        "secrets", CheckVerdict.WARNING, f"{words}; nothing does: take MALLGATE_FORMER_SECRET_KEYS(_FILE) away"
    )
