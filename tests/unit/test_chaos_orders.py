"""What a long run notes of orders: faults that the simulators know, breakers by logs, calls and effects by ledgers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from contrib.mall.verdict import Effect
from contrib.simulators.jd_vop.effects import KINDS as JD_KINDS
from contrib.simulators.native.vendor import KINDS as NATIVE_KINDS
from tests.chaos.ledgers import API, FETCHES, HOOK, Ledgers
from tests.chaos.misbehaving import HOOKED, HOOKED_AWAY, JD, JD_AWAY, NATIVE, NATIVE_AWAY, RETRY_AFTER
from tests.chaos.orders_read import breakers


def line(event: str, second: float, **fields: Any) -> dict[str, Any]:
    return {"event": event, "timestamp": f"1970-01-01T00:00:{second:09.6f}Z", **fields}


def breaker(event: str, second: float, operation: str = "submit_order", **fields: Any) -> dict[str, Any]:
    return line(f"breaker.{event}", second, supplier=API, operation=operation, **fields)


TAKEN = {"lease": f"session {API}", "epoch": 2}

OTHERS: Sequence[tuple[str, Sequence[Sequence[dict[str, Any]]], float]] = (
    ("nothing more", [[breaker("opened", 1, seconds=10)]], 11),
    ("it closes", [[breaker("opened", 1, seconds=10), breaker("closed", 5)]], 5),
    ("an operator lets it probe", [[breaker("opened", 1, seconds=10), breaker("released", 4)]], 4),
    ("another one closes", [[breaker("opened", 1, seconds=10), breaker("closed", 5, "cancel_order")]], 11),
    ("another process takes over", [[breaker("opened", 1, seconds=10)], [line("lease.taken", 3, **TAKEN)]], 3),
    ("another process had it before", [[breaker("opened", 4, seconds=10)], [line("lease.taken", 3, **TAKEN)]], 14),
    (
        "another supplier is taken",
        [[breaker("opened", 1, seconds=10)], [line("lease.taken", 3, lease="session b")]],
        11,
    ),
)


@pytest.mark.parametrize(("logs", "ended"), [row[1:] for row in OTHERS], ids=[row[0] for row in OTHERS])
def test_a_breaker_is_open_until_something_ends_it(logs: Sequence[Sequence[dict[str, Any]]], ended: float) -> None:
    [opened] = breakers(logs)
    assert (opened["call"], opened["seconds"], opened["ended"]) == ("submit_order", 10, ended)


def test_every_thing_that_goes_wrong_is_one_that_its_simulator_knows() -> None:
    assert {kind.name for kind in (*JD, JD_AWAY)} <= JD_KINDS
    assert {kind.name for kind in (*NATIVE, NATIVE_AWAY)} == NATIVE_KINDS
    assert {kind.name for kind in (*HOOKED, HOOKED_AWAY)} == NATIVE_KINDS - {"no_ack", "ack_twice", "ack_foreign"}


def call(seq: int, operation: str, *, token: str = "T1", status: int = 200, **form: str) -> dict[str, Any]:
    fault = ["rate_limited"] if status == 429 else []
    return {
        "seq": seq,
        "at": 1.5,
        "operation": operation,
        "form": form,
        "token": token,
        "status": status,
        "fault": fault,
    }


def effect(seq: int, kind: str, number: str, third: str, **more: Any) -> dict[str, Any]:
    return {"effect": kind, "by": "caller", "jdOrderId": number, "thirdOrder": third, "call": seq, **more}


def test_calls_are_told_by_their_orders_without_those_of_somebody_else(tmp_path: Path) -> None:
    ledgers = Ledgers.below(tmp_path)
    calls = [
        call(1, "order/submitOrder", thirdOrder="M1"),
        call(2, "order/cancel", jdOrderId="71", status=429),
        call(3, "order/submitOrder", token="T9", thirdOrder="M2"),
        call(4, "product/getDetail", sku="1"),
    ]
    split = effect(0, "split", "70", "M1", children=[{"jdOrderId": "71"}]) | {"by": "supplier", "call": None}
    done = [effect(1, "submit", "70", "M1"), split, effect(3, "submit", "80", "M2")]
    fetched = [{"effect": "submit", "by": "caller", "order_no": "M3", "supplier_order_no": "V1"}]
    hooked = [{"effect": "submit", "by": "caller", "order_no": "M4", "supplier_order_no": "V2"}]
    files = ((ledgers.log, calls), (ledgers.api, done), (ledgers.fetches, fetched), (ledgers.hook, hooked))
    for path, entries in files:
        path.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
    told = [(each["call"], each["order_no"], each["asked_to_wait"]) for each in ledgers.calls({"T9"})]
    assert told == [("submit_order", "M1", None), ("cancel_order", "M1", RETRY_AFTER)]
    assert ledgers.effects({"T9"}) == [
        Effect(API, "M1", "submit", "70", asked=True),
        Effect(API, "M1", "split", "70", asked=False),
        Effect(API, "M2", "submit", "80", asked=False),
        Effect(FETCHES, "M3", "submit", "V1", asked=True),
        Effect(HOOK, "M4", "submit", "V2", asked=True),
    ]
