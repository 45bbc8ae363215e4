"""`mallgate evidence`: exported, checked, spoilt and checked again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from gateway.store import Pool
from tests.integration.cli.conftest import Shell
from tests.integration.cli.test_orders import pool

__all__ = ["pool"]

pytestmark = pytest.mark.engines


def spoil(source: Path, target: Path) -> None:
    """The same file with another fact in its second entry."""
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w") as archive:
        for name in whole.namelist():
            content = whole.read(name)
            archive.writestr(name, content.replace(b'"attempt":1', b'"attempt":2') if "entries" in name else content)


async def test_evidence_is_exported_verified_and_a_spoilt_file_is_told(
    mallgate: Shell, pool: Pool, tmp_path: Path
) -> None:
    exported = await mallgate("evidence", "export", "ORDER-0")
    assert (exported.status, exported.err) == (0, "")
    file = "evidence-ORDER-0.zip"
    assert file in exported.out
    verified = await mallgate("evidence", "verify", file, "--json")
    assert (verified.status, verified.json["state"], verified.json["order_no"]) == (0, "ok", "ORDER-0")
    [chain] = verified.json["chains"]
    link = f"{chain['entries']}:{chain['head']}"
    assert (await mallgate("evidence", "verify", file, "--link", link)).status == 0
    unlinked = await mallgate("evidence", "verify", file, "--link", f"1:{'a' * 64}")
    assert (unlinked.status, "not_linked" in unlinked.err) == (1, True)
    spoil(tmp_path / file, tmp_path / "spoilt.zip")
    told = await mallgate("evidence", "verify", "spoilt.zip")
    assert told.status == 1
    assert "damaged (entry_changed) at entry 2: entry 2 is not what was recorded" in told.err
    for_machines = await mallgate("evidence", "verify", "spoilt.zip", "--json")
    assert (for_machines.status, for_machines.json["damage"], for_machines.json["position"]) == (1, "entry_changed", 2)


async def test_a_file_that_is_there_is_kept_and_what_is_no_file_is_said(mallgate: Shell, pool: Pool) -> None:
    mallgate.write("mine.zip", "mine")
    again = await mallgate("evidence", "export", "ORDER-0", "--output", "mine.zip")
    assert (again.status, again.out) == (1, "")
    assert "mine.zip is there already" in again.err
    assert (mallgate.folder / "mine.zip").read_text() == "mine"
    for file in ("mine.zip", "none.zip"):
        refused = await mallgate("evidence", "verify", file)
        assert (refused.status, "file_damaged" in refused.err) == (1, True)
    unknown = await mallgate("evidence", "export", "NONE")
    assert (unknown.status, "not_found" in unknown.err) == (1, True)
    redacted = await mallgate("evidence", "export", "ORDER-0", "--redacted", "--output", "r.zip", "--json")
    assert (redacted.status, redacted.json["redacted"]) == (0, True)
