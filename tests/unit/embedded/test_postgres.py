"""The parts of the PostgreSQL engine that need no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.embedded.postgres import is_ready

PID_FILE = "4711\n/data\n1700000000\n5432\n\n127.0.0.1\n 1 2\n{status}\n"


def test_a_server_that_takes_connections_is_ready(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(PID_FILE.format(status="ready   "))
    assert is_ready(tmp_path / "postmaster.pid", 4711)


@pytest.mark.parametrize("status", ["starting", "stopping", "standby "])
def test_a_server_in_another_state_is_not_ready(tmp_path: Path, status: str) -> None:
    (tmp_path / "postmaster.pid").write_text(PID_FILE.format(status=status))
    assert not is_ready(tmp_path / "postmaster.pid", 4711)


def test_the_pid_file_of_an_earlier_server_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(PID_FILE.format(status="ready"))
    assert not is_ready(tmp_path / "postmaster.pid", 4712)


@pytest.mark.parametrize("written", ["", "4711\n", PID_FILE[:20]])
def test_a_half_written_pid_file_is_not_ready(tmp_path: Path, written: str) -> None:
    (tmp_path / "postmaster.pid").write_text(written)
    assert not is_ready(tmp_path / "postmaster.pid", 4711)


def test_no_pid_file_is_not_ready(tmp_path: Path) -> None:
    assert not is_ready(tmp_path / "postmaster.pid", 4711)
