"""What is left to do about an order of which no command is under way."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.cli.orders import ended


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
