"""One process of the gateway: its services and stages, put together top to bottom and taken apart in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from aiohttp import web

from gateway.config import Address, Settings
from gateway.http.addresses import ListenAddress, require_free
from gateway.http.clients import TrustedProxies
from gateway.http.server import ConnectionLimits, serve
from gateway.jobs import Drain, working
from gateway.sdk.errors import ServiceUnavailableError
from gateway.services import open_services
from gateway.stages import DRAINING, Stages, compose

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ADMIN_DRAIN_SECONDS = 3.0
OPS_DRAIN_SECONDS = 1.0
"""For requests of operators and of their tools under way at the end, after the vendors'."""


class StartingError(ServiceUnavailableError):
    """The process does not take requests yet."""


class StoppingError(ServiceUnavailableError):
    """The process is stopping."""


PORT_SETTINGS = {"vendors": "--port or MALLGATE_PORT", "admin": "MALLGATE_ADMIN_PORT", "ops": "MALLGATE_OPS_PORT"}
"""What chooses the port of each address."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a process listens: for vendors, operators, and what watches over it; None for a role that it has not."""

    vendors: Address | None
    admin: Address | None
    ops: Address

    @classmethod
    def of(cls, settings: Settings) -> Addresses:
        """As settings with fixed ports have them."""
        return cls(
            vendors=settings.address if "intake" in settings.roles else None,
            admin=settings.admin_address if "console" in settings.roles else None,
            ops=settings.ops_address,
        )


def require_free_addresses(settings: Settings) -> None:
    """Raise ConfigError with every address that another program has: said before anything is started."""
    addresses = Addresses.of(settings)
    wanted = {"vendors": addresses.vendors, "admin": addresses.admin, "ops": addresses.ops}
    require_free(ListenAddress(at.host, at.port, PORT_SETTINGS[name]) for name, at in wanted.items() if at is not None)


async def run(
    settings: Settings, *, stop: asyncio.Event, started: Callable[[Addresses], None], reuse_port: bool = False
) -> None:
    """Run one process until `stop` is set. started: told where it listens once requests are taken.

    Raises ConfigError when it must not run, and whatever ended one of its tasks: a process that lost one is no use.
    """
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(open_services(settings))
        stages, drain = compose(services), Drain(settings.drain_timeout * DRAINING)
        accepting = asyncio.Event()
        services.health.add("accepting", partial(_accepting, accepting, stop))
        async with (
            working(stages.jobs, drain),
            serving(stages, settings, reuse_port=reuse_port, drain_timeout=drain.seconds) as addresses,
        ):
            accepting.set()
            started(addresses)
            await stop.wait()
            drain.begin()
            log.info("process.stopping")


@asynccontextmanager
async def serving(
    stages: Stages, settings: Settings, *, reuse_port: bool, drain_timeout: float
) -> AsyncIterator[Addresses]:
    """Serve what there is, each on an address of its own; that of vendors opens last and closes first."""
    limits = ConnectionLimits(proxies=TrustedProxies(settings.trusted_proxies))
    async with AsyncExitStack() as stack:

        async def opened(app: web.Application, address: Address, setting: str, drain: float) -> Address:
            site = serve(app, *address, setting=setting, reuse_port=reuse_port, connections=limits, drain_timeout=drain)
            return address._replace(port=await stack.enter_async_context(site))

        ops = await opened(stages.ops, settings.ops_address, PORT_SETTINGS["ops"], OPS_DRAIN_SECONDS)
        admin = vendors = None
        if stages.admin is not None:
            admin = await opened(stages.admin, settings.admin_address, PORT_SETTINGS["admin"], ADMIN_DRAIN_SECONDS)
        if stages.vendors is not None:
            vendors = await opened(stages.vendors, settings.address, PORT_SETTINGS["vendors"], drain_timeout)
        yield Addresses(vendors, admin, ops)


async def _accepting(accepting: asyncio.Event, stop: asyncio.Event) -> str:
    if stop.is_set():
        raise StoppingError
    if not accepting.is_set():
        raise StartingError
    return "accepts requests"
