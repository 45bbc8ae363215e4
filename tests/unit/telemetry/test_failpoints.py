"""Crash points do nothing unless armed, and then exactly what was asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.sdk.errors import ConfigError
from gateway.telemetry.failpoints import POINTS, read_failpoint

PROGRAM = """
from gateway.telemetry.failpoints import failpoint
for _ in range(3):
    failpoint("publish.before")
    print("passed", flush=True)
"""


def run(fault: str, mark: Path) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"MALLGATE_FAULT": fault, "MALLGATE_FAULT_MARK": str(mark)}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("fault", "passed", "status"),
    [
        ("publish.before=kill", 0, -signal.SIGKILL),
        ("publish.before:3=kill", 2, -signal.SIGKILL),
        ("publish.before:2=exit", 1, 70),
    ],
)
def test_an_armed_point_ends_the_program_at_the_nth_time(tmp_path: Path, fault: str, passed: int, status: int) -> None:
    mark = tmp_path / "mark"
    ended = run(fault, mark)
    assert ended.stdout.count("passed") == passed
    assert ended.returncode == status
    assert mark.read_text() == "publish.before\n"


@pytest.mark.parametrize("fault", ["", "publish.after=kill", "publish.before:4=kill"])
def test_other_points_and_other_times_let_it_pass(tmp_path: Path, fault: str) -> None:
    mark = tmp_path / "mark"
    ended = run(fault, mark)
    assert (ended.returncode, ended.stdout.count("passed")) == (0, 3)
    assert not mark.exists()


def test_a_frozen_program_goes_on_when_it_is_thawed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    environ = os.environ | {"MALLGATE_FAULT": "publish.before:2=stop", "MALLGATE_FAULT_MARK": str(mark)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environ, stdout=subprocess.PIPE, text=True) as program:
        _, status = os.waitpid(program.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert mark.read_text() == "publish.before\n"
        program.send_signal(signal.SIGCONT)
        out, _ = program.communicate()
    assert (program.returncode, out.count("passed")) == (0, 3)


@pytest.mark.parametrize("point", POINTS)
def test_every_point_can_be_armed(point: str) -> None:
    trap = read_failpoint({"MALLGATE_FAULT": f"{point}:2=stop"})
    assert trap is not None
    assert (trap.point, trap.left, trap.act) == (point, 2, "stop")


@pytest.mark.parametrize("fault", ["nowhere=kill", "publish.before", "publish.before:0=kill", "publish.before=sleep"])
def test_what_cannot_be_armed_is_told(fault: str) -> None:
    with pytest.raises(ConfigError, match="MALLGATE_FAULT"):
        read_failpoint({"MALLGATE_FAULT": fault})
