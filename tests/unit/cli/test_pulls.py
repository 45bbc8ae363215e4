"""What is wrong with a supplier, in lines that are read at a glance."""

from __future__ import annotations

from typing import Any

from gateway.cli.pulls import breaker_lines


def breaker(reason: str, seconds: float) -> dict[str, Any]:
    return {"state": "open", "reason": reason, "seconds": seconds}


def test_breakers_that_one_order_opened_are_one_line() -> None:
    held = {f"operation_{at}": breaker("new certificate (bootstrap:ann)", 3599.0) for at in range(24)}
    assert list(breaker_lines({**held, "submit": breaker("It did not answer in time.", 5.5)})) == [
        "breaker of 24 operations is open: new certificate (bootstrap:ann); tried again in 59m",
        "breaker of submit is open: It did not answer in time.; tried again in 5s",
    ]


def test_a_breaker_that_was_closed_by_an_operator_waits_for_a_call() -> None:
    closed = {"submit": breaker("new certificate", 0.0), "cancel": breaker("new certificate", 0.0)}
    assert list(breaker_lines(closed)) == [
        "breaker of submit, cancel is open: new certificate; the next call tries again",
    ]
