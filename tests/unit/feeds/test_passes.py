"""When a brake holds, and which keys a full feed withdraws: the rules alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.passes import Share, holds
from gateway.feeds.versions import version_of
from gateway.feeds.withdraw import is_absent


@pytest.mark.parametrize(
    ("absent", "active", "limit", "held"),
    [
        (2, 10, 0.2, False),
        (3, 10, 0.2, True),
        (200_000, 1_000_000, 0.2, False),
        (200_001, 1_000_000, 0.2, True),
        (1, 10, 0.0, True),
        (10, 10, 1.0, False),
        (0, 0, 0.0, False),
    ],
)
def test_a_brake_holds_beyond_its_limit_not_at_it(absent: int, active: int, limit: float, held: bool) -> None:
    assert holds(Share(absent, active), limit) is held


@given(active=st.integers(1, 10**7), limit=st.integers(0, 100))
def test_a_share_of_exactly_the_limit_never_holds(active: int, limit: int) -> None:
    share = Share(active * limit, active * 100)
    assert not holds(share, limit / 100)
    assert holds(Share(share.absent + 1, share.active), limit / 100)


FEED = 7


def key(**changes: Any) -> Any:
    return {"active": True, "seen": FEED - 1, "version": version_of(FEED - 1, 0)} | changes


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({}, True),
        ({"active": False}, False),
        ({"seen": FEED}, False),
        ({"seen": FEED + 1}, False),
        ({"version": version_of(FEED + 1, 0)}, False),
    ],
    ids=["named by older feeds", "withdrawn already", "named by it", "named since", "newer than its withdrawal"],
)
def test_only_what_nobody_named_since_is_withdrawn(changes: dict[str, Any], absent: bool) -> None:
    assert is_absent(key(**changes), FEED) is absent
