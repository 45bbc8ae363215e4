"""Evidence written and read by its documented format alone, with the standard library's JSON: the oracle of tests."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.store import connect

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


async def chained_wrongly(database: str) -> list[str]:
    """What does not hold in the chains of a database at one moment, read by the documented format alone."""
    async with (
        connect(database, name="tests") as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        rows = await connection.fetch(
            "SELECT supplier, order_no, position, entry, hash FROM evidence ORDER BY supplier, order_no, position"
        )
        heads = {
            (row["supplier"], row["order_no"]): (row["position"], row["head"].hex())
            for row in await connection.fetch("SELECT * FROM evidence_chains")
        }
    ends: dict[tuple[str, str], tuple[int, str]] = {}
    wrong = []
    for row in rows:
        key = (row["supplier"], row["order_no"])
        position, previous = ends.get(key, (0, ZERO))
        entry = json.loads(row["entry"])
        said = (entry["supplier"], entry["order_no"], entry["position"], entry["previous"])
        ends[key] = (row["position"], row["hash"].hex())
        if said != (*key, position + 1, previous) or digest("entry", row["entry"].encode()) != row["hash"].hex():
            wrong.append(f"{key}, entry {row['position']}: {row['entry']}")
    differing = sorted(key for key in ends.keys() | heads.keys() if ends.get(key) != heads.get(key))
    return wrong + [f"{key} ends at {ends.get(key)}, its head is {heads.get(key)}" for key in differing]


async def kept_of(database: str, order_no: str, kind: str) -> list[dict[str, Any]]:
    """Facts of the entries of a kind, in the order of an order's chain."""
    async with connect(database, name="tests") as connection:
        rows = await connection.fetch("SELECT entry FROM evidence WHERE order_no = $1 ORDER BY position", order_no)
    entries = [json.loads(row["entry"]) for row in rows]
    return [entry["facts"] for entry in entries if entry["kind"] == kind]
