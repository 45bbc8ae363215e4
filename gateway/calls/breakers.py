"""The breakers of one supplier's operations, and who is told when one moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.calls.breaker import Breaker, CallVerdict, Permit, State
from gateway.sdk.errors import UnavailableError
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)


class BreakerOpenError(UnavailableError):
    """The operation failed too often and is not called for now."""

    def __init__(self, operation: str, seconds: float, reason: str) -> None:
        super().__init__(f"{self.__doc__} The next try is in {seconds:.0f} s. ({reason})", operation=operation)
        self.seconds = seconds
        """Until the next try."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """A breaker as operators see it. seconds: until the next try; reason: the last fault, "" when there was none."""

    state: State
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class BreakerOrder:
    """What an operator wants of a breaker. seconds: for which it stays open from now on, None: let it probe.

    given_at: tells an order from the next one of the same operation.
    """

    operation: str
    seconds: float | None
    reason: str
    given_at: datetime


class Breakers:
    """One breaker for each operation of a supplier."""

    def __init__(self, supplier: str, operations: Iterable[str], dice: Callable[[], float]) -> None:
        self._supplier = supplier
        self._breakers = {name: Breaker(dice) for name in operations}
        self._reasons = dict.fromkeys(self._breakers, "")
        self._decided = {name: asyncio.Event() for name in self._breakers}
        self._followed: dict[str, datetime] = {}
        for name in self._breakers:
            self._look(name)

    def status(self) -> Mapping[str, BreakerStatus]:
        """All of them, by operation."""
        now = time.monotonic()
        return {
            name: BreakerStatus(each.state, each.remaining(now), self._reasons[name])
            for name, each in self._breakers.items()
        }

    async def ready(self, operation: str) -> None:
        """Wait for a call that probes: adapters ask several questions at once, and the first that is refused ends the
        others, the probe too. Raises BreakerOpenError while there is no use in waiting for a turn.
        """
        await self._decided[operation].wait()
        if self._breakers[operation].remaining(time.monotonic()) > 0:
            raise self._refusal(operation)

    def admit(self, operation: str) -> Permit | None:
        """The right to one call, to be settled; None while another one probes. Raises BreakerOpenError."""
        permit = self._breakers[operation].admit(time.monotonic())
        self._look(operation)
        if permit is None and not self._breakers[operation].probing:
            raise self._refusal(operation)
        return permit

    def settle(self, operation: str, permit: Permit, verdict: CallVerdict, reason: str) -> None:
        """What came of it."""
        breaker = self._breakers[operation]
        self._reasons[operation] = reason or self._reasons[operation]
        before = breaker.state
        breaker.settle(permit, verdict, time.monotonic())
        self._look(operation)
        if breaker.state is not before:
            self._report(operation)

    def trip(self, operation: str, reason: str) -> None:
        """Open one at once."""
        self._reasons[operation] = reason
        self._breakers[operation].trip(time.monotonic())
        self._look(operation)
        self._report(operation)

    def probe_soon(self) -> None:
        """The credentials are others now: what was refused for the sake of the old ones is tried again at once."""
        now = time.monotonic()
        for name, breaker in self._breakers.items():
            breaker.probe_soon(now)
            self._measure(name)

    def follow(self, orders: Iterable[BreakerOrder]) -> None:
        """Do what operators want, each order once; one for an operation that is no more is left."""
        for order in orders:
            if order.operation in self._breakers and self._followed.get(order.operation) != order.given_at:
                self._followed[order.operation] = order.given_at
                self._apply(order)

    def _apply(self, order: BreakerOrder) -> None:
        breaker, now = self._breakers[order.operation], time.monotonic()
        if order.seconds is None:
            breaker.release(now)
            self._measure(order.operation)
            log.info("breaker.released", supplier=self._supplier, operation=order.operation, reason=order.reason)
            return
        breaker.hold(now + order.seconds)
        self._reasons[order.operation] = order.reason
        self._look(order.operation)
        self._report(order.operation)

    def show(self) -> None:
        """Say in the metrics which of them are open, after `hide`."""
        for name in self._breakers:
            self._measure(name)

    def hide(self) -> None:
        """The supplier may be another process's now: this one says no more of it."""
        metrics.breaker_open.remove_by_labels({"supplier": self._supplier})

    def _measure(self, operation: str) -> None:
        """Of one that is open: whether the next call is refused, or may probe."""
        breaker = self._breakers[operation]
        if breaker.state is State.OPEN:
            refuses = breaker.remaining(time.monotonic()) > 0
            metrics.breaker_open.labels(supplier=self._supplier, operation=operation).set(refuses)

    def _look(self, operation: str) -> None:
        """Let go who waits for a probe, or have them wait."""
        if self._breakers[operation].probing:
            self._decided[operation].clear()
        else:
            self._decided[operation].set()

    def _refusal(self, operation: str) -> BreakerOpenError:
        seconds = self._breakers[operation].remaining(time.monotonic())
        return BreakerOpenError(operation, seconds, self._reasons[operation])

    def _report(self, operation: str) -> None:
        status = self.status()[operation]
        is_open = status.state is State.OPEN
        metrics.breaker_open.labels(supplier=self._supplier, operation=operation).set(is_open)
        if is_open:
            log.warning(
                "breaker.opened",
                supplier=self._supplier,
                operation=operation,
                seconds=round(status.seconds, 1),
                reason=status.reason,
            )
        else:
            self._reasons[operation] = ""
            log.info("breaker.closed", supplier=self._supplier, operation=operation)
