"""SIGKILL while a vendor fetches, acknowledges and answers, while the core is told, and while a person decides."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from contrib.mall.verdict import effects_of_native
from contrib.simulators.ledger import read
from contrib.simulators.native.config import Config
from contrib.simulators.native.vendor import Vendor as Simulator
from contrib.simulators.native.vendor import open_vendor
from gateway.embedded import Engines
from gateway.telemetry.failpoints import MAILBOX_POINTS, OUTBOX_POINTS, RESOLVE_POINTS
from tests.crash.pulled import rows
from tests.engines import fresh_database
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.program import Program, fault, running
from tests.pulling import Operator
from tests.relaying import Core, cancel, confirm, ordered
from tests.vendor import Keys, Vendor, declared

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

SHOP = "shop"
SOON = {"MALLGATE_LEASE_SECONDS": "2"}
"""Environment of programs that publish soon after another one died."""

A_MINUTE_PASSES = "UPDATE commands SET sent_at = sent_at - interval '61 s' WHERE state = 'sending'"
"""So that what was fetched and not acknowledged can be fetched again."""

DEADLINE_PASSES = "UPDATE commands SET deadline = now() WHERE command_id = $1"


def core_of(ground: Ground) -> Core:
    return Core(ground.engines.kafka_bootstrap, ground.prefix)


def orders(name: str, count: int = 4) -> list[dict[str, Any]]:
    """Orders that are confirmed, the last of which is cancelled then."""
    numbers = [f"{name}-{number}" for number in range(count)]
    submits = [ordered(SHOP, each) for each in numbers]
    confirms = [confirm(each, supplier=SHOP) for each in numbers]
    return [*submits, *confirms, cancel(numbers[-1], supplier=SHOP)]


@asynccontextmanager
async def selling(program: Program, keys: Keys, ledger: Path) -> AsyncIterator[Simulator]:
    """The vendor at work, with all that is in its ledger."""
    config = Config(program.url, ledger, key=keys.bearer, poll_seconds=0.05, retry_seconds=0.1)
    async with open_vendor(config) as vendor:
        yield vendor


async def judged(ground: Ground, ledger: Path, commands: list[dict[str, Any]]) -> list[str]:
    """What is wrong with what became of commands. Of orders that are not cancelled all must have taken effect; a cancel
    may have come before its order was fetched.
    """
    effects = effects_of_native(read(ledger), SHOP)
    cancelled = {each["order_no"] for each in commands if each["operation"] == "order.cancel"}
    wanted = {(each["order_no"], each["operation"]) for each in commands if each["order_no"] not in cancelled}
    missing = wanted - {(each.order_no, f"order.{each.kind}") for each in effects}
    return [*map(str, missing), *await core_of(ground).violations(commands, effects)]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("points", [MAILBOX_POINTS, OUTBOX_POINTS], ids=["mailbox", "outbox"])
async def test_programs_killed_one_after_the_other_have_each_command_done_and_told_once(
    ground: Ground, tmp_path: Path, points: tuple[str, ...]
) -> None:
    """Each program takes up what the one before it left, and dies at another point of it."""
    ledger, sent, keys = tmp_path / "ledger.jsonl", list[dict[str, Any]](), None
    for number, point in enumerate(points):
        mark = tmp_path / point
        async with ground.program(**SOON, **fault(point, "kill", mark)) as program:
            keys = keys or await declared(program.admin_url, SHOP)
            async with selling(program, keys, ledger):
                sent += (more := orders(f"K{number}"))
                await core_of(ground).send(*more)
                assert await program.ended() == -signal.SIGKILL
        assert mark.read_text() == f"{point}\n"
        await rows(ground, A_MINUTE_PASSES)
    assert keys is not None
    async with ground.program(**SOON) as program, selling(program, keys, ledger):
        await core_of(ground).ended(*sent)
        assert await judged(ground, ledger, sent) == []


async def test_a_persons_word_is_taken_once_although_the_program_was_killed_as_he_said_it(
    ground: Ground, tmp_path: Path
) -> None:
    before, after = RESOLVE_POINTS
    placed = ordered(SHOP, "R-1")
    word = {"resolution": "done", "reason": "seen in his books", "supplier_order_no": "V-1"}
    for point in (before, after):
        mark = tmp_path / point
        async with ground.program(**SOON, **fault(point, "kill", mark)) as program:
            operator = Operator(program.admin_url)
            if point is before:
                await _dies(ground, program, placed)
            assert await _dead(operator) == [placed["command_id"]]
            with suppress(aiohttp.ClientError):
                await operator.ask("POST", f"commands/{placed['command_id']}/resolve", word)
            assert await program.ended() == -signal.SIGKILL
        assert mark.read_text() == f"{point}\n"
    async with ground.program(**SOON) as program:
        operator = Operator(program.admin_url)
        [accepted] = await core_of(ground).ended(placed)
        assert (accepted["event"], accepted["supplier_order_nos"]) == ("order.accepted", ["V-1"])
        assert await _dead(operator) == []
        with pytest.raises(AssertionError, match="conflict"):
            await operator.ask("POST", f"commands/{placed['command_id']}/resolve", word)
        assert [each["state"] for each in await operator.letters(SHOP)] == ["discarded"]
        assert len(await rows(ground, "SELECT FROM audit WHERE action = 'order.resolve'")) == 1


async def _dies(ground: Ground, program: Program, placed: dict[str, Any]) -> None:
    """A vendor fetches a command and is never heard of again, until its deadline has passed."""
    vendor = Vendor(program.url, await declared(program.admin_url, SHOP))
    await core_of(ground).send(placed)

    async def fetched() -> bool:
        _, _, body = await vendor.request("GET", "/v1/messages")
        return [each["id"] for each in orjson.loads(body)["messages"]] == [placed["command_id"]]

    await eventually(fetched)
    await rows(ground, A_MINUTE_PASSES)
    await rows(ground, DEADLINE_PASSES, placed["command_id"])

    async def dead() -> bool:
        await vendor.request("GET", "/v1/messages")  # who looks sees what is over
        return bool(await _dead(Operator(program.admin_url)))

    await eventually(dead)


async def _dead(operator: Operator) -> list[str]:
    """Commands whose effect nobody knows at their deadline."""
    found = (await operator.ask("GET", f"orders?state=dead&supplier={SHOP}"))["commands"]
    return [each["command_id"] for each in found]


async def test_a_program_killed_before_it_has_a_schema_leaves_the_next_one_to_make_it(
    engines: Engines, topic_prefix: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with fresh_database(engines, "template0") as database:
        ground, point = Ground(engines, database, topic_prefix, tmp_path), "migrate.before_commit"
        async with running(
            engines.kafka_bootstrap, database, topic_prefix, environment=fault(point, "kill", mark)
        ) as program:
            assert await program.ended() == -signal.SIGKILL
        assert mark.read_text() == f"{point}\n"
        async with ground.program(**SOON) as program:
            keys = await declared(program.admin_url, SHOP)
            async with selling(program, keys, tmp_path / "ledger.jsonl"):
                sent = orders("M", 1)
                await core_of(ground).send(*sent)
                await core_of(ground).ended(*sent)
                assert await judged(ground, tmp_path / "ledger.jsonl", sent) == []
