"""The suppliers of the demo that are simulated: those that are pulled, and a vendor who fetches his commands."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from gateway.demo.programs import running

FAULTS = (
    {"kind": "refuse", "operation": "order.submit", "after": 4, "times": 1},
    {"kind": "refuse", "operation": "contract.issue", "after": 1, "times": 1},
    {"kind": "wrong_sum", "operation": "invoice.request", "after": 1, "times": 1},
)
"""The vendor has none of what the fifth order wants, does not take the second contract, and is a cent wrong in the
second invoice.
"""

STEP_SECONDS = 0.3
"""Between the steps of what the vendor does by himself: deliver, sign, make out, take back."""


@dataclass(frozen=True, slots=True)
class Books:
    """What a supplier writes down. simulator: which one plays it; ledger: file of its effects; calls: of its calls."""

    simulator: str
    ledger: Path
    calls: Path


@dataclass(frozen=True, slots=True)
class Simulated:
    """One supplier that is pulled. url: its base URL; secrets: what its row must hold to be let in."""

    url: str
    secrets: Mapping[str, str] = field(repr=False)
    books: Books


@asynccontextmanager
async def simulated(root: Path, name: str, directory: Path, *, skus: int) -> AsyncIterator[Simulated]:
    """A supplier of so many skus beside the block, and never longer than this process. It changes nothing by itself.

    root: as `programs_root` has it; directory: for what it writes. Raises ProgramError.
    """
    login = {
        "client_id": name,
        "client_secret": secrets.token_hex(16),
        "username": f"{name}-buyer",
        "password": secrets.token_hex(8),
    }
    books = Books("jd_vop", directory / f"{name}.ledger.jsonl", directory / f"{name}.calls.jsonl")
    options = {"skus": skus, "port": 0, "repeat_share": 0, "ledger": books.ledger, "log": books.calls, **login}
    words = [word for option, value in options.items() for word in (f"--{option.replace('_', '-')}", str(value))]
    async with running(root, "contrib.simulators.jd_vop", words, directory / f"{name}.log") as program:
        yield Simulated((await program.first_line())["url"], login, books)


@asynccontextmanager
async def fetching_vendor(root: Path, name: str, directory: Path, *, url: str, key: str) -> AsyncIterator[Books]:
    """A vendor beside the block who fetches commands from the gateway at this URL. Raises as above."""
    ledger = directory / f"{name}.ledger.jsonl"
    words = ["--url", url, "--ledger", str(ledger), "--step-seconds", str(STEP_SECONDS)]
    words += [word for fault in FAULTS for word in ("--fault", orjson.dumps(fault).decode())]
    module, log = "contrib.simulators.native", directory / f"{name}.log"
    async with running(root, module, words, log, {"NATIVE_KEY": key}) as program:
        await program.first_line()
        yield Books("native", ledger, ledger)


@asynccontextmanager
async def documents(root: Path, directory: Path) -> AsyncIterator[str]:
    """Documents of the mall's contracts, beside the block: the URL that they are below. Raises as above."""
    async with running(root, "contrib.mall.documents", [], directory / "documents.log") as program:
        url: str = (await program.first_line())["url"]
        yield url
