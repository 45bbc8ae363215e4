"""`mallgate demo`: the real gateway on real engines, between suppliers that are played and a mall that orders."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import uvloop
from cyclopts import Parameter

from gateway import app
from gateway.cli import DONE, INTERRUPTED
from gateway.cli.embedding import embedded_settings
from gateway.cli.instance import Instance, announced
from gateway.cli.output import Json, emit
from gateway.cli.signals import stop_on_signals
from gateway.cli.terminal import Terminal
from gateway.config import ROLES, Bootstrap, Settings, load_settings
from gateway.demo import order_account, pull_story
from gateway.demo.orders import Mall, order, order_from_hanging, settle
from gateway.demo.programs import programs_root
from gateway.demo.pull_story import JD, SLOW, declare, pull
from gateway.demo.show import Urls, show, show_next
from gateway.demo.simulators import Books, Simulated, documents, fetching_vendor, simulated
from gateway.demo.story import SUPPLIER, Account, Act, push
from gateway.demo.topics import count_topics
from gateway.kafka import Bus, open_bus
from gateway.outbound import AdminClient
from gateway.sockets import why_taken
from gateway.store import Pool, open_pool
from gateway.telemetry.logging import configure

ENDING = "[dim]正在结束，再按一次 Ctrl-C 立即退出  ·  ending; Ctrl-C again ends at once[/dim]"
"""The engines take some seconds to write down what they have."""


def demo(
    *,
    once: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
    articles: int = 5000,
    skus: int = 2000,
    data_dir: Path | None = None,
    port: int | None = None,
) -> int:
    """Show the gateway at work on embedded Kafka and PostgreSQL; stays up until Ctrl-C.

    Parameters
    ----------
    once
        End when everything has been shown.
    json
        Print the account as one JSON line, at the end of the output.
    articles
        Articles of the supplier that pushes.
    skus
        Skus of the supplier that is pulled.
    data_dir
        Where the engines keep their data; by default a temporary directory that goes when the demo does.
    port
        Port to listen on, with the two after it; by default 8080, or free ones when one of them is taken.
    """
    configure("console", "error")  # a supplier that hangs is part of the play, and so are the warnings about it
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, _directory(data_dir) as directory:
        settings = load_settings(data_dir=directory, port=_port() if port is None else port, roles=ROLES, workers=1)
        return runner.run(_demo(settings, Size(articles, skus), once=once, as_json=json))


@contextmanager
def _directory(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    directory = Path(tempfile.mkdtemp(prefix="mallgate-demo-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _port() -> int:
    """8080 where it is free and the two after it are, else 0: any."""
    return 8080 if not any(why_taken("127.0.0.1", port) for port in range(8080, 8083)) else 0


class Size(NamedTuple):
    """How much the suppliers sell."""

    articles: int
    skus: int


class Sites(NamedTuple):
    """The suppliers that are pulled: one that answers and one that hangs.

    root: where programs are run from; documents: URL of the documents of contracts.
    """

    root: Path
    documents: str
    jd: Simulated
    slow: Simulated


class Services(NamedTuple):
    """What the demo itself asks: the gateway as its operator, the engines as whoever looks at them."""

    admin: AdminClient
    bus: Bus
    pool: Pool


async def _demo(settings: Settings, size: Size, *, once: bool, as_json: bool) -> int:
    """Exit status: being stopped is the end of a demo that has shown everything, and an interruption of any other."""
    app.require_free_addresses(settings)
    stop = stop_on_signals()
    console = Terminal(stderr=as_json, highlight=False)
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        ready = await stack.enter_async_context(embedded_settings(settings))
        ready, contracts = await stack.enter_async_context(_with_documents(ready))
        urls = await stack.enter_async_context(_running(ready, stop))
        sites = await stack.enter_async_context(_sites(contracts, ready.data_dir, size.skus, console))
        playing = asyncio.create_task(_played(ready, urls, size, sites, stack, console))
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([playing, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not playing.done():
            console.print(ENDING)
            playing.cancel()
            await asyncio.wait([playing])
            return INTERRUPTED
        account = playing.result()
        show(console, account)
        if as_json:
            emit(_summary(ready, account, time.monotonic() - started))
            sys.stdout.flush()
        if not once:
            show_next(console, account, urls, ready.data_dir)
            console.print("[dim]Ctrl-C 结束  ·  ends the demo[/dim]")
            await stop.wait()
            console.print(ENDING)
    if account.ordered is not None:
        account.ordered.require_sound()
    return DONE


@asynccontextmanager
async def _running(settings: Settings, stop: asyncio.Event) -> AsyncIterator[Urls]:
    """The gateway beside the block, announced to the commands of this machine; where it is found."""
    started: asyncio.Future[app.Addresses] = asyncio.get_running_loop().create_future()
    ending = asyncio.Event()
    gateway = asyncio.create_task(app.run(settings, stop=ending, started=started.set_result))
    gateway.add_done_callback(lambda _: started.cancel())
    await asyncio.wait([started])
    if started.cancelled():
        await gateway
    gateway.add_done_callback(lambda _: stop.set())
    addresses = started.result()
    with announced(settings.data_dir, Instance.of(settings, addresses.admin)):
        try:
            yield Urls(*(each.url for each in (addresses.vendors, addresses.admin, addresses.ops) if each))
        finally:
            ending.set()
            await gateway


@asynccontextmanager
async def _with_documents(settings: Settings) -> AsyncIterator[tuple[Settings, str]]:
    """Settings of a gateway that may fetch documents of contracts, and the URL that these are below, beside the block;
    "" where there is no program to serve them.
    """
    root = programs_root()
    if root is None:
        yield settings, ""
        return
    async with documents(root, settings.data_dir) as url:
        yield settings.model_copy(update={"contract_document_hosts": (urlsplit(url).netloc,)}), url


@asynccontextmanager
async def _sites(contracts: str, directory: Path, skus: int, console: Terminal) -> AsyncIterator[Sites | None]:
    """The suppliers to pull from, beside the block; None where there is no simulator to play them."""
    root = programs_root()
    if root is None:
        words = "未安装模拟器，不演示拉取和下单  ·  no simulator is installed: nothing is pulled or ordered"
        console.print(f"[yellow]{words}[/yellow]")
        yield None
        return
    async with (
        simulated(root, JD, directory, skus=skus) as jd,
        simulated(root, SLOW, directory, skus=skus) as slow,
    ):
        yield Sites(root, contracts, jd, slow)


async def _played(
    settings: Settings, urls: Urls, size: Size, sites: Sites | None, stack: AsyncExitStack, console: Terminal
) -> Account:
    """Everything that is shown. stack: of what stays beside the demo until its end."""
    token = settings.admin_token.get_secret_value() if settings.admin_token else ""
    database = settings.database_url.get_secret_value() if settings.database_url else ""

    def pushing(act: Act) -> None:
        _print_line(console, "推送 pushing", f"{len(act.lines):>6,} {act.facet:<7} {act.words[0]}", act.words[1])

    console.print(f"[bold]mallgate[/bold] {urls.vendors}  [dim]Kafka {settings.kafka_bootstrap}[/dim]")
    async with (
        AdminClient(urls.admin, token, operator="demo") as admin,
        open_bus(settings.bootstrap or Bootstrap("")) as bus,
        open_pool(database, name="demo", size=1) as pool,
    ):
        account = await push(admin, urls.vendors, count=size.articles, show=pushing)
        if sites is not None:
            vendor = fetching_vendor(sites.root, SUPPLIER, settings.data_dir, url=urls.vendors, key=account.token)
            books = await stack.enter_async_context(vendor)
            mall = Mall(sites.root, settings.data_dir, settings.bootstrap or Bootstrap(""), sites.documents)
            await _traded(account, sites, books, mall, Services(admin, bus, pool), console)
        account.topics = await count_topics(bus, pool)
    return account


async def _traded(
    account: Account, sites: Sites, vendor: Books, mall: Mall, services: Services, console: Terminal
) -> None:
    """What is pulled, and what is ordered beside that and after it. vendor: what the one who fetches writes down."""
    admin, bus, pool = services
    pulling, ordering = partial(_print_line, console, "拉取 pulling"), partial(_print_line, console, "下单 ordering")
    await declare(admin, sites.jd, sites.slow)
    hanging = await order_from_hanging(mall, sites.slow, show=ordering)
    account.pulled = await pull(admin, bus, sites.jd, show=pulling)
    await order(mall, sites.jd, show=ordering)
    await settle(admin, pool, sites.jd, hanging)
    account.ordered = await mall.read({JD: sites.jd.books, SUPPLIER: vendor, SLOW: sites.slow.books})


def _print_line(console: Terminal, verb: str, zh: str, en: str) -> None:
    """A step as it begins."""
    console.print(f"[dim]{verb}[/dim] {zh} [dim]· {en}[/dim]")


def _summary(settings: Settings, account: Account, seconds: float) -> dict[str, Any]:
    return {
        "engines": {"kafka": settings.kafka_bootstrap, "postgres": _without_password(settings)},
        "feeds": account.feeds(),
        "items": account.items(),
        "topics": account.topics,
        **(pull_story.pull_summary(account.pulled) if account.pulled else {}),
        **(order_account.order_summary(account.ordered) if account.ordered else {}),
        "seconds": round(seconds, 2),
    }


def _without_password(settings: Settings) -> str:
    """host:port/database of the embedded PostgreSQL."""
    return settings.database_url.get_secret_value().rpartition("@")[2] if settings.database_url else ""
