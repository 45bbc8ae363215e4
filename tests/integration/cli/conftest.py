"""The command line as an operator has it: the real program in processes of its own, against the whole gateway."""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.app import serving
from gateway.config import Bootstrap, kafka_environment, kafka_settings, load_settings
from gateway.embedded import Engines
from gateway.jobs import Drain, working
from gateway.services import open_services
from gateway.stages import compose
from tests.forked import Ended, run_forked

TOKEN = "a-token-of-the-tests"
SECRET_KEY = base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Shell:
    """Runs `mallgate` with nothing in its environment but what is said. url, admin_url: of the gateway."""

    url: str
    admin_url: str
    environment: Mapping[str, str]
    folder: Path

    async def __call__(self, *arguments: str, **changes: str | None) -> Ended:
        """Run a command. changes: of the environment; None takes a name away."""
        environment = {name: value for name, value in {**self.environment, **changes}.items() if value is not None}
        return await run_forked(arguments, environment, directory=self.folder)

    def write(self, name: str, text: str) -> str:
        """A file of the operator's; its name."""
        (self.folder / name).write_text(text, "utf-8")
        return name


@pytest.fixture
async def mallgate(engines: Engines, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Shell]:
    """The command, and a gateway for it to talk to."""
    settings = load_settings(
        **kafka_settings(engines.kafka_bootstrap),
        database_url=database,
        topic_prefix=topic_prefix,
        partitions=1,
        secret_key=SECRET_KEY,
        admin_token=TOKEN,
        port=0,
    )
    async with open_services(settings) as services:
        stages = compose(services)
        async with (
            working(stages.jobs, Drain(1.0)),
            serving(stages, settings, reuse_port=False, drain_timeout=1.0) as addresses,
        ):
            assert addresses.vendors is not None
            assert addresses.admin is not None
            url, admin_url = addresses.vendors.url, addresses.admin.url
            environment = _environment(engines.kafka_bootstrap, database, topic_prefix, admin_url, tmp_path)
            yield Shell(url, admin_url, environment, tmp_path)


def _environment(bootstrap: Bootstrap, database: str, prefix: str, url: str, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "USER": "ann",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).parents[3]),
        **kafka_environment(bootstrap),
        "DATABASE_URL": database,
        "MALLGATE_TOPIC_PREFIX": prefix,
        "MALLGATE_PARTITIONS": "1",
        "MALLGATE_SECRET_KEY": SECRET_KEY,
        "MALLGATE_ADMIN_URL": url,
        "MALLGATE_ADMIN_TOKEN": TOKEN,
    }
