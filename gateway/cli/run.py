"""`mallgate run`: the gateway itself, in one process or several."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import structlog
import uvloop
from cyclopts import Parameter
from pydantic import SecretStr

from gateway import app
from gateway.cli.embedding import embedded_settings
from gateway.cli.instance import Instance, announced
from gateway.cli.signals import leaving_within, stop_on_signals
from gateway.config import ROLES, SECRETS, Role, Settings, kafka_environment, load_settings, variable
from gateway.sdk.errors import GatewayError
from gateway.telemetry.logging import configure

log = structlog.get_logger(__name__)


M_MMAP_THRESHOLD = -3
"""mallopt(3)."""

MAPPED_BYTES = 128 * 1024
"""Buffers from this size on are mapped."""


class WorkerDiedError(GatewayError):
    """A worker process ended by itself; the others were stopped."""


def run(
    *,
    embedded: Annotated[bool, Parameter(negative="")] = False,
    data_dir: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    roles: str | None = None,
    workers: int | None = None,
    share_port: Annotated[bool, Parameter(show=False, negative="")] = False,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C.

    Parameters
    ----------
    embedded
        Start a real Kafka and PostgreSQL in the data directory, for one machine without either.
    data_dir
        Where the embedded engines keep their data.
    host
        Address to listen on for vendors.
    port
        Port to listen on for vendors; unless settings say otherwise, /admin/v1 and /readyz are on the two after it.
    roles
        Comma-separated parts to run: intake, feeds, sessions, console; all by default.
    workers
        Processes to run.
    """
    given = {"data_dir": data_dir, "host": host, "port": port, "roles": _roles(roles), "workers": workers}
    settings = load_settings(**{name: value for name, value in given.items() if value is not None})
    configure(settings.log_format, settings.log_level)
    _collect_less_often()
    _give_memory_back()
    _allow_many_connections()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, embedded=embedded, share_port=share_port))


def _collect_less_often() -> None:
    """Chunks are many small objects without cycles; looking for those as often as usual takes a fifth of the CPU.

    The cycles that clients do make hold buffers, though: seldom enough to be cheap, and no seldomer.
    """
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


def _give_memory_back() -> None:
    """Have glibc map buffers of chunks and batches one by one, so that they return to the system when they are freed.

    Left alone it raises its threshold to the largest buffer seen, and keeps the holes they leave. Elsewhere than on
    glibc there is no such call and no such habit.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES)


def _allow_many_connections() -> None:
    """Each is an open file, of which systems often allow a thousand until they are asked for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _roles(text: str | None) -> tuple[Role, ...] | None:
    if text is None:
        return None
    wanted = {part.strip() for part in text.split(",")}
    return tuple(role for role in ROLES if role in wanted) + tuple(sorted(wanted - set(ROLES)))  # type: ignore[arg-type]


async def _run(settings: Settings, *, embedded: bool, share_port: bool) -> None:
    stop = stop_on_signals()
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(embedded_settings(settings)) if embedded else settings

        def started(addresses: app.Addresses) -> None:
            if embedded:
                stack.enter_context(announced(ready.data_dir, Instance.of(ready, addresses.admin)))
            log.info("process.started", **_told(addresses))

        if stop.is_set():
            return
        if ready.workers == 1:
            async with leaving_within(ready.drain_timeout, stop):
                await app.run(ready, stop=stop, started=started, reuse_port=share_port)
        else:
            started(app.Addresses.of(ready))
            await _supervise(ready, stop)


def _told(addresses: app.Addresses) -> dict[str, str | None]:
    """Where to find what; url: of the vendors' API."""
    url, admin = (address and address.url for address in (addresses.vendors, addresses.admin))
    return {"url": url, "docs": url and f"{url}/docs", "admin": admin, "ops": addresses.ops.url}


async def _supervise(settings: Settings, stop: asyncio.Event) -> None:
    """Run the workers as processes of their own on one port; when one ends by itself, stop all."""
    own = _for_workers(settings)
    environment = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in own} | own
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "run", "--share-port", env=environment, start_new_session=True
        )
        for _ in range(settings.workers)
    ]
    ends = [asyncio.create_task(process.wait()) for process in processes]
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([*ends, stopping], return_when=asyncio.FIRST_COMPLETED)
    died = not stop.is_set()
    stopping.cancel()
    for process in processes:
        if process.returncode is None:
            process.terminate()
    await asyncio.gather(*ends)
    if died:
        raise WorkerDiedError


def _for_workers(settings: Settings) -> dict[str, str]:
    """The settings that arguments and the embedded engines changed, as a worker's environment."""
    own = {
        "MALLGATE_HOST": settings.host,
        "MALLGATE_PORT": str(settings.port),
        "MALLGATE_ADMIN_HOST": settings.admin_host,
        "MALLGATE_ADMIN_PORT": str(settings.admin_address.port),
        "MALLGATE_OPS_HOST": settings.ops_host,
        "MALLGATE_OPS_PORT": str(settings.ops_address.port),
        "MALLGATE_TRUSTED_PROXIES": ",".join(map(str, settings.trusted_proxies)),
        "MALLGATE_ROLES": ",".join(settings.roles),
        "MALLGATE_DATA_DIR": str(settings.data_dir),
        "MALLGATE_WORKERS": "1",
        **(kafka_environment(settings.bootstrap) if settings.bootstrap else {}),
    }
    for name in SECRETS:  # each in the one place it has
        secret: SecretStr | None = getattr(settings, name)
        file: Path | None = getattr(settings, f"{name}_file")
        if file is not None:
            own.pop(variable(name), None)
            own[variable(f"{name}_file")] = str(file)
        elif secret is not None:
            own[variable(name)] = secret.get_secret_value()
    return own
