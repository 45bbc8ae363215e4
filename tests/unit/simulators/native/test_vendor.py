"""A vendor that fetches its commands: one effect for each message, whatever goes wrong, and events that fit."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from contrib.mall.commands import command_of
from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT
from contrib.mall.plan import Goods, Plan
from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.native import Config, Vendor, answers, ledger, open_vendor
from contrib.simulators.native.vendor import KINDS
from schemas.orders import EVENTS, Kind, OrderStatus, State, StateVerdict, fact_of_event, judge, order_mismatches
from schemas.orders.events import OrderRefused
from schemas.orders.payloads import Confirmed
from tests.eventually import eventually
from tests.played_mailbox import KEY, Mailbox, open_mailbox

LINES = ((Goods("shop", "SKU-1", "硒鼓", Decimal("113.00")), 3), (Goods("shop", "SKU-2", "纸", Decimal("2.50")), 1))


def command(order_no: str, operation: str = SUBMIT, mode: str = "reserve") -> Mapping[str, Any]:
    plan = Plan(order_no, mode, (operation,), LINES)
    now = datetime(2026, 11, 29, tzinfo=timezone(timedelta(hours=8)))
    return command_of(plan, operation, now, timedelta(days=1)).content


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    async with open_mailbox() as mailbox:
        yield mailbox


@asynccontextmanager
async def vendor(mailbox: Mailbox, path: Path, *faults: Rule, step: float = 0.0) -> AsyncIterator[Vendor]:
    config = Config(mailbox.url, path / "ledger.jsonl", KEY, poll_seconds=0.01, retry_seconds=0.01, step_seconds=step)
    async with open_vendor(config) as vendor:
        for rule in faults:
            vendor.faults.add(rule)
        yield vendor


async def told(mailbox: Mailbox, count: int) -> None:
    async def holds() -> bool:
        return len(mailbox.told) >= count

    await eventually(holds)


async def when(holds: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return holds()

    await eventually(asked)


def effects(path: Path) -> list[str]:
    return [entry["effect"] for entry in ledger.read(path / "ledger.jsonl") if entry["effect"] != "answer"]


async def test_an_order_is_reserved_confirmed_shipped_and_delivered(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path, step=0.01):
        mailbox.put(command("M1"))
        await told(mailbox, 1)
        mailbox.put(command("M1", CONFIRM))
        await told(mailbox, 4)
    assert effects(tmp_path) == ["submit", "confirm", "ship", "deliver"]
    kinds = [event["event"] for event in mailbox.events("M1")]
    assert kinds == ["order.accepted", "order.confirmed", "shipment.created", "shipment.delivered"]
    assert mailbox.acknowledged == [command("M1")["command_id"], command("M1", CONFIRM)["command_id"]]
    assert mailbox.waiting == {}


async def test_every_event_fits_the_models_once_the_gateway_has_added_what_it_knows(mailbox, tmp_path):
    cut = Rule("partial_confirmation", CONFIRM, third="M2")
    async with vendor(mailbox, tmp_path, cut, Rule("refuse", third="M3"), step=0.01):
        mailbox.put(command("M1"), command("M2"), command("M3"), command("M4"), command("M5", mode="direct"))
        await told(mailbox, 7)
        mailbox.put(command("M1", CANCEL), command("M2", CONFIRM), command("M3", CANCEL), command("M4", CONFIRM))
        await told(mailbox, 15)
    seen = set()
    for order_no, _, event in mailbox.told:
        cause = {"command_id": command(order_no)["command_id"]}
        known = {"order_no": order_no, "supplier": "shop", "tenant": "410000", "cause": cause}
        model = EVENTS[Kind(event["event"])].model_validate_json(orjson.dumps(event | known))
        seen.add(model.event)
    assert seen == {
        "order.accepted",
        "order.refused",
        "order.confirmed",
        "order.partially_confirmed",
        "order.cancelled",
        "order.cancel_refused",
        "shipment.created",
        "shipment.delivered",
    }


@pytest.mark.parametrize("wrong", [False, True])
async def test_sums_are_right_unless_they_are_to_be_wrong(mailbox, tmp_path, wrong):
    async with vendor(mailbox, tmp_path, *([Rule("wrong_sum")] if wrong else [])):
        mailbox.put(command("M1", mode="direct"))
        await told(mailbox, 1)
    payload = Confirmed.model_validate_json(orjson.dumps(mailbox.events("M1")[0]["payload"]))
    assert payload.totals.gross == Decimal("341.51" if wrong else "341.50")
    assert bool(order_mismatches(payload.lines, payload.totals, payload.price_basis)) is wrong


async def test_what_may_be_taken_later_is_told_again_under_its_key(mailbox, tmp_path):
    """A failure, too many at once, and the same under way; not what is refused for good."""
    mailbox.failing = [503, 429, 425]
    async with vendor(mailbox, tmp_path) as alive:
        mailbox.put(command("M1"))
        await told(mailbox, 1)
        mailbox.failing = [400]
        mailbox.put(command("M2"))
        await when(lambda: alive.sent.total() == 2)
        assert alive.sent == {("order.accepted", 202): 1, ("order.accepted", 400): 1}


@pytest.mark.parametrize("kind", ["no_ack", "crash"])
async def test_a_message_that_comes_again_has_no_second_effect(mailbox, tmp_path, kind):
    """After a crash the event that was never told is told all the same, once."""
    async with vendor(mailbox, tmp_path, Rule(kind, times=1)) as alive:
        mailbox.put(command("M1"))
        await told(mailbox, 1)
        assert mailbox.acknowledged == []
        mailbox.lapse()
        await when(lambda: mailbox.waiting == {})
        assert alive.crashes == (1 if kind == "crash" else 0)
    assert effects(tmp_path) == ["submit"]
    assert [event["event"] for event in mailbox.events("M1")] == ["order.accepted"]


async def test_a_vendor_that_starts_again_knows_its_orders_and_tells_what_it_had_not(mailbox, tmp_path):
    mailbox.failing = [503] * 1_000_000
    async with vendor(mailbox, tmp_path):
        mailbox.put(command("M1"))
        await when(lambda: len(mailbox.failing) < 1_000_000 and mailbox.waiting == {})
    assert mailbox.told == []
    mailbox.failing = []
    async with vendor(mailbox, tmp_path):
        await told(mailbox, 1)
        mailbox.put(command("M1"), command("M1", CONFIRM))
        await told(mailbox, 2)
    assert [event["event"] for event in mailbox.events("M1")] == ["order.accepted", "order.confirmed"]
    assert effects(tmp_path) == ["submit", "confirm"]
    numbers = [entry["seq"] for entry in ledger.read(tmp_path / "ledger.jsonl")]
    assert numbers == [*range(1, len(numbers) + 1)]


async def test_nothing_leaves_before_its_effect_is_on_disk(mailbox, tmp_path, monkeypatch):
    """The disk is held up: the message is neither acknowledged nor answered meanwhile."""
    let, reached = threading.Event(), threading.Event()
    sync = os.fdatasync

    def held(file: int) -> None:
        reached.set()
        assert let.wait(30)
        sync(file)

    async with vendor(mailbox, tmp_path):
        monkeypatch.setattr(os, "fdatasync", held)
        mailbox.put(command("M1"))
        assert await asyncio.to_thread(reached.wait, 30)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await when(lambda: bool(mailbox.acknowledged or mailbox.told))
        let.set()
        await told(mailbox, 1)
    assert effects(tmp_path) == ["submit"]


async def test_a_slow_vendor_acknowledges_at_once_and_answers_later(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path, Rule("slow", parameters={"seconds": 600})):
        mailbox.put(command("M1"))
        await when(lambda: bool(mailbox.acknowledged))
    assert (effects(tmp_path), mailbox.told) == (["submit"], [])
    async with vendor(mailbox, tmp_path):
        await told(mailbox, 1)


async def test_acknowledging_twice_and_for_others(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path, Rule("ack_twice", third="M1"), Rule("ack_foreign", third="M2")):
        mailbox.put(command("M1"), command("M2"))
        await told(mailbox, 2)
    first, second = command("M1")["command_id"], command("M2")["command_id"]
    assert mailbox.acknowledged == [first, first, f"{second}-of-another", second]


async def test_wrong_events_are_told_as_ordered_and_the_right_one_after_them(mailbox, tmp_path):
    rules = [Rule("foreign_order", third="M1"), Rule("answer_twice", third="M3")]
    rules.append(Rule("out_of_state", third="M2"))
    async with vendor(mailbox, tmp_path, *rules) as alive:
        mailbox.put(command("M1"), command("M2"), command("M3"))
        await when(lambda: alive.sent.total() == 6)
        assert alive.sent == {
            ("order.accepted", 404): 1,
            ("order.refused", 409): 1,
            ("order.accepted", 202): 4,
        }
    assert [len(mailbox.events(no)) for no in ("M1", "M2", "M3")] == [1, 1, 1]


async def test_a_refusal_stands_though_its_message_comes_again(mailbox, tmp_path):
    rules = [Rule("refuse", times=1, parameters={"code_class": "no_price"}), Rule("no_ack", times=1)]
    async with vendor(mailbox, tmp_path, *rules):
        mailbox.put(command("M1"))
        await told(mailbox, 1)
        mailbox.lapse()
        await when(lambda: mailbox.waiting == {})
    assert effects(tmp_path) == ["refuse"]
    assert [event["payload"]["code_class"] for event in mailbox.events("M1")] == ["no_price"]


async def test_what_does_not_fit_the_order_is_refused(mailbox, tmp_path):
    async with vendor(mailbox, tmp_path):
        mailbox.put(command("M1", CONFIRM), command("M2", CANCEL), command("M3", mode="direct"))
        await told(mailbox, 3)
        mailbox.put(command("M3", CONFIRM), command("M3", CANCEL))
        await told(mailbox, 5)
    classes = [event["payload"].get("code_class") for _, _, event in mailbox.told]
    assert classes == ["no_such_order", "no_such_order", None, "conflict", None]
    assert effects(tmp_path) == ["refuse", "refuse", "submit", "refuse", "cancel"]


async def test_two_messages_for_one_order_are_two_effects_which_the_reader_shows(mailbox, tmp_path):
    """The vendor keeps messages apart by their ids alone; a gateway that sends a command twice is found out."""
    async with vendor(mailbox, tmp_path):
        mailbox.put(command("M1"), {**command("M1"), "command_id": "another"})
        await when(lambda: len(ledger.read(tmp_path / "ledger.jsonl")) == 4)
    command_line = ["-W", "error", "-m", "contrib.simulators.native.ledger", str(tmp_path / "ledger.jsonl")]
    reader = await asyncio.create_subprocess_exec(sys.executable, *command_line, stdout=asyncio.subprocess.PIPE)
    counted, _ = await reader.communicate()
    assert orjson.loads(counted) == {"effects": {"submit": 2, "answer": 2}, "orders": 1, "duplicates": {"M1": 2}}


@pytest.mark.parametrize(
    ("operation", "state"),
    [(SUBMIT, State.SUBMITTING), (CONFIRM, State.CONFIRMING), (CANCEL, State.CANCEL_PENDING)],
)
def test_what_is_told_out_of_state_fits_no_order_that_waits_for_the_answer(operation, state):
    known = {"order_no": "M1", "supplier": "shop", "cause": {"command_id": command("M1")["command_id"]}}
    refused = OrderRefused.model_validate_json(orjson.dumps(answers.out_of_state(operation) | known))
    fact = fact_of_event(refused)
    assert fact is not None
    assert judge(OrderStatus(state, State.RESERVED), fact).verdict is StateVerdict.CONTRADICTS


def test_every_kind_of_fault_has_a_test():
    source = Path(__file__).read_text(encoding="utf-8")
    assert [kind for kind in KINDS if f'"{kind}"' not in source] == []
