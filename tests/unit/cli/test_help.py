"""Help is there at once: nothing heavy is loaded for it, and every command has some."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.forked import run_forked

HEAVY = ("aiohttp", "aiokafka", "asyncpg", "pydantic", "pydantic_settings", "structlog", "orjson")

LOADED = f"""
import sys
from gateway.cli import app
try:
    app(["--help"])
except SystemExit:
    pass
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def test_help_loads_nothing_heavy() -> None:
    ended = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "check",
        "suppliers",
        "suppliers keys",
        "suppliers breaker",
        "feeds",
        "orders",
        "lanes",
        "deadletters",
        "secrets",
        "secrets reseal",
        "topics",
        "adapters",
        "schemas",
    ],
)
async def test_every_command_explains_itself(command: str) -> None:
    ended = await run_forked([*command.split(), "--help"], os.environ)
    assert (ended.status, ended.err) == (0, "")
    assert "Usage: mallgate" in ended.out


async def test_a_misspelt_command_is_one_red_line_and_a_usage_error() -> None:
    ended = await run_forked(["suppliers", "lst"], os.environ)
    assert (ended.status, ended.out) == (2, "")
    assert ended.err.startswith("mallgate: ")
    assert '"list"' in ended.err


def test_it_says_which_version_it_is() -> None:
    ended = subprocess.run([sys.executable, "-m", "gateway", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == version("mallgate")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["done"], "WORD is missing: mallgate orders resolve needs it."),
        (["x", "done"], "--reason is missing: mallgate orders resolve needs it."),
        (["x", "done", "--reason"], "--reason requires an argument."),
    ],
)
async def test_what_is_missing_is_told_from_what_has_no_value(given: list[str], told: str) -> None:
    ended = await run_forked(["orders", "resolve", *given], os.environ)
    assert (ended.status, ended.out) == (2, "")
    assert told in ended.err
    assert ended.err.count("\n") == 1


def test_help_is_broken_where_the_terminal_ends_and_nowhere_else() -> None:
    arguments = [sys.executable, "-m", "gateway", "orders", "resolve", "--help"]
    narrow = {**os.environ, "COLUMNS": "80"}
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True, env=narrow)
    paragraph = ended.stdout.partition("done: it took effect")[2].partition("\n\n")[0].splitlines()
    following = [line.split()[0] for line in paragraph[1:]]
    lengths = [len(line.rstrip()) for line in ("done: it took effect" + paragraph[0], *paragraph[1:-1])]
    assert [length + 1 + len(word) > 80 for length, word in zip(lengths, following, strict=True)] == [True] * len(
        following
    )
