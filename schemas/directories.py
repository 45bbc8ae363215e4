"""The purchasing directories, and which of their rows a product falls under.

A directory version is data: a document, its jurisdiction, the day it takes effect, and its rows as printed. A product
falls under a row of the version in force on the day:

1. by the supplier's category map: the entry of the deepest category on the product's path wins;
2. else by the product's own category names, the deepest first;
3. else by the words of its trade name, all of them together.

A name means the row that bears it in full; else the row that has it among its aliases, the parts of a row's name
between `/` or `、`, of two characters or more, and the parts of a remark that end in the row's name (自动铅笔 under
铅笔). Of rows with equal names the first one counts, so 订书机 is row 33 though row 37 is 订书机/起订器, and
商务仿皮/皮面本 is row 39, never 49. A name that means several rows, or a trade name whose words do, is ambiguous.
Width, case and blanks do not count; nothing is guessed from parts of a word.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from importlib.resources import files

from schemas.catalog import DirectoryItem, NoDirectoryReason
from schemas.text import folded

HENAN = "410000"
"""Jurisdiction (GB/T 2260) whose directories the mall uses."""

BETWEEN_WORDS = re.compile(r"[ /、,;:()\[\]【】<>《》|+]+")
"""What stands between the words of a trade name, once width is folded."""

NOTHING: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """One row as printed. printed_number: the number beside it, not unique; group: its class (类别)."""

    item: DirectoryItem
    printed_number: str
    group: str
    remark: str

    def aliases(self) -> Iterator[str]:
        """The names besides the full one under which a product may be known."""
        name = folded(self.item.name)
        yield from (part for part in re.split("[/、]", name) if part != name and len(part) > 1)
        yield from (part for part in folded(self.remark).split("、") if part != name and part.endswith(name))


@dataclass(frozen=True, slots=True, eq=False)
class Directory:
    """One version of the directories: both lists of one document, in force from a day on.

    document: its number, the `version` of every item; jurisdiction: GB/T 2260 code.
    """

    document: str
    jurisdiction: str
    effective_from: date
    rows: tuple[DirectoryRow, ...]
    meanings: Mapping[str, frozenset[int]] = field(init=False, repr=False)
    """Folded names and the positions in `rows` that they mean."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "meanings", _meanings(self.rows))

    def named(self, name: str) -> Match:
        """The row that one name means."""
        return self._match(self.meanings.get(folded(name), NOTHING))

    def worded(self, text: str) -> Match:
        """The row that the words of a trade name mean."""
        known = self.meanings.keys() & BETWEEN_WORDS.split(folded(text))
        return self._match(NOTHING.union(*map(self.meanings.__getitem__, known))) if known else NO_MATCH

    def _match(self, found: frozenset[int]) -> Match:
        match sorted(found):
            case []:
                return NO_MATCH
            case [only]:
                return Match(item=self.rows[only].item)
            case _:
                return Match(reason=NoDirectoryReason.AMBIGUOUS)


@dataclass(frozen=True, slots=True)
class Match:
    """A directory item, or the reason why there is none."""

    item: DirectoryItem | None = None
    reason: NoDirectoryReason | None = None


NO_MATCH = Match(reason=NoDirectoryReason.NO_MATCH)


class CategoryMap:
    """One supplier's categories and the directory items they fall under, as the operator declares them.

    A key is a path, names from the root joined by `/`, which covers everything below it, or the single name or id of
    a category wherever it stands; at the same depth the path is stronger. A value is the name of a directory item.
    """

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._entries = {_path(key): name for key, name in entries.items()}

    def item_name(self, path: Sequence[str]) -> str | None:
        """What the deepest mapped category of a path falls under."""
        if not self._entries:
            return None
        labels = [_path(label) for label in path]
        for depth in range(len(labels), 0, -1):
            for key in ("/".join(labels[:depth]), labels[depth - 1]):
                if key in self._entries:
                    return self._entries[key]
        return None

    def unknown_items(self, directory: Directory) -> list[str]:
        """Mapped names that mean no single row of the directory: products of their categories match nothing."""
        return [name for name in dict.fromkeys(self._entries.values()) if directory.named(name).item is None]


def match_directory(path: Sequence[str], name: str, categories: CategoryMap, on: date) -> Match:
    """The directory item of a product with this category path and trade name, on a day in China.

    Total and deterministic. A mapped category decides alone: a wrong entry of the map is `no_match`, never another row.
    """
    directory = _in_force_on(on)
    if directory is None:
        return NO_MATCH
    if mapped := categories.item_name(path):
        return directory.named(mapped)
    decided = _by_path(directory, tuple(path))
    if decided is NO_MATCH:
        decided = directory.worded(name)
    if decided is NO_MATCH and not path:
        return Match(reason=NoDirectoryReason.NO_CATEGORY)
    return decided


def in_force(versions: Iterable[Directory], on: date, *, jurisdiction: str = HENAN) -> Directory | None:
    """The version of a jurisdiction that took effect last, on or before a day; None before the first."""
    effective = [v for v in versions if v.jurisdiction == jurisdiction and v.effective_from <= on]
    return max(effective, key=lambda version: version.effective_from, default=None)


@lru_cache(maxsize=4_096)  # a supplier has few categories and many products
def _by_path(directory: Directory, path: tuple[str, ...]) -> Match:
    tried = (directory.named(label) for label in reversed(path))
    return next((match for match in tried if match is not NO_MATCH), NO_MATCH)


@lru_cache(maxsize=16)
def _in_force_on(day: date) -> Directory | None:
    return in_force(directories(), day)


@cache
def directories() -> tuple[Directory, ...]:
    """Every version the package knows, from `data/directories.toml`."""
    table = tomllib.loads(files("schemas").joinpath("data/directories.toml").read_text(encoding="utf-8"))
    return tuple(
        Directory(
            document=version["document"],
            jurisdiction=version["jurisdiction"],
            effective_from=version["effective_from"],
            rows=tuple(_rows(version["document"], version["rows"])),
        )
        for version in table["version"]
    )


def _rows(document: str, file: str) -> Iterator[DirectoryRow]:
    lines = files("schemas").joinpath("data", file).read_text(encoding="utf-8").splitlines()
    for line in csv.DictReader(lines, strict=True):
        item = DirectoryItem.model_validate_strings(
            {"directory": line["directory"], "version": document, "row": line["row"], "name": line["name"]}
        )
        yield DirectoryRow(item, line["printed_number"], line["class"], line["remark"])


def duplicates(directory: Directory) -> list[str]:
    """Names that several rows of the directory bear, for the operator who brings in a new version."""
    return [name for name, count in Counter(row.item.name for row in directory.rows).items() if count > 1]


def _meanings(rows: Sequence[DirectoryRow]) -> Mapping[str, frozenset[int]]:
    names: dict[str, frozenset[int]] = {}
    for position, row in enumerate(rows):
        names.setdefault(folded(row.item.name), frozenset({position}))
    aliases: dict[str, frozenset[int]] = {}
    for position, row in enumerate(rows):
        first = names[folded(row.item.name)]
        if position in first:  # the later twin of a name adds no meaning
            for alias in row.aliases():
                aliases[alias] = aliases.get(alias, NOTHING) | first
    return aliases | names


def _path(text: str) -> str:
    return folded(text).replace(" /", "/").replace("/ ", "/")
