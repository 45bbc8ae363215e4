"""What the account says of orders, and what it finds out about: each rule once broken."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from contrib.mall.account import Run, account, lost_orders
from contrib.mall.catalog import goods_in
from contrib.mall.orders import CONFIRM
from contrib.mall.plan import Goods
from contrib.mall.reader import is_sound, parse
from contrib.mall.traffic import Traffic, traffic_of_jd, traffic_of_native
from contrib.mall.verdict import Effect, Record
from tests.unit.mall.placed import command, event

LOOK_UP = "order/selectJdOrderIdByThirdOrder"


def effect(order_no: str, supplier: str = "jd") -> Effect:
    return Effect(supplier, order_no, "submit", "7", asked=True)


def call(operation: str, order_no: str, status: int = 200) -> dict[str, object]:
    return {"operation": operation, "form": {"thirdOrder": order_no}, "status": status}


def run(record: Record, **traffic: Traffic) -> Run:
    written = {command.id: 1_000 for command in record.commands} | {event.ce_id: 1_300 for event in record.events}
    return Run(record, written, traffic)


def test_every_count_of_a_run_at_two_suppliers():
    made, refused, waits = command("M1"), command("M2"), command("S1", supplier="slow")
    events = [event(made, "order.accepted"), event(refused, "order.refused"), event(waits, "order.parked")]
    record = Record([made, refused, waits], events, [effect("M1"), effect("S1", "slow")])
    found = account(run(record, jd=Traffic(3, ("M1",)), slow=Traffic(5)))
    assert found["by_state"] == {"parked": 1, "refused": 1, "reserved": 1}
    assert (found["placed"], found["ledger_effects"], found["refused"], found["attempts"]) == (3, 2, 1, 8)
    assert (found["duplicates"], found["lost"], found["waiting"], found["violations"]) == (0, 0, 1, [])
    assert (found["lookups_that_prevented_a_duplicate"], found["found_again"]) == (1, ["M1"])
    assert (found["answer_ms"], found["waiting_orders"]) == (300, ["S1"])
    slow = found["suppliers"]["slow"]
    assert (slow["placed"], slow["attempts"], slow["by_state"], slow["answer_ms"]) == (1, 5, {"parked": 1}, None)
    assert is_sound(found)


@pytest.mark.parametrize(
    ("kinds", "effects", "lost"),
    [
        ([], 0, True),
        ([], 1, True),
        (["order.parked"], 0, True),
        (["order.parked"], 1, False),
        (["order.refused"], 0, False),
        (["order.expired"], 0, False),
        (["order.accepted"], 1, False),
    ],
)
def test_an_order_is_lost_without_an_effect_and_an_end_or_where_nobody_waits_for_an_answer(kinds, effects, lost):
    placed = command("M1")
    record = Record([placed], [event(placed, kind) for kind in kinds], [effect("M1")] * effects)
    assert lost_orders(record) == ({"M1"} if lost else set())
    assert is_sound(account(run(record))) is not lost


def test_a_later_command_without_an_answer_is_a_lost_order():
    submit, confirm = command("M1"), command("M1", CONFIRM)
    record = Record([submit, confirm], [event(submit, "order.accepted")], [effect("M1")])
    assert lost_orders(record) == {"M1"}


def test_an_order_that_was_made_twice_is_a_duplicate_and_no_look_up_prevented_it():
    placed = command("M1")
    record = Record([placed], [event(placed, "order.accepted")], [effect("M1")] * 2)
    found = account(run(record, jd=Traffic(2, ("M1",))))
    assert (found["duplicates"], found["lookups_that_prevented_a_duplicate"]) == (1, 0)
    assert not is_sound(found)


def test_a_look_up_counts_where_the_answer_to_a_submit_was_lost():
    submit = "order/submitOrder"
    calls = [
        call("oauth2/accessToken", ""),
        call(submit, "M1", 0),
        call(LOOK_UP, "M1", 0),
        call(submit, "M1"),
        call(LOOK_UP, "M1"),
        call(LOOK_UP, "M1"),
        call(submit, "M2"),
        call(LOOK_UP, "M2"),
        call(submit, "M3", 503),
        call("order/confirmOrder", ""),
        call("order/cancel", "", 0),
    ]
    assert traffic_of_jd(calls) == Traffic(6, ("M1",))


def test_a_vendor_gets_a_command_with_each_message():
    assert traffic_of_native([{"message_id": "1"}, {"message_id": None}, {"message_id": "2"}]) == Traffic(2)


def test_goods_that_are_known_need_no_catalog(tmp_path: Path):
    known = tmp_path / "goods.jsonl"
    rows = [{"supplier": each, "sku": "S-1", "name": "硒鼓", "gross": "1.50"} for each in ("jd", "another")]
    known.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    assert goods_in(known, {"jd": "7_412"}) == [Goods("jd", "S-1", "硒鼓", Decimal("1.50"), "7_412")]


def test_books_of_a_simulator_that_does_not_exist_are_no_books(capsys):
    with pytest.raises(SystemExit):
        parse(["--bootstrap", "localhost:9092", "--ledger", "sap:jd:jd.jsonl"])
    assert "--ledger" in capsys.readouterr().err
