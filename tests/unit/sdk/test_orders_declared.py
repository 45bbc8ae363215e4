"""What a manifest promises of orders is whole and possible, and an attempt is one write call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.jd_vop import Adapter
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import Idempotency, parse
from gateway.sdk.testing import Subject
from gateway.sdk.testing.calls import CallCase
from gateway.sdk.testing.facts import operations_shown

MANIFEST = """
id = "shop"
name = "A shop"
docs = "README.md"
capabilities = ["submits_orders", "finds_orders"]
http = { rate_per_second = 10 }

[operations.submit]
path = "/orders"
reads = false

[operations.find]
path = "/orders/find"

[orders.submit]
call = "submit"
idempotency = "query"
look_up = "find"
"""


def refusals(*changes: tuple[str, str]) -> str:
    text = MANIFEST
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(ConfigError) as caught:
        parse(text, "shop")
    return str(caught.value)


def test_what_is_declared_is_read():
    write = parse(MANIFEST, "shop").orders["submit"]
    assert (write.call, write.idempotency, write.key_life_hours, write.look_up) == (
        "submit",
        Idempotency.QUERY,
        None,
        "find",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('look_up = "find"', ""), "idempotency by query needs a look_up"),
        (('look_up = "find"', 'look_up = "find"\nkey_life_hours = 24'), "key_life_hours goes with"),
        (('look_up = "find"', 'look_up = "submit"'), "names an operation that reads"),
        (('look_up = "find"', 'look_up = "nothing"'), "names an operation that reads"),
        (('call = "submit"', 'call = "find"'), "names an operation with reads = false"),
        (('call = "submit"', 'call = "nothing"'), "names an operation with reads = false"),
        (('"submits_orders", "finds_orders"', '"submits_orders"'), "finds_orders goes with a look_up"),
        (('"submits_orders", "finds_orders"', '"submits_orders", "finds_orders", "confirms_orders"'), "orders.confirm"),
        (("[orders.submit]", "[orders.return]"), "orders.return"),
        (('"query"', '"sometimes"'), "orders.submit.idempotency"),
    ],
)
def test_what_cannot_be_is_refused(change: tuple[str, str], said: str):
    assert said in refusals(change)


def test_a_look_up_that_is_named_nowhere_is_refused():
    assert "finds_orders goes with" in refusals(('idempotency = "query"\nlook_up = "find"', 'idempotency = "none"'))


def a_case(*operations: str) -> CallCase:
    exchanges: list[Any] = [{"request": {"operation": each}, "reply": {"body": "{}"}} for each in operations]
    told = {
        "name": "call__cancels_orders_made_up",
        "description": "Made up.",
        "capability": "cancels_orders",
        "call": {
            "method": "cancel_order",
            "args": {
                "order": {
                    "command_id": "01JE2V5M8Q4R7T9W1X3Y5Z7A9B",
                    "supplier": "jd",
                    "tenant": "410100",
                    "order_no": "A",
                    "revision": 1,
                    "issued_at": "2026-11-29T10:00:00+08:00",
                    "deadline": "2026-11-30T10:00:00+08:00",
                    "payload": {"scope": "order", "reason": "x"},
                },
                "supplier_order_no": "3001",
            },
        },
        "exchanges": exchanges,
        "result": None,
    }
    return CallCase.model_validate(told)


@pytest.mark.parametrize(
    ("operations", "found"),
    [
        (["cancel_order"], False),
        (["select_jd_order", "cancel_order"], False),
        (["select_jd_order"], False),
        (["cancel_order", "cancel_order"], True),
        (["confirm_order"], True),
        (["confirm_order", "cancel_order"], True),
    ],
)
def test_the_kit_finds_more_than_the_one_write_call(operations: list[str], found: bool):
    folder = Path(__file__).parents[3] / "adapters/jd_vop"
    manifest = parse((folder / "manifest.toml").read_text(encoding="utf-8"), "manifest.toml")
    subject = Subject(manifest, Adapter, folder, (a_case(*operations),))
    problems = [problem for trial in operations_shown(subject) for problem in trial.problems]
    assert any("orders.cancel allows cancel_order, once" in problem for problem in problems) is found
