"""Boundaries that import contracts cannot see: who calls out, what adapters stand on, how the server uses aiohttp."""

import ast
import importlib.util
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


def is_private(name: str) -> bool:
    """Whether a name is its owner's alone; `__init__` and its like are everybody's."""
    return name.startswith("_") and not name.endswith("__")


def is_exported(module: str, name: str) -> bool:
    """Whether a module of aiohttp offers a name: says so, made the class itself, or is a package with such a module."""
    offers = importlib.import_module(module)
    found = getattr(offers, name, None)
    if name in getattr(offers, "__all__", ()) or (isinstance(found, type) and found.__module__ == module):
        return True
    return hasattr(offers, "__path__") and importlib.util.find_spec(f"{module}.{name}") is not None


def not_exported(tree: ast.Module) -> Iterator[str]:
    """What a module imports from aiohttp that aiohttp does not offer."""
    for name in imported(tree):
        if name.partition(".")[0] == "aiohttp":
            yield from filter(is_private, name.split("."))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "aiohttp":
            yield from (alias.name for alias in node.names if not is_exported(node.module, alias.name))


def derived(trees: list[ast.Module]) -> set[ast.ClassDef]:
    """Classes that stand on one of aiohttp's, directly or through one of these modules."""
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    theirs = {name.rpartition(".")[2] for tree in trees for name in imported(tree) if name.startswith("aiohttp")}
    found: set[ast.ClassDef] = set()
    while True:
        known = theirs | {each.name for each in found}
        more = {each for each in classes if any(names(base) & known for base in each.bases)}
        if more == found:
            return found
        found = more


def names(node: ast.AST) -> set[str]:
    """Plain names within an expression."""
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def own_attributes(tree: ast.Module, theirs: set[ast.ClassDef]) -> set[ast.AST]:
    """What is read from `self` or `cls` in classes that stand on none of aiohttp's: it can only be ours."""
    ours = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node not in theirs]
    return {
        node
        for each in ours
        for node in ast.walk(each)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    }


def spelled(node: ast.AST) -> Iterator[str]:
    """Every text within an expression."""
    yield from (each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str))


def reached_into(tree: ast.Module, theirs: set[ast.ClassDef]) -> Iterator[str]:
    """Names that a module uses of objects which are not its own, by whatever way a syntax tree shows."""
    own = own_attributes(tree, theirs)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node not in own:
            yield node.attr
        elif isinstance(node, ast.Call) and names(node.func) & {"getattr", "setattr", "hasattr", "delattr"}:
            yield from (text for argument in node.args for text in spelled(argument))


def added(theirs: set[ast.ClassDef]) -> Iterator[str]:
    """Names of methods and attributes that classes give themselves beside, or instead of, aiohttp's."""
    for node in (each for a_class in theirs for each in ast.walk(a_class)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) for target in node.targets):
            yield from (name for target in node.targets for name in names(target))
            yield from spelled(node.value) if "__slots__" in names(node.targets[0]) else ()


def private_uses(root: Path) -> list[str]:
    """Uses of what aiohttp does not offer in the HTTP server, as `file: name`."""
    modules = list(sources(root / "gateway" / "http"))
    theirs = derived([tree for _, tree in modules])
    found = []
    for path, tree in modules:
        used = {*reached_into(tree, theirs), *added(theirs & set(ast.walk(tree)))}
        wrong = {*not_exported(tree), *filter(is_private, used)}
        found += [f"{path.relative_to(root)}: {name}" for name in sorted(wrong)]
    return found


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


def test_the_server_stands_on_what_aiohttp_offers_and_one_count() -> None:
    assert private_uses(ROOT) == ["gateway/http/parsed.py: _request_count"]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from aiohttp.web_protocol import _ErrInfo\n", "_ErrInfo"),
        ("from aiohttp.web_protocol import ERROR\n", "ERROR"),
        ("from aiohttp._http_parser import HttpRequestParser\n", "_http_parser"),
        ("import aiohttp._http_writer\n", "_http_writer"),
        ("def f(app):\n    return app._handle\n", "_handle"),
        ("def f(request):\n    return getattr(request.protocol, '_waiter', None)\n", "_waiter"),
        ("from aiohttp import web\nclass A(web.Server):\n    def f(self):\n        self._loop.time()\n", "_loop"),
        ("from aiohttp import web\nclass A(web.AppRunner):\n    async def _make_server(self): ...\n", "_make_server"),
        ("from aiohttp import web\nclass A(web.Server):\n    _kwargs = {}\n", "_kwargs"),
        ("from aiohttp import web\nclass A(web.RequestHandler):\n    __slots__ = ('a', '_upload')\n", "_upload"),
        ("from aiohttp.web import Server\nclass A(Server): ...\nclass B(A):\n    def f(self): self._x = 1\n", "_x"),
        ("from aiohttp import web\nclass A:\n    def f(self): return self._b._messages\n", "_messages"),
        ("def f(self):\n    return self._reading_paused\n", "_reading_paused"),
    ],
)
def test_a_planted_use_of_a_private_name_of_aiohttp_is_found(tmp_path: Path, source: str, name: str) -> None:
    plant(tmp_path, "gateway/http/other.py", source)
    assert private_uses(tmp_path) == [f"gateway/http/other.py: {name}"]


def test_a_class_of_the_server_has_what_it_likes_of_its_own(tmp_path: Path) -> None:
    source = "from aiohttp import hdrs, web\nclass A:\n    def __init__(self): self._b = super().__init__()\n"
    plant(tmp_path, "gateway/http/other.py", source)
    assert private_uses(tmp_path) == []


@pytest.mark.parametrize("stranger", ["orjson", "socket", "httpx"])
def test_a_planted_stranger_in_an_adapter_is_found(tmp_path: Path, stranger: str) -> None:
    plant(tmp_path, "adapters/acme/adapter.py", f"import decimal\nimport {stranger}\n")
    assert strangers(tmp_path, "adapters", ADAPTER_IMPORTS) == [f"adapters/acme/adapter.py: {stranger}"]


def plant(root: Path, path: str, source: str) -> None:
    """Write one source file into an otherwise empty tree."""
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
