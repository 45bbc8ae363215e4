"""Beginning an adapter: the template of the sdk under a new name."""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path

from gateway.sdk.errors import GatewayError
from gateway.sdk.testing import files_of

TEMPLATE = "template"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")


class UnusableNameError(GatewayError):
    """No adapter can have this name."""


class NoPackageError(GatewayError):
    """Adapters are made in a package of adapters, such as `adapters` of the source tree."""


def make(name: str, into: Path, taken: Collection[str]) -> Path:
    """A new adapter in the package `into`; taken: names of those there are. Nothing outside its folder changes.

    Raises UnusableNameError or NoPackageError before anything is written.
    """
    folder = into / name
    if problem := _unusable(name, folder, taken):
        raise UnusableNameError(problem)
    if not (into / "__init__.py").is_file():
        raise NoPackageError(f"{into} is no package of adapters: it has no __init__.py")
    package = f"{into.resolve().name}.{name}"
    for path, file in files_of(files("gateway.sdk") / TEMPLATE):
        text = file.read_text(encoding="utf-8").replace(f"gateway.sdk.{TEMPLATE}", package)
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_named(text, path, name), encoding="utf-8")
    return folder


def _unusable(name: str, folder: Path, taken: Collection[str]) -> str | None:
    if not _NAME.fullmatch(name):
        return f"{name!r}: a name is a small letter, then 1 to 31 of a-z, 0-9 and _"
    if iskeyword(name) or name == TEMPLATE:
        return f"{name!r} is reserved"
    if name in taken or folder.exists():
        return f"{name!r}: there is an adapter of this name already"
    return None


def _named(text: str, path: str, name: str) -> str:
    """A file of the template with the adapter's name where it has its own."""
    match path:
        case "manifest.toml":
            return text.replace(f'id = "{TEMPLATE}"', f'id = "{name}"').replace(f"\"{TEMPLATE}'s", f"\"{name}'s")
        case "README.md":
            return text.replace(f"# {TEMPLATE}\n", f"# {name}\n", 1)
        case _:
            return text


def next_steps(name: str, folder: Path) -> str:
    """What the author of a new adapter does now."""
    return f"""Made {folder}/: manifest.toml, wire.py, adapter.py, README.md, and two example cases.

Next, from the interface's documents:
  1. cases/      put real records in, each with what the mall shall hear of it, written by hand
  2. wire.py     give every field the supplier's name and spelling
  3. README.md   write down quirks, sandbox, whom to ask
Now and after every step: mallgate adapters test {name}
It says what is left to do and what is wrong; adapters/README.md explains."""
