"""Engines have no rights but those over their own data, and know no secrets of the program that starts them."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError
from aiokafka.helpers import create_ssl_context

from gateway.embedded import (
    DataDirectoryOwnerError,
    DataDirectoryVersionError,
    EmbeddedKafka,
    EmbeddedPostgres,
    Engine,
    Engines,
)
from gateway.embedded import postgres as postgres_module
from gateway.embedded.identity import engine_environment, is_open, within_reach
from gateway.embedded.process import KILL_SECONDS, Command, run_guarded
from gateway.kafka import client_options
from tests.eventually import eventually
from tests.integration.embedded.conftest import Deaths, Holder, hold

pytestmark = pytest.mark.engines

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
ENGINES = pytest.mark.parametrize("engine_class", [EmbeddedKafka, EmbeddedPostgres])
SECRET = "what-nobody-else-may-know"


def engine_processes(holder: Holder) -> list[psutil.Process]:
    """The servers' own processes, without the guards."""
    guards = psutil.Process(holder.process.pid).children()
    return [process for guard in guards for process in guard.children(recursive=True)]


def status(process: psutil.Process) -> dict[str, list[str]]:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


def assert_without_rights(holder: Holder) -> None:
    found = [status(process) for process in engine_processes(holder)]
    assert len(found) > 6
    for each in found:
        assert "0" not in each["Uid"] + each["Gid"]
        assert each["Groups"] == []
        assert {int(each[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
        assert each["NoNewPrivs"] == ["1"]


def test_no_process_of_an_engine_has_rights_or_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MALLGATE_SECRET_KEY", "MALLGATE_ADMIN_TOKEN", "DATABASE_URL", "AWS_SECRET"):
        monkeypatch.setenv(name, SECRET)
    with hold(tmp_path) as holder:
        holder.until("open")
        if os.geteuid() == 0:
            assert_without_rights(holder)
        for process in psutil.Process(holder.process.pid).children(recursive=True):
            assert SECRET not in Path(f"/proc/{process.pid}/environ").read_text()


def test_no_password_stands_on_a_command_line(tmp_path: Path) -> None:
    seen: set[str] = set()
    with hold(tmp_path) as holder:
        for line in holder.output:
            for process in psutil.Process(holder.process.pid).children(recursive=True):
                try:
                    seen |= set(process.cmdline())
                except psutil.Error:  # one that only prepares has ended
                    continue
            if line.strip() == "open":
                break
    for engine in ("kafka", "postgres"):
        password = (tmp_path / engine / "password").read_text()
        assert not [word for word in seen if password in word]


async def test_what_a_program_is_told_by_its_environment_stands_on_no_command_line(tmp_path: Path) -> None:
    waits = "import os, time; print(os.environ['PASSWORD'], flush=True); time.sleep(600)"
    command = Command([sys.executable, "-c", waits], str(tmp_path), {"PASSWORD": SECRET})
    log = tmp_path / "log"
    async with run_guarded(command, log) as process:
        assert process is not None

        async def told() -> bool:
            return log.read_text() == f"{SECRET}\n"

        try:
            await eventually(told)
            guard = psutil.Process(process.pid).parent()
            assert guard is not None
            lines = [each.cmdline() for each in (guard, *guard.children(recursive=True))]
        finally:
            await process.signal(signal.SIGKILL, tree=True)
            await process.ended(KILL_SECONDS)
    assert len(lines) == 2
    assert not [word for line in lines for word in line if SECRET in word]
    assert SECRET not in repr(command)


@ROOT_ONLY
def test_what_holds_data_and_passwords_is_closed_to_everybody_else(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        holder.until("open")
        for engine in ("kafka", "postgres"):
            directory = tmp_path / engine
            assert stat.S_IMODE(directory.stat().st_mode) == 0o710
            assert stat.S_IMODE((directory / "data").stat().st_mode) == 0o700
            assert directory.stat().st_uid == 0
            assert (directory / "data").stat().st_uid != 0
        assert stat.S_IMODE((tmp_path / "kafka/server.properties").stat().st_mode) == 0o640
        assert not (tmp_path / "kafka/format.arguments").exists()
        assert not (tmp_path / "postgres/database.sql").exists()


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that any user may pass to."""
    place = Path(tempfile.mkdtemp())
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@ROOT_ONLY
def test_a_user_who_is_not_root_has_engines_too(open_place: Path) -> None:
    """Who keeps a right of root's, as some containers' users do, does not hand it on."""
    data_dir = open_place / "data"
    data_dir.mkdir(mode=0o700)
    user = pwd.getpwnam("nobody")  # initdb wants an account
    os.chown(data_dir, user.pw_uid, user.pw_gid)
    programs = Path(postgres_module.program("postgres")).parents[1]
    copy = within_reach(programs, "pginstall", open_place / "programs")
    paths = "" if copy == programs else str(copy.parent)
    become = ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
    keep = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")  # Python may lie in root's home
    wrapper = (*become, *keep, "env", f"PYTHONPATH={paths}:{Path.cwd()}")
    with hold(data_dir, wrapper=wrapper) as holder:
        holder.until("open")
        assert_without_rights(holder)
        assert {process.uids().real for process in engine_processes(holder)} == {user.pw_uid}
        deaths = Deaths(holder.engine_pids())
        holder.process.kill()
        assert deaths.survivors() == set()


@ENGINES
@ROOT_ONLY
async def test_a_directory_of_another_user_is_left_to_that_user(tmp_path: Path, engine_class: type[Engine]) -> None:
    directory = tmp_path / "engine"
    directory.mkdir()
    os.chown(directory, 12_345, 12_345)
    with pytest.raises(DataDirectoryOwnerError, match="12345"):
        await engine_class(directory).start()


@ENGINES
async def test_data_from_before_there_were_passwords_is_refused(tmp_path: Path, engine_class: type[Engine]) -> None:
    engine = engine_class(tmp_path)
    await engine.start()
    await engine.stop()
    (tmp_path / "data/mallgate.layout").unlink()
    with pytest.raises(DataDirectoryVersionError, match="layout 1"):
        await engine.start()


def test_the_environment_of_engines_is_a_list_of_what_is_let_through() -> None:
    given = {"PATH": "/bin", "HOME": "/h", "LC_TIME": "C", "TZ": "UTC", "JAVA_HOME": "/j", "LANG": "C"}
    secrets = {
        "MALLGATE_SECRET_KEY": "x",
        "PGPASSWORD": "x",
        "LD_PRELOAD": "x",
        "JDK_JAVA_OPTIONS": "x",
        "CLASSPATH": "x",
    }
    assert engine_environment(given | secrets) == given


@ROOT_ONLY
def test_programs_for_root_alone_are_copied_to_where_the_engine_can_read_them(open_place: Path) -> None:
    closed = open_place / "closed"
    (closed / "tree/bin").mkdir(parents=True)
    closed.chmod(0o700)
    program = closed / "tree/bin/program"
    program.write_text("#!/bin/sh\necho runs\n")
    program.chmod(0o700)
    copy = within_reach(closed / "tree", "tree-1.0", open_place / "copies")
    assert is_open(copy)
    said = subprocess.check_output(
        ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", str(copy / "bin/program")], text=True
    )
    assert said == "runs\n"
    assert within_reach(closed / "tree", "tree-1.0", open_place / "copies") == copy
    assert within_reach(copy, "elsewhere", open_place / "copies") == copy
    assert sorted(path.name for path in (open_place / "copies").iterdir()) == ["tree-1.0"]


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/mallgate-copied'",
        "CREATE TEMP TABLE seen (line text); COPY seen FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')",
        "SELECT lo_import('/etc/passwd')",
        "ALTER ROLE mallgate SUPERUSER",
        "CREATE ROLE another SUPERUSER",
        "ALTER SYSTEM SET archive_command = 'true'",
        "CREATE FUNCTION run() RETURNS int LANGUAGE c AS 'libc', 'system'",
        "GRANT pg_execute_server_program TO mallgate",
        "SET ROLE postgres",
    ],
)
async def test_the_gateways_role_cannot_reach_beyond_the_database(shared: Engines, statement: str) -> None:
    connection = await asyncpg.connect(shared.database_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize("user", ["postgres", "nobody", "root", pwd.getpwuid(os.geteuid()).pw_name])
async def test_no_other_role_gets_in(shared: Engines, user: str) -> None:
    parts = urlsplit(shared.database_url)
    with pytest.raises((asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError)):
        await asyncpg.connect(parts._replace(netloc=f"{user}:{parts.password}@127.0.0.1:{parts.port}").geturl())


@pytest.mark.parametrize(
    "options",
    [
        {"security_protocol": "PLAINTEXT"},
        {"sasl_plain_password": "guessed"},
        {"sasl_plain_username": "admin"},
        {"sasl_mechanism": "PLAIN"},
        {"sasl_mechanism": "SCRAM-SHA-256"},
        {"security_protocol": "SASL_SSL", "ssl_context": create_ssl_context()},
    ],
    ids=",".join,
)
async def test_who_does_not_know_the_password_gets_nothing_from_kafka(
    shared: Engines, options: dict[str, object]
) -> None:
    known = client_options(shared.kafka_bootstrap)
    consumer = AIOKafkaConsumer(**(known | options), request_timeout_ms=2000)
    with pytest.raises(KafkaConnectionError):
        await consumer.start()
    await consumer.stop()


async def test_the_controller_asks_for_the_password_too(shared: Engines) -> None:
    ports = {
        connection.laddr.port
        for connection in psutil.Process(shared.kafka.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    [controller] = ports - {shared.kafka.port}
    known = client_options(shared.kafka_bootstrap) | {"bootstrap_servers": f"127.0.0.1:{controller}"}
    for options in ({"security_protocol": "PLAINTEXT"}, {"sasl_mechanism": "PLAIN", "sasl_plain_password": "guessed"}):
        consumer = AIOKafkaConsumer(**(known | options), request_timeout_ms=2000)
        with pytest.raises(KafkaConnectionError):
            await consumer.start()
        await consumer.stop()


def test_two_programs_that_start_at_once_both_have_engines(tmp_path: Path) -> None:
    with hold(tmp_path / "one") as one, hold(tmp_path / "two") as two:
        one.until("open")
        two.until("open")
