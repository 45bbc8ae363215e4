"""Databases and topics for one test or one run of a benchmark, which are gone afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from aiokafka.admin import AIOKafkaAdminClient

from gateway.config import Bootstrap
from gateway.kafka import client_options
from gateway.kafka.supervisor import reconnecting
from gateway.store import connect

CONNECT_SECONDS = 60.0
"""Seconds that a broker has to come back."""

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = current_user"


@asynccontextmanager
async def scratch_database(server: str, name: str, *, template: str = "template1") -> AsyncIterator[str]:
    """URL of a new database, dropped afterwards however the block ends. server: URL of any database beside it."""
    async with connect(server, name="scratch") as connection:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield of_database(server, name)
    finally:
        async with connect(server, name="scratch") as connection:
            # WITH (FORCE) would end autovacuum's workers, too, which only their owner may: DROP asks them to go.
            await connection.execute(_END_SESSIONS, name)
            await connection.execute(f"DROP DATABASE {name}")


def of_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def delete_topics(bootstrap: Bootstrap, prefix: str) -> None:
    """Delete every topic whose name begins so.

    A broker that was frozen is held for dead for some seconds after it goes on: until then it is asked again.
    """
    async for attempt in reconnecting(CONNECT_SECONDS):
        with attempt:
            admin = AIOKafkaAdminClient(**client_options(bootstrap))
            try:
                await admin.start()
                await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
            finally:
                await admin.close()
