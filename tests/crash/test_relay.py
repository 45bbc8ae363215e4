"""SIGKILL and SIGSTOP while orders are relayed: one effect each, one end each, in order, whoever owns the supplier."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.ledger import read, summary
from gateway.embedded.engine import Engine
from gateway.embedded.postgres import EmbeddedPostgres
from gateway.store import Connection, connect
from gateway.telemetry.failpoints import RELAY_POINTS
from tests.crash.pulled import LEASE
from tests.crash.site import until_ready
from tests.eventually import eventually
from tests.evidence_file import chained_wrongly, kept_of
from tests.integration.pulled.conftest import Ground
from tests.ordering import goods
from tests.program import Program, fault
from tests.pulling import Operator, row_of
from tests.relaying import TERMINAL, Core, confirm, submit, town

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

ORDERS = 12

DOOMED = {**LEASE, "MALLGATE_ROLES": "sessions,console,feeds"}


LATER = {"relay.before_commit": 3, "relay.after_commit": 3, "relay.calling": 6, "relay.answered": 6}
"""Where it may matter how far the orders are. Turns are few: one looks for calls of a former owner, one begins the
submits, and one settles what all of them came to and begins the confirms.
"""


def plan(simulator: Simulator, orders: int = ORDERS) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Submits of so many orders, and their confirms."""
    item = goods(simulator)[0]
    submits = [submit(f"ZZ-{number}", [(item, number % 3 + 1)], area=town(simulator)) for number in range(orders)]
    return submits, [confirm(each["order_no"]) for each in submits]


def core_of(ground: Ground) -> Core:
    return Core(ground.engines.kafka_bootstrap, ground.prefix)


def row(simulator: Simulator) -> dict[str, Any]:
    """A supplier that is asked for nothing but orders."""
    return row_of(simulator, facets=["price"], pulls={"price": "30d"})


