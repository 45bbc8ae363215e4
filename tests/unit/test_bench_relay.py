"""What the benchmarks of the relay place, and that a result which is lost or out of order is found."""

from __future__ import annotations

import io
from pathlib import Path
from typing import get_args

import aiohttp
import pytest
from rich.console import Console

from contrib.bench import report
from contrib.bench.__main__ import BENCHMARKS, Name
from contrib.bench.order_commands import (
    CommandLostError,
    OutOfOrderError,
    check_order,
    commands_of,
    messages_of,
    result_of,
)
from contrib.bench.order_suppliers import ADAPTER, OrderSupplier, announced
from contrib.bench.relay import TITLES, job_for, rows_of
from contrib.bench.relayed import WARMING, Job
from contrib.mall.orders import Command
from gateway.registry import Registry
from gateway.sdk.commands import read_command
from schemas.orders import SubmitOrder


def placed(commands: list[Command]) -> list[tuple[str, str]]:
    return [(each.order_no, each.id) for each in commands]


def test_every_benchmark_can_be_named():
    assert tuple(BENCHMARKS) == get_args(Name)
    assert {"relay", "relay_hang", "relay_processes"} <= BENCHMARKS.keys()


def test_orders_are_placed_in_turn_and_then_revised():
    commands = commands_of("run", ["one", "two"], orders=3, revisions=2)
    assert [each.order_no for each in commands] == ["run-0", "run-1", "run-2"] * 2
    assert [each.supplier for each in commands] == ["one", "two", "one"] * 2
    assert [each.content["revision"] for each in commands] == [1, 1, 1, 2, 2, 2]
    assert len({each.id for each in commands}) == 6


@pytest.mark.parametrize(("suppliers", "slots", "warming"), [(1, 8, WARMING), (20, 8, 160), (1, 100, 100)])
async def test_every_slot_has_had_a_command_before_the_clock_starts(suppliers: int, slots: int, warming: int):
    async with aiohttp.ClientSession() as session:
        names = [OrderSupplier(f"orders-{number}", "http://127.0.0.1", session) for number in range(suppliers)]
        first, measured = Job(10, 2, 20, slots, suppliers).commands(names)
    assert (len(first), len(measured)) == (warming, 20)
    assert not {each.order_no for each in first} & {each.order_no for each in measured}


def test_what_is_placed_is_what_the_gateway_reads():
    [message] = messages_of(commands_of("run", ["one"], orders=1))
    command = read_command(message.key, message.headers, message.value)
    assert isinstance(command, SubmitOrder)
    assert (command.order_no, command.supplier, str(command.payload.totals.gross)) == ("run-0", "one", "2598.00")


def test_results_in_order_pass_though_one_is_repeated():
    commands = commands_of("run", ["one"], orders=2, revisions=2)
    found = placed(commands)
    check_order(commands, [*found, found[0]])


def test_a_lost_command_is_found():
    commands = commands_of("run", ["one"], orders=2, revisions=2)
    with pytest.raises(CommandLostError, match="1 of 4"):
        check_order(commands, placed(commands)[:-1])


def test_commands_that_overtook_each_other_are_found():
    commands = commands_of("run", ["one"], orders=2, revisions=2)
    first, second, third, fourth = placed(commands)
    with pytest.raises(OutOfOrderError, match="1 of 2"):
        check_order(commands, [third, second, first, fourth])


def test_only_a_placed_order_is_a_result():
    cause = b'"order_no":"A","cause":{"command_id":"c"}'
    assert result_of(b'{"event":"order.confirmed",%b}' % cause) == ("A", "c")
    assert result_of(b'{"event":"order.parked",%b}' % cause) is None
    assert result_of(None) is None


def test_few_workers_get_fewer_commands():
    job = Job(orders=1000, revisions=5, milliseconds=20, slots=100)
    given = {workers: job_for(workers, job) for workers in (12, 4, 1)}
    assert {workers: each.orders * each.revisions for workers, each in given.items()} == {12: 5000, 4: 500, 1: 125}


def test_budgets_are_of_the_slow_supplier_alone():
    runs = {"gateway": [{"rate": 400.0}], **{name: [{"rate": 100.0}] for name in TITLES}}
    slow, fast = rows_of(20, runs), rows_of(5, runs)
    assert [row.value for row in slow] == [4.0] * 4
    assert [str(row.budget) for row in slow] == ["≥ 0.6 ×", "≥ 4 ×", "None", "None"]
    assert [row.budget for row in fast] == [None] * 4


def test_a_row_without_a_budget_is_shown_without_a_verdict():
    out = io.StringIO()
    [row, *_] = rows_of(5, {"gateway": [{"rate": 10.0}], **{name: [{"rate": 10.0}] for name in TITLES}})
    report.show(Console(file=out, width=200), [row])
    shown = out.getvalue().splitlines()[-2:]
    assert not any(word in line for line in shown for word in ("yes", "no "))


def test_the_adapter_of_the_suppliers_is_found_where_it_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert str(tmp_path) in announced(tmp_path)["PYTHONPATH"]
    monkeypatch.syspath_prepend(tmp_path)
    assert set(Registry().load(ADAPTER).manifest.orders) == {"submit"}
