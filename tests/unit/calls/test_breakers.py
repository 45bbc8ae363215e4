"""What an operator wants of breakers is done once, and stays so whatever the supplier does."""

from __future__ import annotations

import pytest

from gateway.calls.breaker import CallVerdict, State
from gateway.calls.breakers import BreakerOpenError, BreakerOrder, Breakers
from gateway.telemetry import metrics
from tests.unit.relay.commands import NOON, seconds

HOLD = BreakerOrder("submit", 3600.0, "they asked us to (bootstrap:ann)", NOON)


@pytest.fixture
def breakers() -> Breakers:
    metrics.breaker_open.remove_by_labels({"supplier": "acme"})
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
    breakers.settle("submit", permit, CallVerdict.AWAY, "http_503")
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


def test_the_metric_says_what_is_not_called_and_a_person_ends_that(breakers: Breakers) -> None:
    breakers.follow([HOLD])
    assert gauge("submit") == 1
    breakers.follow([BreakerOrder("submit", None, "they are back", NOON + seconds(60))])
    assert (breakers.status()["submit"].state, gauge("submit")) == (State.OPEN, 0)
    breakers.hide()
    breakers.show()
    assert (gauge("submit"), gauge("read")) == (0, None)


def test_the_metric_says_so_too_when_new_credentials_end_it(breakers: Breakers) -> None:
    breakers.trip("read", "refused")
    assert gauge("read") == 1
    breakers.probe_soon()
    assert gauge("read") == 0


def gauge(operation: str) -> float | None:
    return metrics.REGISTRY.get_sample_value("mallgate_breaker_open", {"supplier": "acme", "operation": operation})
