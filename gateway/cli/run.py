"""`mallgate run`: the gateway itself, in one process or several."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import resource
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import structlog
import uvloop
from cyclopts import Parameter

from gateway import app
from gateway.cli.embedding import embedded_settings
from gateway.cli.instance import Instance, announced
from gateway.cli.signals import leaving_within, stop_on_signals
from gateway.cli.workers import Parent, run_workers
from gateway.config import ROLES, Role, Settings, load_settings
from gateway.telemetry.logging import configure

log = structlog.get_logger(__name__)


M_MMAP_THRESHOLD = -3
"""mallopt(3)."""

MAPPED_BYTES = 128 * 1024
"""Buffers from this size on are mapped."""


def run(
    *,
    embedded: Annotated[bool, Parameter(negative="")] = False,
    data_dir: Path | None = None,
    host: str | None = None,
    port: int | None = None,
    roles: str | None = None,
    workers: int | None = None,
    parent: Annotated[int | None, Parameter(show=False)] = None,
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
        runner.run(_run(settings, embedded=embedded, parent=None if parent is None else Parent(parent)))


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


async def _run(settings: Settings, *, embedded: bool, parent: Parent | None) -> None:
    stop = stop_on_signals()
    if parent is not None:
        parent.stop_with_it(stop)
    else:  # workers share the addresses that their parent has looked at
        app.require_free_addresses(settings)
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(embedded_settings(settings)) if embedded else settings

        def started(addresses: app.Addresses) -> None:
            if embedded:
                stack.enter_context(announced(ready.data_dir, Instance.of(ready, addresses.admin)))
            if parent is not None:
                parent.serving()
            log.info("process.started", **_startup_report(addresses))

        if stop.is_set():
            return
        if ready.workers == 1:
            async with leaving_within(ready.drain_timeout, stop):
                await app.run(ready, stop=stop, started=started, reuse_port=parent is not None)
        else:
            await run_workers(ready, stop, started)


def _startup_report(addresses: app.Addresses) -> dict[str, str | None]:
    """Where to find what; url: of the vendors' API."""
    url, admin = (address and address.url for address in (addresses.vendors, addresses.admin))
    return {"url": url, "docs": url and f"{url}/docs", "admin": admin, "ops": addresses.ops.url}
