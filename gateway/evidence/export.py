"""The evidence of an order as one file: JSON lines of each chain, a manifest, and the script that checks them."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import orjson

from gateway.evidence import queries, verification
from gateway.evidence.entry import SALT_SIZE, canonical
from gateway.evidence.sealed import sealed_as
from gateway.sdk.errors import GatewayError
from gateway.store import Pool, Row, acquired, transaction
from gateway.store.audit import record
from gateway.suppliers import SecretBox, SecretUnreadableError

PAGE = 100
"""Entries read at a time: some megabytes at most."""

IN_MEMORY = 4 * 1024 * 1024
"""Bytes of a file from which on it lies on disk while it is sent."""

SCRIPT = "verify.py"
WRITTEN = (1980, 1, 1, 0, 0, 0)
"""Time of the files in a zip: the manifest has the true one."""


class NoEvidenceError(GatewayError):
    """Nothing was recorded of an order of this number."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """A chain as it stood when its export began; what is appended meanwhile is left out."""

    supplier: str
    order_no: str
    position: int
    head: str


class EvidenceExport:
    """Writes evidence for operators. box: opens what is personal."""

    def __init__(self, pool: Pool, box: SecretBox) -> None:
        self._pool = pool
        self._box = box

    async def export(self, order_no: str, *, redacted: bool, actor: str) -> IO[bytes]:
        """The file, from its beginning; the caller closes it. redacted: without what may be personal.

        That it was exported, and the heads of the chains, is in the audit. Raises NoEvidenceError.
        """
        ends = await self._ends(order_no, redacted=redacted, actor=actor)
        file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 -- the caller's to close
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                chains = [await self._write(archive, number, end, redacted) for number, end in enumerate(ends, 1)]
                script = await asyncio.to_thread(Path(verification.__file__).read_bytes)
                archive.writestr(_named(SCRIPT), script)
                manifest = _manifest(order_no, chains, script, actor, redacted=redacted)
                archive.writestr(_named(verification.MANIFEST), manifest + b"\n")
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return file

    async def _ends(self, order_no: str, *, redacted: bool, actor: str) -> Sequence[ChainEnd]:
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(queries.CHAINS, order_no)
            if not rows:
                raise NoEvidenceError
            ends = [ChainEnd(row["supplier"], row["order_no"], row["position"], row["head"].hex()) for row in rows]
            heads = {end.supplier: f"{end.position}:{end.head}" for end in ends}
            detail = {"redacted": redacted, "heads": heads}
            await record(connection, actor, "evidence.export", target=order_no, detail=detail)
        return ends

    async def _write(self, archive: zipfile.ZipFile, number: int, end: ChainEnd, redacted: bool) -> dict[str, Any]:
        """Write the lines of a chain; what the manifest says of it."""
        name, behind, times = f"entries-{number}.jsonl", 0, list[str]()
        with archive.open(_named(name), "w", force_zip64=True) as lines:
            while rows := await self._page(end, behind):
                text, found = await asyncio.to_thread(self._lines, end, rows, redacted)
                await asyncio.to_thread(lines.write, text)
                behind, times = rows[-1]["position"], [*times[:1], *found]
        return {
            "file": name,
            "supplier": end.supplier,
            "order_no": end.order_no,
            "entries": end.position,
            "head": end.head,
            "first_at": times[0] if times else None,
            "last_at": times[-1] if times else None,
        }

    async def _page(self, end: ChainEnd, behind: int) -> Sequence[Row]:
        async with acquired(self._pool) as connection:
            return await connection.fetch(queries.ENTRIES, end.supplier, end.order_no, behind, end.position, PAGE)

    def _lines(self, end: ChainEnd, rows: Sequence[Row], redacted: bool) -> tuple[bytes, list[str]]:
        """Lines of entries, and when these were."""
        lines = [self._line(end, row, redacted=redacted) for row in rows]
        return b"".join(canonical(line) + b"\n" for line in lines), [line["entry"]["at"] for line in lines]

    def _line(self, end: ChainEnd, row: Row, *, redacted: bool) -> dict[str, Any]:
        line = {"entry": orjson.loads(row["entry"]), "hash": row["hash"].hex()}
        if redacted or row["sealed"] is None:
            return line
        return {**line, "content": self._content(end, row)}

    def _content(self, end: ChainEnd, row: Row) -> Mapping[str, Any] | str:
        try:
            opened = self._box.open(end.supplier, sealed_as(end.order_no, row["position"]), row["sealed"])
        except SecretUnreadableError:
            return "unreadable"
        return {"salt": opened[:SALT_SIZE].hex(), "value": orjson.loads(opened[SALT_SIZE:])}


def _manifest(
    order_no: str, chains: Sequence[Mapping[str, Any]], script: bytes, actor: str, *, redacted: bool
) -> bytes:
    manifest = {
        "format": verification.FORMAT,
        "order_no": order_no,
        "redacted": redacted,
        "gateway": version("mallgate"),
        "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "exported_by": actor,
        "chains": list(chains),
        "files": {SCRIPT: hashlib.sha256(script).hexdigest()},
    }
    digest = hashlib.sha256(verification.MANIFEST_DOMAIN + canonical(manifest)).hexdigest()
    return canonical({**manifest, "sha256": digest})


def _named(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, WRITTEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info
