"""Refuses private words in identifiers and docstrings of the program; the glossary in ARCHITECTURE has the terms.

`python -m contrib.checks.words`, from the root of the tree: one line for each finding, exit status 1 when there is any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("gateway", "adapters", "schemas", "contrib")

IDENTIFIERS: Mapping[str, str] = {
    "anew": "again, restarted",
    "farewell": "stop_signal",
    "for_good": "permanently",
    "leash": "guard",
    "leashed": "guarded",
    "mourn": "handle_error",
    "patience": "timeout, wait_seconds",
    "patiently": "retrying_while_unavailable",
    "said": "event, content, common",
    "sighting": "record",
    "sightings": "records",
    "told": "reported, published, stated",
}
"""Words of identifiers that are refused, and what stands for them."""

DOCSTRINGS: Mapping[str, str] = {
    "anew": "again, restarted",
    "for good": "permanently",
    "leash": "guard",
    "mourn": "handle",
    "patiently": "retrying",
    "what is known of": "the state of",
}
"""Words and phrases of docstrings that are refused, and what stands for them."""

PUBLISHED = {("schemas/orders/invoices.py", "told")}
"""Members of messages that are published; their names stay."""

SELF = "contrib/checks/words.py"

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_PHRASES = re.compile(r"\b(?:" + "|".join(phrase.replace(" ", r"\s+") for phrase in DOCSTRINGS) + r")\b", re.IGNORECASE)


class Finding(NamedTuple):
    """A refused word, where it stands, and what to write instead."""

    path: str
    line: int
    where: str
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.where}: {self.word!r} is refused; write {self.instead}"


def find_words(path: str, text: str) -> Iterator[Finding]:
    """Every refused word in the identifiers that a module binds, and in its docstrings. Raises SyntaxError."""
    tree = ast.parse(text)
    for line, name in _bound_names(tree):
        if (path, name) in PUBLISHED:
            continue
        parts = "_".join(_PART.findall(name)).lower()
        for word, instead in IDENTIFIERS.items():
            if f"_{word}_" in f"_{parts}_":
                yield Finding(path, line, name, word, instead)
    for line, docstring in _docstrings(tree):
        for match in _PHRASES.finditer(docstring):
            phrase = " ".join(match[0].lower().split())
            yield Finding(path, line + docstring.count("\n", 0, match.start()), "docstring", phrase, DOCSTRINGS[phrase])


def find_in_modules(paths: Sequence[Path]) -> list[Finding]:
    """Every refused word of these files, and in their names."""
    found: list[Finding] = []
    for path in paths:
        if str(path) != SELF:
            found += find_words(str(path), f"{path.stem} = 0\n") if path.stem.isidentifier() else []
            found += find_words(str(path), path.read_text())
    return found


def _bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case _:
                pass


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Strings that stand alone: of modules, classes and functions, and behind fields and constants."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def main() -> int:
    """Print what is refused; the exit status."""
    found = find_in_modules([path for package in PACKAGES for path in sorted(Path(package).rglob("*.py"))])
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
