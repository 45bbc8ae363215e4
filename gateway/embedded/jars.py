"""Kafka's jars: pinned in `kafka_jars.lock` with size and SHA-256, fetched from a Maven repository, cached."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.embedded.errors import CacheUnsafeError, DiskFullError, DownloadError

if TYPE_CHECKING:
    from jgo.maven import MavenContext

_PARALLEL_DOWNLOADS = 6
_TRIES = 3
_SECONDS_BETWEEN_TRIES = 0.3
_SERVER = "org.apache.kafka:kafka_2.13"

OnBytes = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned jar. coordinate: group:artifact:version; size: bytes; sha256: lower-case hex."""

    coordinate: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """Its name in the cache, as in a repository."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_lock(text: str) -> tuple[Jar, ...]:
    """The jars of a lock file: `coordinate size sha256` on a line, `#` begins a comment line."""
    rows = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows)


JARS = read_lock(files(__package__).joinpath("kafka_jars.lock").read_text())
KAFKA_VERSION = next(jar.coordinate.rpartition(":")[2] for jar in JARS if jar.coordinate.startswith(_SERVER + ":"))


def missing(jars: Sequence[Jar], directory: Path) -> list[Jar]:
    """The jars that are not in the directory as they are pinned, every byte of them (45 jars: a tenth of a second)."""
    return [jar for jar in jars if not _is_pinned(directory / jar.filename, jar)]


def _is_pinned(path: Path, jar: Jar) -> bool:
    return path.is_file() and path.stat().st_size == jar.size and _sha256(path) == jar.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def secure(directory: Path) -> None:
    """Close the cache to everybody else's writing; what is in it may be read. Raises CacheUnsafeError.

    A cache that root filled for all is as good as our own.
    """
    for path in (directory, *directory.glob("*.jar")):
        found = path.lstat()
        if found.st_uid == os.geteuid():
            path.chmod(0o755 if path is directory else 0o644)
        elif found.st_uid != 0 or found.st_mode & 0o022:
            raise CacheUnsafeError(f"{path} belongs to user {found.st_uid}, mode {found.st_mode & 0o777:o}")


async def fetch(jars: Sequence[Jar], directory: Path, repository: str | None, on_bytes: OnBytes) -> None:
    """Download jars into the directory; `on_bytes` is called with byte counts, from other threads.

    repository: base address of a Maven repository, None for Maven Central. Raises DownloadError, DiskFullError.
    """
    cancelled = threading.Event()
    try:
        await asyncio.to_thread(_fetch, jars, directory, repository, on_bytes, cancelled)
    finally:
        cancelled.set()


class _CancelledError(Exception):
    """The caller waits no more."""


def _fetch(
    jars: Sequence[Jar], directory: Path, repository: str | None, on_bytes: OnBytes, cancelled: threading.Event
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory, cancelled):
        fresh = directory / "partial"
        shutil.rmtree(fresh, ignore_errors=True)
        context = _context(fresh, repository, on_bytes, cancelled)
        with ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
            downloads = [pool.submit(_download, jar, context, directory, cancelled) for jar in missing(jars, directory)]
            try:
                for download in as_completed(downloads):
                    download.result()
            finally:
                cancelled.set()
                pool.shutdown(cancel_futures=True)
        shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _alone(directory: Path, cancelled: threading.Event) -> Iterator[None]:
    """One program downloads at a time; the next finds the jars in place."""
    with (directory / "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if cancelled.wait(0.1):
                    raise _CancelledError from None
        yield


def _context(fresh: Path, repository: str | None, on_bytes: OnBytes, cancelled: threading.Event) -> MavenContext:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - half a second that a filled cache spares

    def count(size: int) -> None:
        if cancelled.is_set():
            raise _CancelledError
        on_bytes(size)

    @contextmanager
    def counting(_filename: str, _total: int) -> Iterator[Callable[[int], None]]:
        yield count

    remote = {"configured": repository.rstrip("/")} if repository else None
    return MavenContext(PythonResolver(progress_callback=counting), repo_cache=fresh, remote_repos=remote)


def _download(jar: Jar, context: MavenContext, directory: Path, cancelled: threading.Event) -> None:
    for _ in range(_TRIES - 1):
        try:
            return _download_once(jar, context, directory)
        except DownloadError:
            if cancelled.wait(_SECONDS_BETWEEN_TRIES):
                raise
    return _download_once(jar, context, directory)


def _download_once(jar: Jar, context: MavenContext, directory: Path) -> None:
    """Fetch one jar aside, check it, and only then put it in its place."""
    for remainder in context.repo_cache.rglob(jar.filename):
        remainder.unlink()
    group, artifact, version = jar.coordinate.split(":")
    try:
        path = context.project(group, artifact).at_version(version).artifact().resolve()
    except _CancelledError:
        raise
    except Exception as error:  # jgo raises RuntimeError, what requests raises (OSErrors as well) and plain OSErrors
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(str(directory)) from error
        raise DownloadError(f"{jar.coordinate}: {error}") from error
    if _sha256(path) != jar.sha256:
        raise DownloadError(f"{jar.coordinate} is not what its pinned SHA-256 says")
    path.replace(directory / jar.filename)
