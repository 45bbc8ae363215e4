"""What an operator wants of breakers is done once, and stays so whatever the supplier does."""

from __future__ import annotations

import pytest

from gateway.calls.breaker import State, Verdict
from gateway.calls.breakers import BreakerOpenError, BreakerOrder, Breakers
from tests.unit.relay.commands import NOON, seconds

HOLD = BreakerOrder("submit", 3600.0, "they asked us to (bootstrap:ann)", NOON)


@pytest.fixture
def breakers() -> Breakers:
    return Breakers("acme", ["submit", "read"], lambda: 1.0)


async def test_one_that_is_held_open_says_who_holds_it_and_the_others_go_on(breakers: Breakers) -> None:
    breakers.follow([HOLD])
    with pytest.raises(BreakerOpenError, match=r"they asked us to \(bootstrap:ann\)"):
        await breakers.ready("submit")
    await breakers.ready("read")
    assert breakers.status()["read"].state is State.CLOSED


def test_an_order_is_followed_once_however_often_it_is_read(breakers: Breakers) -> None:
    breakers.follow([HOLD])
    close = BreakerOrder("submit", None, "they are back (bootstrap:ann)", NOON + seconds(60))
    for _ in range(3):
        breakers.follow([close])
    permit = breakers.admit("submit")
    assert permit is not None
    breakers.settle("submit", permit, Verdict.AWAY, "http_503")
    breakers.follow([close])
    with pytest.raises(BreakerOpenError, match="http_503"):
        breakers.admit("submit")


def test_who_waits_for_a_probe_is_let_go_when_an_operator_opens_the_breaker(breakers: Breakers) -> None:
    breakers.trip("submit", "refused")
    breakers.follow([BreakerOrder("submit", None, "", NOON)])
    assert breakers.admit("submit") is not None
    breakers.follow([BreakerOrder("submit", 60.0, "x", NOON + seconds(1))])
    with pytest.raises(BreakerOpenError):
        breakers.admit("submit")


def test_an_order_for_an_operation_that_is_no_more_is_left(breakers: Breakers) -> None:
    breakers.follow([BreakerOrder("polish", 60.0, "x", NOON)])
    assert {each.state for each in breakers.status().values()} == {State.CLOSED}
