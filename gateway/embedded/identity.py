"""Whom the engines run as. They never have the rights of root: when the program is root, they run as a user of their
own who has no account, no groups and no capabilities, and reach what they need through directories opened for them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from gateway.embedded.errors import DataDirectoryOwnerError, EngineStartError

User: TypeAlias = tuple[int, int]
"""uid and gid."""

# From the range that systemd gives to services without an account; nobody logs in as this, and nothing else runs as it.
_WITHOUT_ACCOUNT: User = (64_321, 64_321)

# An account that every system has, for programs that look up who they are.
_UNPRIVILEGED = "nobody"

# Copies of programs that lie where only root may enter.
_PROGRAMS = Path("/var/cache/mallgate")

_ALLOWED = frozenset({"PATH", "HOME", "LANG", "TZ", "JAVA_HOME"})


def engine_user() -> User | None:
    """Whom the servers run as; None: as we are, because we are not root."""
    return _WITHOUT_ACCOUNT if os.geteuid() == 0 else None


def account_user() -> User | None:
    """Whom a preparing program runs as that must find its user in the account database; None: as we are."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam(_UNPRIVILEGED)
    return account.pw_uid, account.pw_gid


def engine_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What an engine is told of the program's environment: where programs are and how texts look, and no secrets."""
    return {name: value for name, value in environment.items() if name in _ALLOWED or name.startswith("LC_")}


def give(path: Path, user: User | None) -> None:
    """Make the user, if there is one, the owner of a file, or of a directory with all that is in it."""
    if user is None:
        return
    inside = [Path(parent) / name for parent, folders, files in os.walk(path) for name in (*folders, *files)]
    try:
        for each in (path, *inside):
            os.chown(each, *user, follow_symlinks=False)
    except OSError as error:
        raise EngineStartError(f"{path} cannot be given to user {user[0]}: {error.strerror}") from error


def open_directory(directory: Path) -> None:
    """Make an engine's directory: ours to write to, its server's to pass through, and closed to everybody else."""
    directory.mkdir(parents=True, exist_ok=True)
    refuse_foreign_owner(directory, os.geteuid())
    directory.chmod(0o700 if engine_user() is None else 0o710)
    _share(directory)


def place(path: Path, text: str) -> None:
    """Write a file that its server may read and nobody else may; it appears whole or not at all."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if engine_user() is not None:
            Path(draft).chmod(0o640)
            _share(Path(draft))
        Path(draft).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(draft).unlink()
        raise


def _share(path: Path) -> None:
    if user := engine_user():
        os.chown(path, -1, user[1])


def refuse_foreign_owner(path: Path, uid: int) -> None:
    """Raises DataDirectoryOwnerError when the path belongs to another user than it should."""
    owner = path.stat().st_uid
    if owner != uid:
        raise DataDirectoryOwnerError(f"{path} belongs to user {owner}, not to {uid}")


def within_reach(tree: Path, name: str, copies: Path = _PROGRAMS) -> Path:
    """A directory of programs as the server's user can enter it: the tree itself, else a copy.

    name: says what the tree holds and in which version; one that was copied before is used again.
    """
    if engine_user() is None or is_open(tree):
        return tree
    copy = copies / name
    if not copy.exists():
        _copy(tree, copy)
    return copy


def is_open(path: Path) -> bool:
    """Whether every user may pass to the path and read it."""
    passable = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
    return passable and path.stat().st_mode & 0o005 == 0o005


def _copy(tree: Path, copy: Path) -> None:
    try:
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        refuse_foreign_owner(copy.parent, 0)
        fresh = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(tree, fresh, symlinks=True, dirs_exist_ok=True)
        for each in _all_of(fresh):
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & stat.S_IXUSR else 0o644)
        fresh.rename(copy)
    except OSError as error:
        if not copy.exists():  # another program was quicker
            raise EngineStartError(f"{tree} is for root alone and cannot be copied to {copy}: {error}") from error


def _all_of(tree: Path) -> Iterator[Path]:
    yield tree
    yield from (path for path in tree.rglob("*") if not path.is_symlink())
