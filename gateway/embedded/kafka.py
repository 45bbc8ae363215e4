"""Apache Kafka as an embedded engine: one node, broker and controller in one (KRaft), on loopback."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import uuid
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from signal import SIGTERM

from gateway.embedded.directory import made_whole
from gateway.embedded.engine import Engine
from gateway.embedded.errors import DataDirectoryVersionError
from gateway.embedded.jars import JARS, KAFKA_VERSION, fetch, missing
from gateway.embedded.java import find_java
from gateway.embedded.ports import LOOPBACK, choose_port
from gateway.embedded.process import Command
from gateway.embedded.progress import Progress, Stage

_STARTED = "Kafka Server started"
# The layout of meta.properties that this server reads.
_META_VERSION = "1"
_LARGEST_MESSAGE = 5 << 20

# One node, so one replica of everything; small internal topics and a small cleaner buffer, so that it starts fast.
# After a kill the controller lets the broker back in only once the session of the one before has run out.
_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "2",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": str(16 << 20),
    "message.max.bytes": str(_LARGEST_MESSAGE),
    "replica.fetch.max.bytes": str(_LARGEST_MESSAGE),
    "num.network.threads": "2",
    "num.io.threads": "4",
}

# Starting up calls many methods a few thousand times; optimising those costs as much as the start itself. Ten times the
# usual thresholds (measured: 2.7 s of CPU instead of 4.5) leave the optimising compiler to what is hot under load.
_COMPILE_LATER = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)


def server_properties(port: int, controller_port: int, data: str) -> str:
    """The server's configuration file. data: the log directory, relative to where the server runs.

    Relative because Kafka reads the file as Latin-1 and splits the value at commas, and the path is the user's.
    """
    place = {
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "log.dirs": data,
    }
    return "".join(f"{key}={value}\n" for key, value in {**_SETTINGS, **place}.items())


def mismatch(meta: str, written_by: str) -> str:
    """Why data cannot be served by this version, "" when it can.

    meta: the text of meta.properties; written_by: the version of the server that formatted the directory.
    """
    properties = dict(line.split("=", 1) for line in meta.splitlines() if "=" in line)
    layout = properties.get("version", "none")
    if layout != _META_VERSION:
        return f"layout {layout}, this one reads {_META_VERSION}"
    if _numbers(written_by) > _numbers(KAFKA_VERSION):
        return f"written by Kafka {written_by}, this is {KAFKA_VERSION}"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _cluster_id() -> str:
    """16 random bytes in URL-safe base64; the command line would take a leading dash for an option."""
    return "k" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def cache_directory(environment: Mapping[str, str]) -> Path:
    """Where downloads are kept: MALLGATE_CACHE_DIR, else `mallgate` in the user's cache directory."""
    if own := environment.get("MALLGATE_CACHE_DIR"):
        return Path(own).absolute()
    user_cache = environment.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user_cache).absolute() / "mallgate"


class EmbeddedKafka(Engine):
    """A real Kafka broker in `directory`. Besides what any engine raises at start: JavaMissingError, DownloadError."""

    name = "kafka"
    stop_signal = SIGTERM
    _java: Path

    def __init__(self, directory: Path, *, port: int | None = None, progress: Progress | None = None) -> None:
        super().__init__(directory, port=port, progress=progress)
        self._jars = cache_directory(os.environ) / f"kafka-{KAFKA_VERSION}"

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients."""
        return f"{LOOPBACK}:{self.port}"

    async def _prepare(self, lock: int) -> None:
        self._java = await asyncio.to_thread(find_java)
        await self._fetch_jars()
        self._place("kafka_log4j2.properties", files(__package__).joinpath("kafka_log4j2.properties").read_text())
        self._empty_scratch()
        data = self._directory / "data"
        if data.exists():
            self._refuse_foreign(data)
            return
        async with made_whole(data) as fresh:
            self._place("format.properties", server_properties(choose_port(), choose_port(), fresh.name))
            arguments = ("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", "format.properties")
            await self._run(self._command("-XX:TieredStopAtLevel=1", *arguments), lock)
            (fresh / "kafka.version").write_text(KAFKA_VERSION)

    def _serve(self, port: int) -> Command:
        self._place("server.properties", server_properties(port, choose_port(), "data"))
        return self._command("-Xms128m", "-Xmx512m", *_COMPILE_LATER, "kafka.Kafka", "server.properties")

    def _ready(self, pid: int) -> bool:
        return _STARTED in self._log.read_text(errors="replace")

    async def _fetch_jars(self) -> None:
        absent = missing(JARS, self._jars)
        if not absent:
            return
        total = sum(jar.size for jar in absent)
        done = 0

        def count(size: int) -> None:
            nonlocal done
            done = min(done + size, total)
            self._report(Stage.DOWNLOAD, done, total)

        loop = asyncio.get_running_loop()
        self._report(Stage.DOWNLOAD, 0, total)
        repository = os.environ.get("MALLGATE_MAVEN_REPOSITORY")
        await fetch(absent, self._jars, repository, lambda size: loop.call_soon_threadsafe(count, size))

    def _refuse_foreign(self, data: Path) -> None:
        meta, written_by = data / "meta.properties", data / "kafka.version"
        reason = mismatch(
            meta.read_text() if meta.exists() else "",
            written_by.read_text() if written_by.exists() else KAFKA_VERSION,
        )
        if reason:
            raise DataDirectoryVersionError(f"{data}: {reason}")

    def _empty_scratch(self) -> None:
        """Compression libraries unpack themselves there at every start; a killed server leaves them."""
        scratch = self._directory / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()

    def _place(self, name: str, text: str) -> None:
        (self._directory / name).write_text(text)

    def _command(self, *arguments: str) -> Command:
        class_path = os.pathsep.join(str(self._jars / jar.filename) for jar in JARS)
        options = (
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.io.tmpdir=tmp",
            "-Dlog4j2.configurationFile=kafka_log4j2.properties",
        )
        argv = (str(self._java), *options, "-cp", class_path, *arguments)
        return Command(argv, str(self._directory), {"LC_ALL": "C.UTF-8"})
