"""What a server's log means for who started it, and the ports it is given."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.embedded.engine import diagnose
from gateway.embedded.errors import DiskFullError, EngineError, EngineStartError, PortTakenError
from gateway.embedded.java import major_version
from gateway.embedded.ports import choose_port, is_free

LOG = Path("/data/kafka.log")
PLENTY = 1 << 40


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("java.io.IOException: No space left on device", DiskFullError),
        ("could not write to file: Disk quota exceeded", DiskFullError),
        ("java.net.BindException: Address already in use", PortTakenError),
        ("something nobody has seen", EngineStartError),
    ],
)
def test_a_log_line_names_the_error(line: str, error: type[EngineError]) -> None:
    assert type(diagnose("kafka", ["starting", line], LOG, free=PLENTY)) is error


def test_a_full_disk_is_seen_even_when_the_log_could_not_be_written() -> None:
    assert type(diagnose("kafka", [], LOG, free=0)) is DiskFullError


def test_an_unknown_failure_shows_the_end_of_the_log_on_one_line() -> None:
    error = diagnose("kafka", [f"line {number}" for number in range(100)], LOG, free=PLENTY)
    assert "line 99" in str(error)
    assert str(LOG) in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("error", EngineError.__subclasses__())
def test_every_error_says_in_one_line_what_it_is_about(error: type[EngineError]) -> None:
    assert str(error()) == (error.__doc__ or "").strip()
    assert str(error("/data")).endswith(": /data")
    assert error("/data").problems == (str(error("/data")),)


def test_a_listened_port_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_chosen_port_is_never_one_that_the_kernel_gives_to_outgoing_connections() -> None:
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert all(not lowest <= choose_port() <= highest for _ in range(200))


@pytest.mark.parametrize(
    ("told", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 1),
        ('openjdk version "25" 2025-09-16', 25),
        ("The operation could not be completed. Unable to locate a Java Runtime.", 0),
    ],
)
def test_the_major_version_of_a_java(tmp_path: Path, told: str, major: int) -> None:
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{told}' >&2\n")
    java.chmod(0o755)
    assert major_version(java) == major
