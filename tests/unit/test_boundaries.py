"""Boundaries that import contracts cannot see: who calls out over HTTP, and what adapters and schemas stand on."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Names of aiohttp that open a connection or describe one.
CLIENT_NAMES = {"ClientSession", "ClientTimeout", "TCPConnector", "UnixConnector", "BaseConnector", "request"}

ADAPTER_IMPORTS = {"adapters", "gateway", "schemas", "pydantic"}
SCHEMA_IMPORTS = {"schemas", "pydantic", "pydantic_core"}
STDLIB_IO = {"http", "socket", "socketserver", "ssl", "subprocess", "smtplib", "ftplib"}


def sources(folder: Path) -> Iterator[tuple[Path, ast.Module]]:
    """Every Python file below a folder with its syntax tree."""
    for path in sorted(folder.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports; `from a import b` yields both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def attributes(tree: ast.Module) -> Iterator[str]:
    """Dotted names read from a plain name, such as aiohttp.ClientSession."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def is_client(name: str) -> bool:
    """Whether a dotted name is part of aiohttp's client."""
    package, _, rest = name.partition(".")
    return package == "aiohttp" and (rest.split(".")[0] in CLIENT_NAMES or rest.startswith(("client", "connector")))


def client_calls(root: Path) -> list[str]:
    """Uses of aiohttp's client in the gateway outside gateway.outbound, as `file: name`."""
    outbound = root / "gateway" / "outbound"
    return [
        f"{path.relative_to(root)}: {name}"
        for path, tree in sources(root / "gateway")
        if outbound not in path.parents
        for name in sorted({*imported(tree), *attributes(tree)})
        if is_client(name)
    ]


def strangers(root: Path, package: str, allowed: set[str]) -> list[str]:
    """Packages that a root imports beside the allowed ones and the parts of the standard library that do no I/O."""
    pure = (sys.stdlib_module_names - STDLIB_IO) | allowed
    return [
        f"{path.relative_to(root)}: {name}"
        for path, tree in sources(root / package)
        for name in sorted({name.partition(".")[0] for name in imported(tree)} - pure)
    ]


def feed_movers(root: Path) -> list[str]:
    """Modules of the gateway with a statement that creates or changes a feed's row."""
    statement = re.compile(r"(INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+feeds\b")
    return [
        str(path.relative_to(root))
        for path in sorted((root / "gateway").rglob("*.py"))
        if statement.search(path.read_text(encoding="utf-8"))
    ]


def test_feeds_are_moved_by_one_module() -> None:
    assert feed_movers(ROOT) == ["gateway/feeds/feed.py"]


def test_a_planted_move_of_a_feed_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "gateway/feeds/other.py", 'END = """\n    UPDATE  feeds SET state = 1\n"""\n')
    assert feed_movers(tmp_path) == ["gateway/feeds/other.py"]


def test_only_outbound_opens_connections_to_suppliers() -> None:
    assert client_calls(ROOT) == []


def test_adapters_stand_on_the_sdk_schemas_and_pydantic() -> None:
    assert strangers(ROOT, "adapters", ADAPTER_IMPORTS) == []


def test_schemas_do_no_io() -> None:
    assert strangers(ROOT, "schemas", SCHEMA_IMPORTS) == []


@pytest.mark.parametrize(
    "source",
    [
        "import aiohttp\nsession = aiohttp.ClientSession()\n",
        "from aiohttp import ClientSession\n",
        "from aiohttp.client import ClientSession\n",
        "import aiohttp.client_reqrep\n",
        "from aiohttp import web, TCPConnector\n",
    ],
)
def test_a_planted_client_is_found(tmp_path: Path, source: str) -> None:
    plant(tmp_path, "gateway/intake/routes.py", source)
    assert len(client_calls(tmp_path)) >= 1


def test_a_client_in_outbound_and_a_server_in_intake_are_in_their_places(tmp_path: Path) -> None:
    plant(tmp_path, "gateway/outbound/session.py", "from aiohttp import ClientSession\n")
    plant(tmp_path, "gateway/intake/routes.py", "from aiohttp import web\n")
    assert client_calls(tmp_path) == []


@pytest.mark.parametrize("stranger", ["orjson", "socket", "httpx"])
def test_a_planted_stranger_in_an_adapter_is_found(tmp_path: Path, stranger: str) -> None:
    plant(tmp_path, "adapters/acme/adapter.py", f"import decimal\nimport {stranger}\n")
    assert strangers(tmp_path, "adapters", ADAPTER_IMPORTS) == [f"adapters/acme/adapter.py: {stranger}"]


def plant(root: Path, path: str, source: str) -> None:
    """Write one source file into an otherwise empty tree."""
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
