"""The ground that all contestants share: one Kafka, one PostgreSQL, a directory on a real disk."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
from aiokafka.admin import AIOKafkaAdminClient

from gateway.config import Bootstrap
from gateway.embedded import Engines, open_engines
from gateway.kafka import Bus, client_options, open_bus
from gateway.store import connect

IN_MEMORY = frozenset({"tmpfs", "ramfs"})

_END_OWN = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = current_user"


class NoDiskError(Exception):
    """Every place for temporary files is in memory: name a directory on a disk."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one contestant works in one run. prefix: of its topics and groups; database: URL of its own, empty."""

    bootstrap: Bootstrap
    database: str
    prefix: str


@dataclass(frozen=True)
class Stage:
    """The running engines, and room for files."""

    engines: Engines
    directory: Path
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """A fresh place; its database and topics are gone after the block, so that no run slows the next."""
        name = f"bench{next(self._numbers)}"
        url, bootstrap = self.engines.database_url, self.engines.kafka_bootstrap
        async with connect(url, name="bench") as connection:
            await connection.execute(f"CREATE DATABASE {name}")
        try:
            yield Place(bootstrap, urlunsplit(urlsplit(url)._replace(path=f"/{name}")), f"{name}.")
        finally:
            async with connect(url, name="bench") as connection:
                # WITH (FORCE) would end autovacuum's workers, too, which only their owner may: DROP asks them to go.
                await connection.execute(_END_OWN, name)
                await connection.execute(f"DROP DATABASE {name}")
                await connection.execute("CHECKPOINT")
            await _delete_topics(bootstrap, f"{name}.")


@asynccontextmanager
async def open_bus_at(place: Place) -> AsyncIterator[Bus]:
    """The place's topics, for whoever fills them or reads them beside the contestants."""
    async with open_bus(place.bootstrap, topic_prefix=place.prefix) as bus:
        yield bus


async def _delete_topics(bootstrap: Bootstrap, prefix: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
    finally:
        await admin.close()


@asynccontextmanager
async def open_stage(directory: Path | None) -> AsyncIterator[Stage]:
    """Engines in a directory of their own that goes with the block. Raises NoDiskError, EngineError."""
    with _room(directory) as room:
        async with open_engines(room / "engines") as engines:
            yield Stage(engines, room)


@contextmanager
def _room(given: Path | None) -> Iterator[Path]:
    candidates = [given] if given else [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.home() / ".cache"]  # noqa: S108
    parent = next((path for path in candidates if path.is_dir() and filesystem(path) not in IN_MEMORY), None)
    if parent is None:
        raise NoDiskError(NoDiskError.__doc__)
    room = Path(tempfile.mkdtemp(prefix="mallgate-bench-", dir=parent))
    try:
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def filesystem(path: Path) -> str:
    """Type of the filesystem that holds the path."""
    place = path.resolve()
    mounts = {Path(mount.mountpoint): mount.fstype for mount in psutil.disk_partitions(all=True)}
    return next((mounts[parent] for parent in (place, *place.parents) if parent in mounts), "")
