"""The verdict over ledgers that the simulated suppliers have really written, and over files of a run."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT
from contrib.mall.records import main, read_record, table, write_events
from contrib.mall.verdict import Effect, Record, counts, effects_of_jd, effects_of_native, verdicts
from contrib.simulators import ledger
from contrib.simulators.native import Config, open_vendor
from tests.buyer import open_buyer
from tests.eventually import eventually
from tests.ordering import order_id, submit
from tests.played_mailbox import KEY, open_mailbox
from tests.unit.mall.placed import command, event


async def test_what_jd_vop_has_done_is_read_from_its_ledger(tmp_path):
    path = tmp_path / "jd.jsonl"
    async with open_buyer(skus=400, repeat_share=0.0, ledger=path) as buyer:
        await submit(buyer, "M1")
        await submit(buyer, "M2")
        await buyer.call("order/confirmOrder", jdOrderId=await order_id(buyer, "M1"))
        await buyer.call("order/cancel", jdOrderId=await order_id(buyer, "M2"))
        await buyer.control("POST", "order", third="M1", act="ship")
    effects = effects_of_jd(ledger.read(path), "jd")
    assert [(each.order_no, each.kind, each.asked) for each in effects] == [
        ("M1", "submit", True),
        ("M2", "submit", True),
        ("M1", "confirm", True),
        ("M2", "cancel", True),
        ("M1", "ship", False),
    ]
    placed = [command(*each, "jd") for each in (("M1", SUBMIT), ("M2", SUBMIT), ("M1", CONFIRM), ("M2", CANCEL))]
    kinds = ("order.accepted", "order.accepted", "order.confirmed", "order.cancelled")
    told = [event(each, kind, number) for number, (each, kind) in enumerate(zip(placed, kinds, strict=True))]
    record = Record(placed, told, effects)
    assert {name: [*each.violations] for name, each in verdicts(record).items() if each.violations} == {}
    assert counts(record)["one_effect"] == 2


async def test_a_supplier_that_honours_no_key_is_found_out(tmp_path):
    path = tmp_path / "jd.jsonl"
    async with open_buyer(skus=400, repeat_share=0.0, ledger=path) as buyer:
        await buyer.order("key_ignored", "submitOrder")
        await submit(buyer, "M1")
        await submit(buyer, "M1")
    placed = command("M1", SUBMIT, "jd")
    record = Record([placed], [event(placed, "order.accepted", 0)], effects_of_jd(ledger.read(path), "jd"))
    assert verdicts(record)["effects are single"].violations == ["M1: submit 2 times at jd"]
    assert counts(record)["duplicates"] == 1


async def test_what_the_native_vendor_has_done_is_read_from_its_ledger(tmp_path):
    path, placed = tmp_path / "shop.jsonl", command("M1", SUBMIT, "shop")
    async with open_mailbox() as mailbox:
        config = Config(mailbox.url, path, KEY, poll_seconds=0.01)
        async with open_vendor(config):
            mailbox.put(placed.content)

            async def told() -> bool:
                return bool(mailbox.told)

            await eventually(told)
    effects = effects_of_native(ledger.read(path), "shop")
    assert effects[0] == Effect("shop", "M1", "submit", "V7-000001", asked=True)
    record = Record([placed], [event(placed, "order.accepted", 0)], effects)
    assert not any(each.violations for each in verdicts(record).values())


@pytest.mark.parametrize("lost", [False, True])
def test_a_run_is_judged_from_its_files(tmp_path: Path, capsys, lost):
    journal, events, done = (tmp_path / name for name in ("journal.jsonl", "events.jsonl", "jd.jsonl"))
    placed = command("M1", SUBMIT, "jd")
    lines = [{"run": "M"}, {"command": placed.value.decode()}]
    journal.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines) + b'{"comm')
    write_events(events, [] if lost else [event(placed, "order.accepted", 5)])
    entry = {"effect": "submit", "by": "caller", "thirdOrder": "M1", "jdOrderId": "70"}
    done.write_bytes(orjson.dumps(entry) + b"\n")
    assert main([str(journal), str(events), "--ledger", f"jd_vop:jd:{done}"]) == int(lost)
    told = capsys.readouterr().out
    assert ("commands have one answer: M1: order.submit" in told) is lost
    assert ("| commands have one answer | 1 | 1 | red |" in told) is lost
    record = read_record(journal, events, [("jd_vop", "jd", done)])
    assert record.commands == [placed]
    assert table(verdicts(record)) in told
