"""Nothing of an engine outlives the program that opened it, however that ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from gateway.embedded import EmbeddedKafka, EmbeddedPostgres, Engine, Stage
from tests.integration.embedded.conftest import Deaths, hold, processes_of

pytestmark = [pytest.mark.engines, pytest.mark.crash]


@pytest.mark.parametrize("way", ["plain", "uvloop", "freeze"])
def test_a_killed_program_leaves_no_process(tmp_path: Path, way: str) -> None:
    with hold(tmp_path, way) as holder:
        holder.until("open")
        pids = holder.engine_pids()
        deaths = Deaths(pids)
        holder.process.kill()
        assert len(pids) > 6, "two guards, Kafka, PostgreSQL and its workers"
        assert deaths.survivors() == set()
    assert processes_of(tmp_path) == []


def test_a_worker_that_inherited_everything_does_not_keep_the_engines_alive(tmp_path: Path) -> None:
    with hold(tmp_path, "fork") as holder:
        said = holder.until("open")
        worker = next(int(line.split()[1]) for line in said if line.startswith("worker"))
        deaths = Deaths([pid for pid in holder.engine_pids() if pid != worker])
        holder.process.kill()
        survivors = deaths.survivors()
        assert psutil.pid_exists(worker)
        os.kill(worker, signal.SIGKILL)
        assert survivors == set()


@pytest.mark.parametrize("stage", ["prepare", "boot"])
@pytest.mark.parametrize("engine", ["kafka", "postgres"])
def test_a_program_killed_while_an_engine_comes_up_leaves_nothing_in_the_way(
    tmp_path: Path, engine: str, stage: str
) -> None:
    with hold(tmp_path) as holder:
        holder.until(f"{engine} {stage}")
        deaths = Deaths(holder.engine_pids())
        holder.process.kill()
        assert deaths.survivors() == set()
    with hold(tmp_path) as holder:
        holder.until("open")


@pytest.mark.parametrize("way", ["plain", "uvloop"])
def test_ctrl_c_shuts_the_engines_down_in_order(tmp_path: Path, way: str) -> None:
    with hold(tmp_path, way) as holder:
        holder.until("open")
        deaths = Deaths(holder.engine_pids())
        holder.process.send_signal(signal.SIGINT)
        holder.process.wait(60)
        assert deaths.survivors() == set()
    assert "database system is shut down" in (tmp_path / "postgres/postgres.log").read_text()
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("stage", ["prepare", "boot"])
def test_ctrl_c_while_the_engines_come_up_leaves_no_process(tmp_path: Path, stage: str) -> None:
    with hold(tmp_path) as holder:
        holder.until(f"kafka {stage}")
        deaths = Deaths(holder.engine_pids())
        holder.process.send_signal(signal.SIGINT)
        holder.process.wait(60)
        assert deaths.survivors() == set()
    assert processes_of(tmp_path) == []


def test_ctrl_c_at_the_terminal_reaches_the_program_and_not_the_engines(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        holder.until("open")
        sessions = {os.getsid(pid) for pid in holder.engine_pids()}
        assert os.getsid(holder.process.pid) not in sessions


def test_what_a_killed_server_orphans_goes_too_even_frozen(tmp_path: Path) -> None:
    with hold(tmp_path, "freeze") as holder:
        holder.until("open")
        server = int((tmp_path / "postgres/data/postmaster.pid").read_text().split()[0])
        deaths = Deaths([child.pid for child in psutil.Process(server).children()])
        os.kill(server, signal.SIGKILL)
        assert deaths.survivors() == set()


def test_a_killed_guard_takes_its_engine_with_it(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        holder.until("open")
        deaths = Deaths(holder.engine_pids())
        for guard in psutil.Process(holder.process.pid).children():
            guard.kill()
        assert deaths.survivors() == set()


@pytest.mark.parametrize("way", ["plain", "freeze"])
def test_a_killed_program_leaves_no_shared_memory(tmp_path: Path, way: str) -> None:
    with hold(tmp_path, way) as holder:
        holder.until("open")
        segment = (tmp_path / "postgres/data/postmaster.pid").read_text().splitlines()[6].split()[1]
        assert segment in shared_memory_segments()
        deaths = Deaths(holder.engine_pids())
        holder.process.kill()
        deaths.survivors()
    assert segment not in shared_memory_segments()


def shared_memory_segments() -> set[str]:
    """The ids of System V shared memory on this machine."""
    rows = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {row.split()[1] for row in rows}


async def test_the_engine_of_a_dead_program_is_waited_for(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        holder.until("open")
        guards = psutil.Process(holder.process.pid).children()
        for guard in guards:
            guard.suspend()  # so that they cannot end their engines yet
        holder.process.kill()
        holder.process.wait()

        engine = EmbeddedPostgres(tmp_path / "postgres")
        starting = asyncio.create_task(engine.start())
        done, _ = await asyncio.wait({starting}, timeout=0.5)
        for guard in guards:
            guard.resume()
        assert done == set(), "neither refused nor started beside the other"
        await starting
        await engine.stop()


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.BOOT])
@pytest.mark.parametrize("engine_class", [EmbeddedKafka, EmbeddedPostgres])
async def test_a_cancelled_start_leaves_no_process(tmp_path: Path, engine_class: type[Engine], stage: Stage) -> None:
    reached = asyncio.Event()
    engine = engine_class(tmp_path, progress=lambda step: reached.set() if step.stage is stage else None)
    starting = asyncio.create_task(engine.start())
    await reached.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert processes_of(tmp_path) == []


def test_a_program_that_runs_another_program_instead_of_itself_leaves_no_engine(tmp_path: Path) -> None:
    """A process can end as what it was without ending: exec keeps the pid."""
    script = (
        "import asyncio, os, sys; from pathlib import Path; from gateway.embedded import EmbeddedPostgres\n"
        "async def main():\n"
        "    engine = EmbeddedPostgres(Path(sys.argv[1]))\n"
        "    await engine.start()\n"
        "    print(engine.pid, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os.execv('/bin/sleep', ['sleep', '300'])\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        deaths = Deaths([int(program.stdout.readline())])
        program.stdin.write("\n")
        program.stdin.flush()
        survivors = deaths.survivors()
        program.kill()
    assert survivors == set()