async def judged(ground: Ground, ledger: Path, commands: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with what became of commands that all must have taken effect."""
    wrong = []
    orders = {command["order_no"] for command in commands}
    effects = Counter((entry["effect"], entry["thirdOrder"]) for entry in read(ledger) if entry.get("thirdOrder"))
    wrong += [f"{name} of {order}: {count} times" for (name, order), count in effects.items() if count != 1]
    if summary(read(ledger))["orders"] != len(orders):
        wrong.append(f"{summary(read(ledger))} for {len(orders)} orders")
    events = await core_of(ground).events()
    ends = Counter(event["cause"]["command_id"] for event in events if event["event"] in TERMINAL)
    wrong += [
        f"{each['order_no']}: {ends[each['command_id']]} ends" for each in commands if ends[each["command_id"]] != 1
    ]
    for order in orders:
        told = [event["event"] for event in events if event["order_no"] == order and event["event"] in TERMINAL]
        if told != ["order.accepted", "order.confirmed"]:
            wrong.append(f"{order}: {told}")
        kept = [facts["event"] for facts in await kept_of(ground.database, order, "event")]
        if [event for event in kept if event in TERMINAL] != told:
            wrong.append(f"{order}: {kept} in its evidence")
    return wrong + await chained_wrongly(ground.database)


@pytest.mark.parametrize(("point", "nth"), [*((point, 1) for point in RELAY_POINTS), *LATER.items()])
async def test_orders_whose_program_is_killed_are_carried_out_once_by_the_next(
    ground: Ground, tmp_path: Path, point: str, nth: int
) -> None:
    mark, ledger = tmp_path / "mark", tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator:
        submits, confirms = plan(simulator)
        async with ground.program(**LEASE) as program:
            await Operator(program.admin_url).declare(jd=row(simulator))
        async with ground.program(**DOOMED, **fault(point, "kill", mark, nth=nth)) as program:
            await core_of(ground).send(*submits, *confirms)
            assert await program.ended() == -signal.SIGKILL
        async with ground.program(**LEASE):
            await core_of(ground).ended(*submits, *confirms)
            assert await judged(ground, ledger, [*submits, *confirms]) == []
    assert mark.read_text() == f"{point}\n"


async def test_orders_that_took_effect_and_were_never_answered_are_found_by_the_next_program(
    ground: Ground, tmp_path: Path
) -> None:
    """Killed behind the request and ahead of the answer: the supplier has the orders, and holds its answers back."""
    ledger = tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator:
        submits, confirms = plan(simulator)
        held = simulator.faults.add(Rule("latency", "order/submitOrder", {"ms": 60_000}))
        async with ground.program(**LEASE) as program:
            await Operator(program.admin_url).declare(jd=row(simulator))
            await core_of(ground).send(*submits, *confirms)
            await eventually(lambda: asyncio.to_thread(has_begun, ledger), within=60)
            await program.kill()
        assert await core_of(ground).events() == []
        simulator.faults.clear(held)
        async with ground.program(**LEASE):
            await core_of(ground).ended(*submits, *confirms)
            assert await judged(ground, ledger, [*submits, *confirms]) == []


async def test_an_owner_that_is_frozen_in_mid_call_past_its_lease_adds_no_order(ground: Ground, tmp_path: Path) -> None:
    mark, ledger = tmp_path / "mark", tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator:
        submits, confirms = plan(simulator)
        async with ground.program(**DOOMED, **fault("relay.answered", "stop", mark, nth=3)) as zombie:
            await Operator(zombie.admin_url).declare(jd=row(simulator))
            await core_of(ground).send(*submits, *confirms)
            await eventually(lambda: asyncio.to_thread(mark.exists), within=60)
            async with ground.program(**LEASE):
                await core_of(ground).ended(*submits, *confirms)
                zombie.signal(signal.SIGCONT)
                await eventually(lambda: has_noticed(zombie), within=60)
                assert await judged(ground, ledger, [*submits, *confirms]) == []


async def has_noticed(zombie: Program) -> bool:
    """Whether a program that was frozen knows that its supplier is another's."""
    return bool(zombie.events("lease.lost") or zombie.events("session.failed"))


async def test_a_supplier_that_hangs_keeps_the_orders_of_no_other(ground: Ground, tmp_path: Path) -> None:
    ledger, hung = tmp_path / "ledger.jsonl", tmp_path / "hung.jsonl"
    async with ground.simulator(ledger=ledger) as simulator, ground.simulator(ledger=hung, seed=8) as hanging:
        hanging.faults.add(Rule("hang", "order/submitOrder", {}))
        submits, confirms = plan(simulator)
        async with ground.program(**LEASE) as program:
            await Operator(program.admin_url).declare(jd=row(simulator), hung=row(hanging))
            held = [
                submit(f"H-{number}", [(goods(hanging)[0], 1)], area=town(hanging), supplier="hung")
                for number in range(40)
            ]
            await core_of(ground).send(*held, *submits, *confirms)
            await core_of(ground).ended(*submits, *confirms)
            assert await judged(ground, ledger, [*submits, *confirms]) == []


async def stop(engine: Engine) -> None:
    """As at the end of its day."""
    await engine.stop()


async def die_writing_a_checkpoint(engine: Engine) -> None:
    """Die while what was committed is on its way from the log to its tables."""
    assert isinstance(engine, EmbeddedPostgres)
    written = asyncio.Event()
    async with connect(engine.url, name="tests") as connection:
        writing = asyncio.create_task(write_checkpoints(connection, written))
        await written.wait()  # the next one is under way
        await engine.kill()
        with pytest.raises(Exception, match=r"connection|terminat"):
            await writing


async def write_checkpoints(connection: Connection, written: asyncio.Event) -> None:
    """One behind the other until the server dies."""
    while True:
        await connection.execute("CHECKPOINT")
        written.set()


@pytest.mark.engines
@pytest.mark.parametrize(("name", "end"), [("kafka", stop), ("postgres", stop), ("postgres", die_writing_a_checkpoint)])
async def test_an_engine_that_goes_and_comes_back_loses_no_order(
    frail_ground: Ground, tmp_path: Path, name: str, end: Callable[[Engine], Awaitable[None]]
) -> None:
    ground, ledger = frail_ground, tmp_path / "ledger.jsonl"
    engine = getattr(ground.engines, name)
    async with ground.simulator(ledger=ledger) as simulator:
        submits, confirms = plan(simulator, 40)
        simulator.faults.add(Rule("latency", "order/*", {"ms": 100}))
        async with ground.program(**LEASE) as program:
            await Operator(program.admin_url).declare(jd=row(simulator))
            await core_of(ground).send(*submits, *confirms)
            await eventually(lambda: asyncio.to_thread(has_begun, ledger), within=60)
            await end(engine)
            await until_ready(program, ready=False)
            await engine.start()
            await until_ready(program)
            await core_of(ground).ended(*submits, *confirms, within=90)
            assert program.process.returncode is None
            assert await judged(ground, ledger, [*submits, *confirms]) == []


def has_begun(ledger: Path) -> bool:
    """Whether the supplier has done something."""
    return ledger.exists() and bool(read(ledger))
