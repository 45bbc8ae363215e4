"""What is published of the vendor API is what is served, and every problem is one that somebody declared."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

import gateway
from gateway.config import Settings, kafka_settings
from gateway.embedded import Engines
from gateway.sdk.problems import PROBLEMS
from gateway.services import open_services
from gateway.stages import compose
from tests.integration.bad_input.conftest import House
from tests.program import KEY

HERE = Path(__file__).parent
ROOT = Path(gateway.__file__).parent.parent

HIDDEN = {"HEAD", "OPTIONS"}
"""Methods that come with others."""


@pytest.mark.timeout(420)
async def test_the_api_answers_as_its_document_says(house: House, tmp_path: Path) -> None:
    """Made-up requests, good and bad ones, by schemathesis: no 500, nothing undocumented, nothing bad accepted."""
    shop = await house.shop(limits={"feeds_per_minute": 60_000})
    command = ("--config-file", str(HERE / "schemathesis.toml"), "run", f"{house.program.url}/openapi.json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *command, "--header", shop.bearer.strip()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,  # where it leaves its notes
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert house.program.events("request.failed") == []
    assert (await shop.left()).feeds != []


async def test_the_document_names_exactly_what_is_served(
    house: House, engines: Engines, database: str, topic_prefix: str
) -> None:
    settings = Settings(
        **kafka_settings(engines.kafka_bootstrap),
        database_url=SecretStr(database),
        topic_prefix=topic_prefix,
        secret_key=SecretStr(KEY),
        partitions=1,
    )
    async with open_services(settings) as services:
        vendors = compose(services).vendors
        assert vendors is not None
        served = {
            (each.method, each.resource.canonical) for each in vendors.router.routes() if each.resource is not None
        }
    document = (await house.get("/openapi.json")).json
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {(method, path) for method, path in served if path.startswith("/v1/") and method not in HIDDEN}


async def test_every_code_in_the_document_is_declared(house: House) -> None:
    text = (await house.get("/openapi.json")).body.decode()
    document = orjson.loads(text)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                if "application/problem+json" in answer.get("content", {}):
                    codes = re.findall(r"`([a-z_]+)`", answer["description"])
                    assert codes, (path, method, status)
                    assert {PROBLEMS[code].status for code in codes} == {int(status)}, (path, method, status)


def test_every_declared_code_can_happen() -> None:
    """A code that nothing raises is a promise that nobody keeps."""
    used = {code for text in sources() for code in re.findall(r'"([a-z_]+)"', text)}
    assert sorted(PROBLEMS.keys() - used) == []


def sources() -> Iterator[str]:
    """The gateway and the adapters, without the table of problems itself."""
    for package in ("gateway", "adapters", "schemas"):
        for path in (ROOT / package).rglob("*.py"):
            if path != ROOT / "gateway" / "sdk" / "problems.py":
                yield path.read_text()
