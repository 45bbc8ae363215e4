"""Three quarters of a minute of faults under load; `make chaos` does the same for longer."""

from __future__ import annotations

import pytest

from tests.chaos.run import Order, run
from tests.history.orders import summary

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(600)]


async def test_what_vendors_were_told_holds_whatever_breaks(tmp_path_factory: pytest.TempPathFactory) -> None:
    result = await run(Order(seed=1, seconds=45), tmp_path_factory.mktemp("chaos"))
    assert result.green, "\n".join(result.lines())
    faults = result.history.faults
    assert sum(count for kind, count in faults.items() if ": " not in kind) >= 6
    misbehaved = {kind.partition(": ")[0] for kind in faults if ": " in kind}
    assert misbehaved  # whose turn came within so few seconds is chance
    assert misbehaved <= {"vop", "shop", "hook"}
    orders = summary(result.history.orders)
    assert orders["placed"] >= 60
    assert (orders["lost"], orders["waiting"], orders["duplicates"]) == (0, 0, 0)
    assert orders["ledger_effects"] > orders["placed"] / 2
    assert {feed.mode for feed in result.history.feeds.values()} == {"upsert", "full", "validate"}
    assert result.history.replays
    asked = {each["operation"].partition(".")[0] for each in result.history.conversation.placed}
    assert asked == {"contract", "invoice", "aftersale"}
    assert {each.door for each in result.history.conversation.handed} == {"mailbox", "webhook"}
