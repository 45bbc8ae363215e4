"""Apache Kafka as an embedded engine: one node, broker and controller in one (KRaft), on loopback."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from signal import SIGTERM
from typing import Final

from gateway.config import Bootstrap
from gateway.embedded.directory import made_whole, refuse_other_layout, stamp_layout
from gateway.embedded.engine import Engine
from gateway.embedded.errors import DataDirectoryVersionError
from gateway.embedded.identity import engine_user, give, place
from gateway.embedded.jars import JARS, KAFKA_VERSION, Jar, fetch, missing, secure
from gateway.embedded.java import find_java
from gateway.embedded.passwords import new_password
from gateway.embedded.ports import LOOPBACK, choose_port
from gateway.embedded.process import Command, folder
from gateway.embedded.progress import Progress, Stage

_STARTED = "Kafka Server started"
# The layout of meta.properties that this server reads.
_META_VERSION = "1"
_LARGEST_MESSAGE = 5 << 20

USERNAME = "mallgate"
MECHANISM: Final = "SCRAM-SHA-512"
"""How clients prove who they are: a stranger who takes the port of a stopped broker learns no password from them."""

_SCRATCH = "tmp"

_MODULES = "org.apache.kafka.common.security"

# One node, so one replica of everything; small internal topics and a small cleaner buffer, so that it starts fast.
# After a kill the controller lets the broker back in only once the session of the one before has run out; a machine
# that is too busy for heartbeats loses its only broker for as long. Kafka's own nine seconds are long after a kill.
_SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENTS:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "inter.broker.listener.name": "CLIENTS",
    "sasl.enabled.mechanisms": MECHANISM,
    "sasl.mechanism.inter.broker.protocol": MECHANISM,
    # The controller cannot look up what only it stores, so that its own listener has the password in its settings.
    "sasl.mechanism.controller.protocol": "PLAIN",
    "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{USERNAME}",
    "broker.session.timeout.ms": "6000",
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


def server_properties(port: int, controller_port: int, directory: str, password: str) -> str:
    """The server's configuration file. directory: where its data is, as the server can reach it."""
    login = f'username="{USERNAME}" password="{password}"'
    scram = f"{_MODULES}.scram.ScramLoginModule required {login};"
    plain = f'{_MODULES}.plain.PlainLoginModule required {login} user_{USERNAME}="{password}";'
    own = {
        "listeners": f"CLIENTS://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "log.dirs": directory,
        f"listener.name.clients.{MECHANISM.lower()}.sasl.jaas.config": scram,
        "listener.name.controller.plain.sasl.jaas.config": plain,
    }
    return "".join(f"{key}={value}\n" for key, value in {**_SETTINGS, **own}.items())


def format_arguments(cluster_id: str, configuration: str, password: str) -> str:
    """An argument file that makes Java format a data directory and let our user in.

    A file, because a command line can be read by everybody.
    """
    user = f"{MECHANISM}=[name={USERNAME},password={password}]"
    words = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", configuration, "--add-scram", user)
    return "\n".join(words) + "\n"


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
    def bootstrap(self) -> Bootstrap:
        """For clients: the address, and the one user that the broker knows."""
        servers = f"{LOOPBACK}:{self.port}"
        return Bootstrap(servers, "SASL_PLAINTEXT", MECHANISM, USERNAME, self._password)

    @property
    def _password(self) -> str:
        return self._password_file.read_text()

    @property
    def _password_file(self) -> Path:
        return self._directory / "password"

    async def _prepare(self, lock: int) -> None:
        self._java, _ = await asyncio.gather(asyncio.to_thread(find_java), self._fetch_jars())
        place(self._directory / "kafka_log4j2.properties", _own_text("kafka_log4j2.properties"))
        self._empty_scratch()
        data = self._directory / "data"
        if data.exists():
            self._refuse_foreign(data)
            return
        new_password(self._password_file)
        async with made_whole(data) as fresh:
            give(fresh, engine_user())
            await self._format(fresh, lock)
            (fresh / "kafka.version").write_text(KAFKA_VERSION)
            stamp_layout(fresh)

    async def _format(self, fresh: Path, lock: int) -> None:
        configuration, arguments = "format.properties", self._directory / "format.arguments"
        properties = server_properties(choose_port(), choose_port(), f"{folder(0)}/{fresh.name}", self._password)
        place(self._directory / configuration, properties)
        place(arguments, format_arguments(_cluster_id(), configuration, self._password))
        await self._run(self._command("-XX:TieredStopAtLevel=1", f"@{arguments.name}"), lock)
        arguments.unlink()
        (self._directory / configuration).unlink()

    def _serve(self, port: int) -> Command:
        properties = server_properties(port, choose_port(), f"{folder(0)}/data", self._password)
        place(self._directory / "server.properties", properties)
        return self._command("-Xms128m", "-Xmx512m", *_COMPILE_LATER, "kafka.Kafka", "server.properties")

    def _ready(self, pid: int) -> bool:
        return _STARTED in self._log.read_text(errors="replace")

    async def _fetch_jars(self) -> None:
        absent = await asyncio.to_thread(missing, JARS, self._jars)
        if absent:
            await self._download(absent)
        secure(self._jars)

    async def _download(self, absent: Sequence[Jar]) -> None:
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
        refuse_other_layout(data, engine_user())

    def _empty_scratch(self) -> None:
        """Compression libraries unpack themselves there at every start; a killed server leaves them."""
        scratch = self._directory / _SCRATCH
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        give(scratch, engine_user())

    def _command(self, *arguments: str) -> Command:
        class_path = os.pathsep.join(f"{folder(1)}/{jar.filename}" for jar in JARS)
        options = (
            "-XX:+UseSerialGC",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            f"-Djava.io.tmpdir={folder(0)}/{_SCRATCH}",
            f"-Dlog4j2.configurationFile={folder(0)}/kafka_log4j2.properties",
        )
        argv = (str(self._java), *options, "-cp", class_path, *arguments)
        folders = (str(self._directory), str(self._jars))
        return Command(argv, str(self._directory), {"LC_ALL": "C.UTF-8"}, user=engine_user(), folders=folders)


def _own_text(name: str) -> str:
    return files(__package__).joinpath(name).read_text()
