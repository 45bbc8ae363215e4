"""README's quick start, pasted into a shell as it stands, on a port and in a home of the test's own."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).resolve().parents[2]
PORT = "8080"

pytestmark = [pytest.mark.engines, pytest.mark.timeout(300)]


def quick_start() -> str:
    """The shell lines under README's heading."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("\n## Quick start\n")[2]
    found = re.search(r"^```sh\n(.+?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    assert found, "README has no quick start"
    return found[1]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory that looks like a checkout with its .venv made; the lines leave their files here."""
    programs = tmp_path / ".venv" / "bin"
    programs.parent.mkdir()
    programs.symlink_to(Path(sys.executable).parent)
    (tmp_path / "Makefile").write_text("install: ;\n", encoding="utf-8")
    return tmp_path


def pasted(lines: str, directory: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run lines in a shell: its status, and what it and the gateway printed. Nothing of it outlives this call."""
    with subprocess.Popen(
        ["bash", "-c", lines],
        cwd=directory,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            printed, _ = shell.communicate(timeout=280)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return shell.returncode, printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="README's quick start needs curl")
def test_the_quick_start_can_be_pasted(tree: Path) -> None:
    port = free_port()
    lines = quick_start().replace(f"127.0.0.1:{PORT}", f"127.0.0.1:{port}") + "wait %1\n"
    status, printed = pasted(lines, tree, {"MALLGATE_PORT": port, "MALLGATE_DATA_DIR": str(tree / "data")})
    story = printed + (tree / "mallgate.log").read_text(encoding="utf-8")
    objects = [orjson.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert (status, len(objects)) == (0, 3), story
    ready, feed, report = objects
    assert ready["ready"] is True
    assert feed["items"] == {"normalized": 1, "rejected": 1}
    assert (report["sku"], report["outcome"]) == ("A-200", "rejected")
    assert '"agreement_price":"1299.00"' in printed
    assert "invalid_decimal" in printed
