"""Evidence files written by the documented format alone, by the standard library's JSON: the oracle of their tests."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ORDER_NO, SUPPLIER = "ORDER-1", "jd"
ZERO = "0" * 64
SALT = bytes(range(32))

Line = dict[str, Any]


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(domain: str, content: bytes) -> str:
    return hashlib.sha256(f"mallgate evidence {domain} v1\n".encode() + content).hexdigest()


def chained(said: Sequence[Mapping[str, Any]], *, order_no: str = ORDER_NO, supplier: str = SUPPLIER) -> list[Line]:
    """Lines of a chain. said: `kind`, and perhaps `facts` and `private`, of each entry."""
    lines: list[Line] = []
    for number, each in enumerate(said, 1):
        private = each.get("private")
        entry = {
            "order_no": order_no,
            "supplier": supplier,
            "position": number,
            "previous": lines[-1]["hash"] if lines else ZERO,
            "at": f"2026-07-01T08:00:{number % 60:02}.000000+00:00",
            "kind": each["kind"],
            "command_id": each.get("command_id"),
            "facts": each.get("facts", {}),
            "private": None if private is None else digest("private", SALT + canonical(private)),
        }
        line: Line = {"entry": entry, "hash": digest("entry", canonical(entry))}
        if private is not None:
            line["content"] = {"salt": SALT.hex(), "value": private}
        lines.append(line)
    return lines


def manifest(lines: Sequence[Line], **changes: Any) -> dict[str, Any]:
    """What is said of one chain, without the digest."""
    chain = {
        "file": "entries-1.jsonl",
        "supplier": SUPPLIER,
        "order_no": ORDER_NO,
        "entries": len(lines),
        "head": lines[-1]["hash"],
        "first_at": lines[0]["entry"]["at"],
        "last_at": lines[-1]["entry"]["at"],
    }
    return {
        "format": "mallgate evidence v1",
        "order_no": ORDER_NO,
        "redacted": False,
        "gateway": "1.0",
        "exported_at": "2026-07-02T00:00:00+00:00",
        "exported_by": "bootstrap:ann",
        "chains": [chain],
        "files": {},
        **changes,
    }


def signed(said: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest with its digest."""
    return {**said, "sha256": digest("manifest", canonical(said))}


def text_of(lines: Sequence[Line]) -> bytes:
    return b"".join(canonical(line) + b"\n" for line in lines)


def written(path: Path, entries: bytes, said: Mapping[str, Any], **others: bytes) -> Path:
    """A zip of lines and a manifest, and other files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("entries-1.jsonl", entries)
        archive.writestr("manifest.json", canonical(said) + b"\n")
        for name, content in others.items():
            archive.writestr(name, content)
    path.write_bytes(file.getvalue())
    return path
