"""`mallgate run --workers N`: processes on the same ports that begin and end together, and look like one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from gateway.app import Addresses
from gateway.config import SECRETS, Settings, kafka_environment, variable
from gateway.sdk.errors import ConfigError, GatewayError
from gateway.telemetry.shared import FOLDER

SERVING = b"\n"
"""What a worker says to its parent once it takes requests."""


class WorkerDiedError(GatewayError):
    """A worker process ended by itself; the others were stopped."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process as its parent sees it. line: leads to it, and ends with whichever of the two ends first."""

    process: asyncio.subprocess.Process
    line: socket.socket


class Parent:
    """The parent as a worker sees it. descriptor: of the worker's end of their line."""

    def __init__(self, descriptor: int) -> None:
        self._line = socket.socket(fileno=descriptor)
        self._line.setblocking(False)

    def stop_with_it(self, stop: asyncio.Event) -> None:
        """Set `stop` when the parent is gone, however it went: nobody would be there to end the worker."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self._line)
            stop.set()

        loop.add_reader(self._line, gone)  # it never says anything: what there is to read is the end

    def serving(self) -> None:
        """Tell it that requests are taken."""
        with contextlib.suppress(OSError):
            self._line.send(SERVING)


async def run_workers(settings: Settings, stop: asyncio.Event, started: Callable[[Addresses], None]) -> None:
    """Run the workers until `stop` is set. started: told where they listen once all of them take requests.

    Raises WorkerDiedError when one ends by itself, after the others were stopped.
    """
    with _ports_of(settings) as ports, TemporaryDirectory(prefix="mallgate-") as folder:
        settings = settings.model_copy(update=ports)
        environment = worker_environment(settings, os.environ, Path(folder))
        workers = [await _start(environment) for _ in range(settings.workers)]
        ends = [asyncio.create_task(worker.process.wait()) for worker in workers]
        ending = [*ends, asyncio.create_task(stop.wait())]
        serving = asyncio.create_task(_serving(workers))
        await asyncio.wait([*ending, serving], return_when=asyncio.FIRST_COMPLETED)
        if serving.done() and serving.result():
            started(Addresses.of(settings))
            await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        died = not stop.is_set()
        await _end(workers, ends)
        for task in (ending[-1], serving):
            task.cancel()
    if died:
        raise WorkerDiedError


async def _start(environment: Mapping[str, str]) -> Worker:
    own, theirs = socket.socketpair()
    own.setblocking(False)
    with theirs:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "run", "--parent", str(theirs.fileno())),
            env=environment,
            start_new_session=True,
            pass_fds=[theirs.fileno()],
        )
    return Worker(process, own)


async def _serving(workers: Sequence[Worker]) -> bool:
    """Wait until every worker takes requests; False when one never will."""
    loop = asyncio.get_running_loop()
    replies = await asyncio.gather(*(loop.sock_recv(worker.line, len(SERVING)) for worker in workers))
    return all(each == SERVING for each in replies)


async def _end(workers: Sequence[Worker], ends: Sequence[asyncio.Task[int]]) -> None:
    for worker in workers:
        if worker.process.returncode is None:
            worker.process.terminate()
    await asyncio.gather(*ends)
    for worker in workers:
        worker.line.close()


@contextlib.contextmanager
def _ports_of(settings: Settings) -> Iterator[dict[str, int]]:
    """The ports of all workers; where any will do, those that are free and stay ours. Raises ConfigError."""
    wanted = {"port": settings.address, "admin_port": settings.admin_address, "ops_port": settings.ops_address}
    with contextlib.ExitStack() as stack:
        ports = {name: address.port for name, address in wanted.items()}
        for name, address in wanted.items():
            if address.port == 0:
                ports[name] = stack.enter_context(_free_port(address.host)).getsockname()[1]
        yield ports


def _free_port(host: str) -> socket.socket:
    """A socket that keeps a port without listening there. Raises ConfigError when nobody can."""
    try:
        family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        holder = socket.socket(family)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except OSError as error:
        raise ConfigError([f"host: {host} cannot be listened on: {error}"]) from error
    return holder


def worker_environment(settings: Settings, environ: Mapping[str, str], metrics: Path) -> dict[str, str]:
    """The environment of a worker: the parent's, with what arguments and the embedded engines changed.

    metrics: folder in which the workers count together.
    """
    own = {
        "MALLGATE_HOST": settings.host,
        "MALLGATE_PORT": str(settings.port),
        "MALLGATE_ROLES": ",".join(settings.roles),
        "MALLGATE_DATA_DIR": str(settings.data_dir),
        "MALLGATE_WORKERS": "1",
        FOLDER: str(metrics),
        **(kafka_environment(settings.bootstrap) if settings.bootstrap else {}),
    }
    for name in ("admin_port", "ops_port"):  # unset they follow the port in a worker too
        if (port := getattr(settings, name)) is not None:
            own[variable(name)] = str(port)
    for name in SECRETS:  # each in the one place it has
        secret: SecretStr | None = getattr(settings, name)
        file: Path | None = getattr(settings, f"{name}_file")
        if file is not None:
            own.pop(variable(name), None)
            own[variable(f"{name}_file")] = str(file)
        elif secret is not None:
            own[variable(name)] = secret.get_secret_value()
    kept = {name: value for name, value in environ.items() if name.removesuffix("_FILE") not in own}
    return kept | own
