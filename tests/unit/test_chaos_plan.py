"""A seed names a plan: the same faults at the same times, enough of them, of every kind, two at once among them."""

from __future__ import annotations

import pytest

from tests.chaos.plan import KINDS, plan


@pytest.mark.parametrize("seed", range(1, 9))
def test_ten_minutes_have_sixty_faults_and_more_of_every_kind(seed: int) -> None:
    faults = plan(seed, 600)
    assert faults == plan(seed, 600)
    assert faults != plan(seed + 1, 600)
    assert len(faults) >= 60
    assert {fault.kind for fault in faults} == KINDS.keys()
    assert len({fault.at for fault in faults}) < len(faults)
    assert all(fault.at + fault.hold < 600 for fault in faults)
