"""What is left to do about an order of which no command is under way."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.orders import ended, service_line


@pytest.mark.parametrize(
    ("state", "commands", "words"),
    [
        ("confirmed", ["confirmed"], "nothing"),
        ("held", ["confirmed"], "nothing here: the mall cancels the order, or sends it anew with a higher revision"),
        ("reserved", ["unanswered"], None),
    ],
)
def test_an_order_that_is_held_is_not_called_well(state: str, commands: list[str], words: str | None) -> None:
    found: dict[str, Any] = {"state": state, "commands": [{"state": each} for each in commands]}
    assert dict(ended(found)).get("to do") == words


def test_a_service_is_told_on_one_line() -> None:
    found = {
        "service_no": "AS-1",
        "kind": "return",
        "state": "goods_returning",
        "lines": {"SKU-1": "2"},
        "supplier_order_no": "A-1002",
        "supplier_service_no": "S-1",
    }
    wanted = "AS-1: return of 2 × SKU-1 of A-1002 is goods returning, the supplier's number is S-1"
    assert service_line(found) == wanted
    alone = {**found, "supplier_order_no": None, "supplier_service_no": None}
    assert service_line(alone) == "AS-1: return of 2 × SKU-1 is goods returning"
