"""Embedded engines behind a command: started with progress on the terminal, their addresses put into the settings."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from gateway.cli.instance import KEY_FILE
from gateway.config import Settings, kafka_settings
from gateway.embedded import open_engines
from gateway.embedded.progress import Step
from gateway.suppliers import load_or_create_key

terminal = Console(stderr=True, highlight=False)
"""Progress is for people and never mixes with what a command prints."""

NAMES = {"kafka": "Kafka", "postgres": "PostgreSQL"}


@asynccontextmanager
async def embedded_settings(settings: Settings) -> AsyncIterator[Settings]:
    """Settings that stand on engines in the data directory; what is not set is made up, the secret key is kept there.

    Raises EngineError.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        with engine_progress() as progress:
            engines = await stack.enter_async_context(open_engines(settings.data_dir, progress=progress))
        yield settings.model_copy(
            update={
                **kafka_settings(engines.kafka_bootstrap),
                "database_url": SecretStr(engines.database_url),
                "database_url_file": None,
                "secret_key": settings.secret_key or _key(settings),
                "admin_token": settings.admin_token or SecretStr(secrets.token_urlsafe(24)),
            }
        )


@contextmanager
def engine_progress() -> Iterator[Callable[[Step], None]]:
    """One line per engine while they come up, with a bar where something is downloaded."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as shown:
        lines: dict[str, TaskID] = {}

        def step(progress: Step) -> None:
            if progress.engine not in lines:
                lines[progress.engine] = shown.add_task(progress.engine, total=None)
            words = f"{NAMES[progress.engine]}: {progress.stage}"
            shown.update(
                lines[progress.engine], description=words, completed=progress.done, total=progress.total or None
            )

        yield step


def _key(settings: Settings) -> SecretStr:
    key = load_or_create_key(settings.data_dir / KEY_FILE)
    return SecretStr(base64.b64encode(key).decode())
