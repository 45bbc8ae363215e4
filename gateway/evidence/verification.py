"""Checks an exported evidence file. This script needs nothing but Python's standard library, 3.8 or newer.

    python verify.py FILE.zip [POSITION:HASH]

FILE.zip is what `mallgate evidence export` wrote. POSITION:HASH is a link of its chain that was noted down earlier; it
shows that nobody wrote the whole chain again. Exit status 0: every link holds; 1: the first that does not is named.
"""

from __future__ import annotations

import argparse
import hashlib
import json  # noqa: TID251 -- the standard library is all that this script may need
import sys
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

ENTRY_DOMAIN = b"mallgate evidence entry v1\n"
PRIVATE_DOMAIN = b"mallgate evidence private v1\n"
MANIFEST_DOMAIN = b"mallgate evidence manifest v1\n"
FIRST = "0" * 64
"""Stands for the hash before the first entry."""

FORMAT = "mallgate evidence v1"
MANIFEST = "manifest.json"
LONGEST_LINE = 64 * 1024 * 1024


class DamageError(Exception):
    """The first thing that does not hold. kind: what was done to it; place: where; words: what is wrong."""

    def __init__(self, kind: str, words: str, *, supplier: str = "", position: int | None = None) -> None:
        super().__init__(words)
        self.kind = kind
        self.words = words
        self.supplier = supplier
        self.position = position


class Chain(NamedTuple):
    """A chain that holds. unreadable: entries whose content could not be opened when the file was written."""

    supplier: str
    order_no: str
    entries: int
    head: str
    unreadable: int


def verify(path: str, link: tuple[int, str] | None = None) -> tuple[dict[str, Any], list[Chain]]:
    """The manifest and the chains of a file of which everything holds. Raises DamageError."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(_member(archive, MANIFEST))
            found = [_chain(archive, manifest, each, link) for each in manifest["chains"]]
            _refuse_more(archive, manifest)
    except DamageError:
        raise
    except Exception as error:  # whatever a spoilt zip has its readers raise
        raise DamageError("file_damaged", f"the file is no whole zip: {error}") from error
    if link is not None and not any(leads_through for _, leads_through in found):
        words = "no chain leads through the link that was given"
        raise DamageError("not_linked", words, position=link[0])
    return manifest, [chain for chain, _ in found]


def canonical(value: object) -> bytes:
    """A value as the one JSON that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _manifest(text: bytes) -> dict[str, Any]:
    found = _value(text, "manifest_damaged", "the manifest")
    digest = found.pop("sha256", None)
    if digest != hashlib.sha256(MANIFEST_DOMAIN + canonical(found)).hexdigest():
        raise DamageError("manifest_damaged", "the manifest is not what was written")
    if found.get("format") != FORMAT:
        raise DamageError("manifest_damaged", f"the format is not {FORMAT}")
    if not _describes_chains(found):
        raise DamageError("manifest_damaged", "the manifest does not describe its chains")
    for each in found["chains"]:
        if each["order_no"] != found["order_no"]:
            raise DamageError("other_order", "the manifest has a chain of another order", supplier=each["supplier"])
    return found


def _describes_chains(found: dict[str, Any]) -> bool:
    chains, files = found.get("chains"), found.get("files")
    if not isinstance(chains, list) or not isinstance(files, dict) or not isinstance(found.get("redacted"), bool):
        return False
    texts = ("file", "supplier", "order_no", "head")
    return all(
        isinstance(each, dict)
        and all(isinstance(each.get(name), str) for name in texts)
        and isinstance(each.get("entries"), int)
        for each in chains
    )


def _chain(
    archive: zipfile.ZipFile, manifest: dict[str, Any], described: dict[str, Any], link: tuple[int, str] | None
) -> tuple[Chain, bool]:
    """A chain, and whether it leads through the link."""
    supplier, count = described["supplier"], described["entries"]
    previous, position, unreadable = FIRST, 0, 0
    leads_through = False
    for line in _lines(archive, described["file"]):
        position += 1
        entry, digest, opened = _line(line, supplier, position)
        _follows(entry, digest, previous, described, position)
        unreadable += _content(entry, opened, supplier, position, redacted=manifest["redacted"])
        previous = digest
        leads_through = leads_through or (position, digest) == link
    if position < count:
        words = f"the entries from {position + 1} to {count} are missing"
        raise DamageError("end_missing", words, supplier=supplier, position=position + 1)
    if previous != described["head"]:
        raise DamageError("head_differs", "the manifest has another head", supplier=supplier, position=position)
    return Chain(supplier, described["order_no"], count, previous, unreadable), leads_through


def _line(line: bytes, supplier: str, position: int) -> tuple[dict[str, Any], str, Any]:
    """The entry of a line, its hash as the line has it, and its content. A line is written in one way alone."""
    found = _value(line, "line_damaged", f"line {position}", supplier=supplier, position=position)
    entry, digest = found.get("entry"), found.get("hash")
    if not isinstance(entry, dict) or not isinstance(digest, str) or set(found) - {"entry", "hash", "content"}:
        raise DamageError("line_damaged", f"line {position} is no entry", supplier=supplier, position=position)
    if hashlib.sha256(ENTRY_DOMAIN + canonical(entry)).hexdigest() != digest:
        words = f"entry {position} is not what was recorded"
        raise DamageError("entry_changed", words, supplier=supplier, position=position)
    return entry, digest, found.get("content")


