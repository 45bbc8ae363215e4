"""What the mall core places and when, what it keeps, and that it fits the published contract."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from contrib.journal import open_journal, restore
from contrib.mall.catalog import LISTINGS, PRICES, PRODUCTS, STOCKS, goods_of
from contrib.mall.commands import CHINA, command_of, headers_of
from contrib.mall.core import Core, behind_others, commands_in
from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT, Command, Event, state_of
from contrib.mall.plan import Goods, Plan, plan_orders
from schemas.envelope import JSON, decode, schema_id
from schemas.orders import COMMAND_TYPE, COMMANDS, Operation, schema_name

GOODS = [Goods(supplier, f"S-{n}", "硒鼓", Decimal("1.10")) for supplier in ("jd", "shop") for n in range(5)]
LIFE = timedelta(hours=1)


def event(command: Command, kind: str, number: int = 0, **payload: object) -> Event:
    content = {
        "event": kind,
        "order_no": command.order_no,
        "cause": {"command_id": command.id},
        "payload": {"operation": command.operation, **payload},
    }
    return Event(f"{command.id}-{kind}-{number}", command.order_no, 0, number, content)


@asynccontextmanager
async def core_of(path: Path, plans: Sequence[Plan]):
    entries = restore(path)
    async with open_journal(path) as journal:
        yield Core(plans, commands_in(entries), journal, LIFE)


def test_a_plan_is_a_function_of_its_seed_and_uses_every_supplier_in_turn():
    plans = plan_orders("M", 7, 40, GOODS)
    assert plans == plan_orders("M", 7, 40, GOODS)
    assert plans != plan_orders("M", 8, 40, GOODS)
    assert len({plan.order_no for plan in plans}) == 40
    assert [plan.lines[0][0].supplier for plan in plans[:4]] == ["jd", "shop", "jd", "shop"]
    assert {plan.steps for plan in plans} == {
        (SUBMIT,),
        (SUBMIT, CONFIRM),
        (SUBMIT, CANCEL),
        (SUBMIT, CONFIRM, CANCEL),
    }
    assert all(len({goods.supplier for goods, _ in plan.lines}) == 1 for plan in plans)


def test_other_goods_after_a_restart_change_no_mode_and_no_step():
    before, after = plan_orders("M", 7, 40, GOODS), plan_orders("M", 7, 40, GOODS[2:9])
    assert [(plan.order_no, plan.mode, plan.steps) for plan in before] == [
        (plan.order_no, plan.mode, plan.steps) for plan in after
    ]


def test_nothing_is_planned_without_goods():
    assert plan_orders("M", 7, 40, []) == []


@pytest.mark.parametrize("operation", [SUBMIT, CONFIRM, CANCEL])
@pytest.mark.parametrize("area", [None, "7_412_3545"])
def test_every_command_is_one_of_the_contract(operation, area):
    goods = Goods("jd", "1000011", "硒鼓", Decimal("0.333333"), area)
    for mode in ("reserve", "direct"):
        made = command_of(Plan("M-1", mode, (operation,), ((goods, 3),)), operation, datetime.now(CHINA), LIFE)
        read = COMMANDS[Operation(operation)].model_validate_json(made.value)
        assert (read.command_id, read.order_no) == (made.id, made.order_no)
        envelope = decode(headers_of(made))
        assert (envelope.type, envelope.datacontenttype) == (COMMAND_TYPE[Operation(operation)], JSON)
        assert envelope.dataschema == schema_id(schema_name(operation))


async def test_steps_follow_good_answers_alone(tmp_path):
    plan = Plan("M-1", "reserve", (SUBMIT, CONFIRM, CANCEL), ((GOODS[0], 1),))
    async with core_of(tmp_path / "journal", [plan]) as core:
        (submit,) = await core.begin(5)
        assert await core.go_on() == await core.begin(5) == []
        core.receive(event(submit, "order.parked"))
        assert await core.go_on() == []
        core.receive(event(submit, "order.accepted"))
        assert await core.go_on({"of somebody else"}) == []
        (confirm,) = await core.go_on({"M-1", "of somebody else"})
        assert (confirm.operation, core.unanswered, core.idle) == (CONFIRM, [confirm], False)
        core.receive(event(confirm, "order.refused"))
        assert await core.go_on() == []
        assert core.idle


async def test_an_order_that_is_held_is_cancelled_once(tmp_path):
    plan = Plan("M-1", "reserve", (SUBMIT, CONFIRM), ((GOODS[0], 1),))
    async with core_of(tmp_path / "journal", [plan]) as core:
        (submit,) = await core.begin(1)
        core.receive(event(submit, "order.price_mismatch"))
        assert not core.idle
        (cancel,) = await core.go_on()
        assert cancel.operation == CANCEL
        core.receive(event(cancel, "order.cancel_refused"))
        assert await core.go_on() == []
        assert core.idle


async def test_steps_at_once_wait_for_no_answer_and_are_not_taken_after_a_cancel_of_what_is_held(tmp_path):
    plan = Plan("M-1", "reserve", (SUBMIT, CONFIRM), ((GOODS[0], 1),), at_once=True)
    async with core_of(tmp_path / "journal", [plan]) as core:
        (submit,) = await core.begin(1)
        (confirm,) = await core.go_on({"M-1"})
        assert (confirm.operation, await core.go_on()) == (CONFIRM, [])
        core.receive(event(submit, "order.price_mismatch"))
        assert [command.operation for command in await core.go_on()] == [CANCEL]


def test_a_share_of_the_plans_waits_for_no_answer_and_has_the_same_steps():
    plans, hasty = plan_orders("M", 7, 60, GOODS), plan_orders("M", 7, 60, GOODS, at_once=0.5)
    assert [replace(plan, at_once=False) for plan in hasty] == plans
    assert 10 < sum(plan.at_once for plan in hasty) < 50


def test_commands_of_one_order_are_sent_one_after_the_other():
    plans = [Plan(f"M-{number}", "reserve", (SUBMIT, CONFIRM), ((GOODS[0], 1),)) for number in range(2)]
    commands = [command_of(plan, step, datetime.now(CHINA), LIFE) for plan in plans for step in (SUBMIT, CONFIRM)]
    assert behind_others(commands) == {commands[1].id, commands[3].id}


async def test_events_of_others_are_not_heard(tmp_path):
    plan = Plan("M-1", "direct", (SUBMIT,), ((GOODS[0], 1),))
    other = Plan("X-1", "direct", (SUBMIT,), ((GOODS[0], 1),))
    async with core_of(tmp_path / "journal", [plan]) as core:
        core.receive(event(command_of(other, SUBMIT, datetime.now(CHINA), LIFE), "order.confirmed"))
        assert core.events == []


async def test_a_command_is_on_disk_when_it_is_placed_and_is_repeated_byte_by_byte(tmp_path):
    """A core that was killed makes no second command of one, whatever time it is."""
    path, plans = tmp_path / "journal", plan_orders("M", 7, 20, GOODS)
    async with core_of(path, plans) as core:
        placed = [*await core.begin(5), *await core.begin(10)]
        assert (len(placed), await core.go_on(), core.idle) == (15, [], False)
        assert commands_in(restore(path)) == placed
        core.receive(event(placed[0], "order.refused"))
    path.write_bytes(path.read_bytes() + b'{"command":"{\\"comm')
    async with core_of(path, plans) as core:
        assert core.unanswered == placed
        assert await core.go_on() == []
        core.receive(event(placed[0], "order.refused"))
        assert core.unanswered == placed[1:]
        for command in placed[1:]:
            core.receive(event(command, "order.accepted"))
        following = [*await core.begin(100), *await core.go_on()]
        assert len({command.order_no for command in [*placed, *following]}) == 20
        assert len(following) > 5
        assert len({command.id for command in [*placed, *following]}) == len(placed) + len(following)
    assert [command.value for command in commands_in(restore(path))] == [each.value for each in placed + following]


TOLD = {
    "placed": [],
    "refused": ["order.refused"],
    "expired": ["order.parked", "order.expired"],
    "parked": ["order.parked"],
    "reserved": ["order.parked", "order.accepted"],
    "confirmed": ["order.accepted", "order.confirmed"],
    "held": ["order.price_mismatch"],
    "delivered": ["order.confirmed", "shipment.delivered", "shipment.created"],
    "cancelled": ["order.accepted", "order.cancelled"],
    "in_fulfilment": ["order.confirmed", "order.split", "order.cancel_refused"],
}


@pytest.mark.parametrize(("state", "kinds"), TOLD.items())
def test_where_an_order_stands(state, kinds):
    plan = Plan("M-1", "reserve", (SUBMIT,), ((GOODS[0], 1),))
    submit = command_of(plan, SUBMIT, datetime.now(CHINA), LIFE)
    assert state_of([event(submit, kind, number) for number, kind in enumerate(kinds)]) == state


def test_a_confirm_that_is_refused_leaves_the_reservation():
    plan = Plan("M-1", "reserve", (SUBMIT, CONFIRM), ((GOODS[0], 1),))
    submit, confirm = (command_of(plan, step, datetime.now(CHINA), LIFE) for step in (SUBMIT, CONFIRM))
    assert state_of([event(submit, "order.accepted"), event(confirm, "order.refused")]) == "reserved"


def test_a_cancel_of_children_does_not_cancel_the_order():
    plan = Plan("M-1", "direct", (SUBMIT, CANCEL), ((GOODS[0], 1),))
    submit, cancel = (command_of(plan, step, datetime.now(CHINA), LIFE) for step in (SUBMIT, CANCEL))
    told = [event(submit, "order.confirmed"), event(cancel, "order.cancelled", scope="children")]
    assert state_of(told) == "confirmed"


def state(topic: str, sku: str, **members: object):
    place = topic, orjson.dumps([sku, members.get("area")])
    return place, {"supplier": "jd", "sku": sku, **members}


def test_goods_are_those_that_are_priced_named_and_on_the_shelf():
    def price(sku: str, amount: str | None, area: str = "*", quote: str = "quoted"):
        return state(PRICES, sku, quote=quote, agreement_price=amount, area=area)

    states = dict(
        [
            *(state(PRODUCTS, sku, name=sku.lower()) for sku in ("A", "B", "C", "D")),
            *(price(sku, "1.00") for sku in ("A", "C", "E")),
            price("A", "2.00", "7_412_3545"),
            price("B", "9.00", "1_1_1"),
            price("D", None, quote="no_quote"),
            state(LISTINGS, "C", shelf="off"),
            state(LISTINGS, "A", shelf="on"),
        ]
    )
    states[PRODUCTS, b"gone"] = None
    assert [*goods_of(states, {"jd": "7_412_3545"})] == [Goods("jd", "A", "a", Decimal("2.00"), "7_412_3545")]
    assert [*goods_of(states, {"jd": None})] == [Goods("jd", "A", "a", Decimal("1.00"), None)]
    assert [*goods_of(states, {"shop": None})] == []


@pytest.mark.parametrize(
    ("stock", "sold"),
    [
        ({"state": "in_stock", "area": "7_412_3545", "quantity": "5"}, True),
        ({"state": "in_stock", "area": "7_412_3545", "quantity": "4"}, False),
        ({"state": "in_stock", "area": "7_412_3545", "quantity": None}, True),
        ({"state": "out", "area": "7_412_3545"}, False),
        ({"state": "out", "area": "7_412_3545_9"}, False),
        ({"state": "out", "area": "7_412_35"}, True),
        ({"state": "out", "area": "*"}, False),
        ({"state": "out"}, False),
    ],
)
def test_goods_of_which_too_few_are_left_where_they_would_go_are_not_ordered(stock, sold):
    priced = state(PRICES, "A", quote="quoted", agreement_price="1.00", area="*")
    states = dict([state(PRODUCTS, "A", name="a"), priced, state(STOCKS, "A", **stock)])
    assert bool([*goods_of(states, {"jd": "7_412_3545_9"})]) is sold
