"""Both engines at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config import Bootstrap
from gateway.embedded.errors import EngineError
from gateway.embedded.kafka import EmbeddedKafka
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.embedded.progress import Progress


@dataclass(frozen=True, slots=True)
class Engines:
    """Where the running engines are, with the passwords that open them, and a handle on each."""

    kafka_bootstrap: Bootstrap
    database_url: str = field(repr=False)
    kafka: EmbeddedKafka
    postgres: EmbeddedPostgres


@asynccontextmanager
async def open_engines(
    data_dir: Path,
    *,
    progress: Progress | None = None,
    kafka_port: int | None = None,
    postgres_port: int | None = None,
) -> AsyncIterator[Engines]:
    """Kafka and PostgreSQL in `data_dir`, started side by side, stopped at the end of the block; the data stays.

    Without a port one is chosen. Raises EngineError: the first of what kept an engine from starting.
    """
    kafka = EmbeddedKafka(data_dir / "kafka", port=kafka_port, progress=progress)
    postgres = EmbeddedPostgres(data_dir / "postgres", port=postgres_port, progress=progress)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_stop, kafka, postgres)
        await _start(kafka, postgres)
        yield Engines(kafka.bootstrap, postgres.url, kafka, postgres)


async def _start(kafka: EmbeddedKafka, postgres: EmbeddedPostgres) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(kafka.start())
            group.create_task(postgres.start())
    except ExceptionGroup as failures:  # not `except*`: some patch releases of Python wrap again what it raises
        failure = failures.subgroup(EngineError)
        if failure is None:
            raise
        raise failure.exceptions[0] from None


async def _stop(kafka: EmbeddedKafka, postgres: EmbeddedPostgres) -> None:
    await asyncio.gather(kafka.stop(), postgres.stop())
