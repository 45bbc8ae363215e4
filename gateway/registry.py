"""Which adapters there are, and loading them by name.

In-tree adapters are the folders of the package `adapters`; others announce themselves by an entry point of the group
`mallgate.adapters`, whose name is their id and whose value is their package. Manifests are read as data: code is
imported when an adapter is first used, so a broken one harms only those who ask for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gateway.sdk import manifest
from gateway.sdk.adapter import Adapter, Options
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import Manifest

PACKAGE = "adapters"
GROUP = "mallgate.adapters"


@dataclass(frozen=True, slots=True)
class Found:
    """An adapter that was seen. package: to be imported when it is used; folder: holds its manifest and cases."""

    id: str
    package: str
    folder: Traversable


@dataclass(frozen=True, slots=True)
class Loaded:
    """An adapter that can be used."""

    manifest: Manifest
    adapter: type[Adapter]
    folder: Traversable


class Registry:
    """The adapters at hand. package, group: where to look."""

    def __init__(self, package: str = PACKAGE, group: str = GROUP) -> None:
        self._found: dict[str, list[Found]] = {}
        for found in (*_in_tree(package), *_announced(group)):
            self._found.setdefault(found.id, []).append(found)
        self._loaded: dict[str, Loaded] = {}

    def names(self) -> frozenset[str]:
        """Ids of all adapters, also of those that would not load."""
        return frozenset(self._found)

    def load(self, name: str) -> Loaded:
        """The adapter, imported at the first call. Raises ConfigError with everything that is wrong with it."""
        if name not in self._loaded:
            self._loaded[name] = _load(name, self._found.get(name, []), self.names())
        return self._loaded[name]

    def check(self, names: Iterable[str]) -> None:
        """Load all of these. Raises one ConfigError with every problem of every one of them."""
        found: list[str] = []
        for name in sorted(set(names)):
            try:
                self.load(name)
            except ConfigError as error:
                found += error.problems
        if found:
            raise ConfigError(found)

    def options_model(self, name: str) -> type[Options]:
        """The model of the options that a supplier's row may hold. Raises as `load`."""
        return self.load(name).adapter.options_model

    def adapter(self, name: str, options: Mapping[str, Any]) -> Adapter:
        """An adapter with a supplier's options. Raises as `load`, and ConfigError for options it does not take."""
        try:
            parsed = self.options_model(name).model_validate(dict(options))
        except ValidationError as error:
            raise ConfigError(manifest.problems(error, f"options of {name}")) from error
        return self.load(name).adapter(parsed)


def _in_tree(package: str) -> Iterator[Found]:
    for folder in files(package).iterdir():
        if folder.is_dir() and not folder.name.startswith(("_", ".")):
            yield Found(folder.name, f"{package}.{folder.name}", folder)


def _announced(group: str) -> Iterator[Found]:
    for entry in entry_points(group=group):
        spec = find_spec(entry.value)
        for location in (spec and spec.submodule_search_locations) or ["/nowhere"]:
            yield Found(entry.name, entry.value, Path(location))


def _load(name: str, found: list[Found], names: Iterable[str]) -> Loaded:
    match found:
        case []:
            raise ConfigError([f"no adapter {name!r}; there are {', '.join(sorted(names))}"])
        case [only]:
            facts = _manifest(only)
            adapter = _adapter(only)
        case _:
            raise ConfigError([f"adapter {name}: found more than once, in {', '.join(each.package for each in found)}"])
    if problems := list(_mismatches(facts, adapter, only)):
        raise ConfigError(problems)
    return Loaded(facts, adapter, only.folder)


def _manifest(found: Found) -> Manifest:
    try:
        text = (found.folder / manifest.FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"adapter {found.id}: no {manifest.FILE} in {found.package}"]) from error
    return manifest.parse(text, f"adapter {found.id}: {manifest.FILE}")


def _adapter(found: Found) -> type[Adapter]:
    try:
        adapter = getattr(import_module(found.package), "Adapter", None)
    except Exception as error:
        raise ConfigError([f"adapter {found.id}: cannot be imported: {type(error).__name__}: {error}"]) from error
    if not (isinstance(adapter, type) and issubclass(adapter, Adapter)):
        raise ConfigError([f"adapter {found.id}: {found.package} has no class Adapter of gateway.sdk.Adapter"])
    return adapter


def _mismatches(facts: Manifest, adapter: type[Adapter], found: Found) -> Iterator[str]:
    """Where the manifest and the code say different things."""
    for problem in manifest.mismatches(facts, adapter, found.id):
        yield f"adapter {found.id}: {problem}"
    if adapter.options_model.model_config.get("extra") != "forbid":
        yield f"adapter {found.id}: its options let unknown names pass"
