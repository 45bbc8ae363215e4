"""The import contracts hold, and each planted violation breaks its own contract and no other."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "adapters", "schemas", "contrib")

# Contract -> the module that breaks it, and the line it would contain. Modules named planted are new ones.
VIOLATIONS = [
    ("roots", "gateway/feeds/planted.py", "import adapters.native"),
    ("roots", "gateway/cli/planted.py", "import contrib"),
    ("roots", "schemas/planted.py", "import gateway.sdk"),
    ("roots", "adapters/native/planted.py", "import contrib"),
    ("gateway", "gateway/feeds/planted.py", "import gateway.intake"),
    ("gateway", "gateway/store/planted.py", "import gateway.kafka"),
    ("gateway", "gateway/sdk/planted.py", "import gateway.telemetry"),
    ("gateway", "gateway/planted.py", ""),
    ("adapters-apart", "adapters/native/planted.py", "import adapters.planted"),
    ("adapters-sdk", "adapters/native/planted.py", "import gateway.telemetry"),
    ("adapters-sdk", "adapters/native/planted.py", "from gateway import store"),
    ("aiokafka", "gateway/feeds/planted.py", "import aiokafka"),
    ("aiokafka", "adapters/native/planted.py", "from aiokafka import AIOKafkaProducer"),
    ("aiohttp", "gateway/feeds/planted.py", "import aiohttp"),
    ("aiohttp", "gateway/sdk/planted.py", "from aiohttp import web"),
    ("aiohttp", "schemas/planted.py", "import aiohttp"),
    ("asyncpg", "adapters/native/planted.py", "import asyncpg"),
    ("asyncpg", "gateway/sdk/planted.py", "from asyncpg import Connection"),
    ("tenacity", "adapters/native/planted.py", "import tenacity"),
    ("tenacity", "gateway/intake/planted.py", "from tenacity import retry"),
]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as it stands, Python files only, with one adapter more that breaks nothing."""
    tree = tmp_path_factory.mktemp("contracts")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for source in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        copy = tree / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, copy)
    plant(tree, "adapters/planted/__init__.py", "")
    return tree


def plant(tree: Path, path: str, line: str) -> None:
    """Write a module of one line."""
    file = tree / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'"""Planted."""\n\n{line}\n', encoding="utf-8")


def broken_contracts(tree: Path) -> set[str]:
    """Names of the contracts that a tree breaks; fails when the linter itself could not run."""
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert re.search(r"Contracts: \d+ kept, \d+ broken\.", run.stdout), run.stdout + run.stderr
    return set(re.findall(r"^(.+?) BROKEN", run.stdout, flags=re.MULTILINE))


def test_the_tree_keeps_every_contract(template: Path) -> None:
    assert broken_contracts(template) == set()


@pytest.mark.parametrize(("contract", "path", "line"), VIOLATIONS)
def test_a_planted_violation_breaks_its_own_contract_alone(
    template: Path, tmp_path: Path, contract: str, path: str, line: str
) -> None:
    tree = Path(shutil.copytree(template, tmp_path / "tree"))
    plant(tree, path, line)
    assert broken_contracts(tree) == {contract_names()[contract]}


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == contract_names().keys()


def contract_names() -> dict[str, str]:
    """Contract id -> the name that the linter prints."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["id"]: contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]}
