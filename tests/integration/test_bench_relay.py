"""The benchmarks of the relay run: every contestant carries all commands out, those of each order in order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contrib.bench import relay_hang, relay_processes
from contrib.bench.relayed import Job, followed, relayed
from contrib.bench.rows import QUICK
from contrib.bench.stage import Stage
from gateway.embedded import Engines

SMALL = Job(orders=8, revisions=5, milliseconds=5, slots=8)


@pytest.fixture(scope="module")
def stage(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """One for all of them: each takes a place of its own there."""
    return Stage(engines, tmp_path_factory.mktemp("bench"))


async def test_the_gateway_carries_out_what_is_placed(stage: Stage):
    run = await relayed(stage, SMALL)
    assert (run["who"], run["commands"]) == ("gateway", 40)
    assert run["idle_cores"] > 0


@pytest.mark.parametrize(("contestant", "count"), [("lanes", 8), ("faststream", 1), ("faststream", 4)])
async def test_a_peer_does_the_same_job(stage: Stage, contestant: str, count: int):
    run = await followed(stage, contestant, count, SMALL)
    assert (run["who"], run["commands"]) == (f"{contestant} {count}", 40)


async def test_what_hung_is_delivered_once_its_supplier_answers(stage: Stage):
    [row] = await relay_hang.measure(stage, replace(QUICK, orders=40))
    without, hanging = row.runs
    assert (without["hangs"], without["commands"], without["waiting"]) == (False, 40, 0)
    assert (hanging["hangs"], hanging["commands"], hanging["waiting"]) == (True, 40, 2)


async def test_two_processes_share_the_suppliers(stage: Stage):
    [row] = await relay_processes.measure(stage, replace(QUICK, commands=40))
    assert [(run["workers"], run["commands"]) for run in row.runs] == [(2, 40), (1, 40)]