def _follows(entry: dict[str, Any], digest: str, previous: str, described: dict[str, Any], position: int) -> None:
    supplier = described["supplier"]
    if (entry.get("order_no"), entry.get("supplier")) != (described["order_no"], supplier):
        words = f"entry {position} is of another order"
        raise DamageError("other_order", words, supplier=supplier, position=position)
    if entry.get("position") != position:
        words = f"where entry {position} should stand is entry {entry.get('position')}"
        raise DamageError("entry_missing", words, supplier=supplier, position=position)
    if entry.get("previous") != previous:
        words = f"entry {position} does not follow the one before it"
        raise DamageError("link_broken", words, supplier=supplier, position=position)
    if position > described["entries"]:
        words = f"entry {position} was appended"
        raise DamageError("entry_appended", words, supplier=supplier, position=position)


def _content(entry: dict[str, Any], opened: Any, supplier: str, position: int, *, redacted: bool) -> bool:
    """Check the content against its digest; whether there is one that could not be opened."""
    digest = entry.get("private")
    if redacted or digest is None:
        if opened is not None:
            words = f"entry {position} has a content that was not recorded"
            raise DamageError("content_changed", words, supplier=supplier, position=position)
        return False
    if opened == "unreadable":
        return True
    try:
        salted = PRIVATE_DOMAIN + bytes.fromhex(opened["salt"]) + canonical(opened["value"])
    except (TypeError, KeyError, ValueError):
        salted = b""
    if hashlib.sha256(salted).hexdigest() != digest:
        words = f"the content of entry {position} is not what was recorded"
        raise DamageError("content_changed", words, supplier=supplier, position=position)
    return False


def _value(text: bytes, kind: str, what: str, *, supplier: str = "", position: int | None = None) -> dict[str, Any]:
    """An object that is written as it was hashed: one byte more or less is seen."""
    try:
        found = json.loads(text.decode(), parse_float=_refuse, parse_constant=_refuse)
        if isinstance(found, dict) and canonical(found) == text:
            return found
    except (ValueError, RecursionError):
        pass
    raise DamageError(kind, f"{what} is not as it was written", supplier=supplier, position=position)


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _lines(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    try:
        opened = archive.open(name)
    except KeyError as error:
        raise DamageError("file_damaged", f"{name} is missing") from error
    with opened as lines:
        while True:
            line = lines.readline(LONGEST_LINE)
            if not line:
                return
            if not line.endswith(b"\n"):
                raise DamageError("file_damaged", f"{name} ends within a line")
            yield line[:-1]


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    return b"\n".join(_lines(archive, name))


def _refuse_more(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    """Entries in a file that the manifest does not name would be read by people and checked by nobody."""
    known = [MANIFEST, *(each["file"] for each in manifest["chains"]), *manifest["files"]]
    if sorted(archive.namelist()) != sorted(known):
        raise DamageError("file_damaged", "the zip has other files than the manifest names")
    for name, digest in manifest["files"].items():
        if hashlib.sha256(archive.read(name)).hexdigest() != digest:
            raise DamageError("file_damaged", f"{name} is not what was written")


def describe_result(path: str, link: tuple[int, str] | None = None) -> tuple[int, str]:
    """Exit status and verdict of a file."""
    try:
        manifest, chains = verify(path, link)
    except DamageError as damage:
        place = f" at entry {damage.position}" if damage.position else ""
        of = f" of {damage.supplier}" if damage.supplier else ""
        return 1, f"DAMAGED ({damage.kind}){place}{of}: {damage.words}"
    coverage = "without what may be personal" if manifest["redacted"] else "with everything"
    lines = [f"OK: order {manifest['order_no']}, {coverage}, written {manifest['exported_at']}"]
    for chain in chains:
        lines.append(f"  {chain.supplier}: {chain.entries} entries, head {chain.entries}:{chain.head}")
        if chain.unreadable:
            lines.append(f"  of {chain.unreadable} entries the content could not be opened when the file was written")
    return 0, "\n".join(lines)


def _link(text: str) -> tuple[int, str]:
    position, _, digest = text.partition(":")
    if len(digest) != len(FIRST):
        raise ValueError
    return int(position), digest


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the file that the command line names."""
    parser = argparse.ArgumentParser(description="Checks an evidence file of mallgate.")
    parser.add_argument("file")
    parser.add_argument("link", nargs="?", type=_link, help="POSITION:HASH noted down earlier")
    given = parser.parse_args(arguments)
    status, words = describe_result(given.file, given.link)
    print(words)  # noqa: T201 -- it is a script
    return status


if __name__ == "__main__":
    sys.exit(main())
