"""What a process has learnt of suppliers by calling them. It outlives revisions of the row and restarts of sessions."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.calls.breakers import Breakers
from gateway.calls.budget import ORDER_FLOOR, RetryBudget
from gateway.calls.limiter import Limiter, Rate
from gateway.outbound import HttpLimits
from gateway.sdk.manifest import Manifest
from gateway.telemetry import metrics

DICE: Callable[[], float] = random.SystemRandom().random
"""Processes that were started together must not roll the same."""


@dataclass(frozen=True, slots=True)
class CallState:
    """How one supplier is to be called by one adapter at one address: pace, places, breakers and retries left.

    retries: of calls that are repeated at once; order_retries: of commands, which are tried again later.
    """

    supplier: str
    adapter: str
    base_url: str
    limiter: Limiter
    breakers: Breakers
    retries: RetryBudget
    order_retries: RetryBudget

    def configure(self, limits: HttpLimits) -> None:
        """Take other limits over, at once."""
        self.limiter.configure(
            maximum=limits.rate_per_second, timeout=limits.timeout_seconds, concurrency=limits.concurrency
        )

    def show(self) -> None:
        """Tell the metrics: the supplier is this process's."""
        metrics.supplier_rate.labels(supplier=self.supplier).set(self.limiter.rate.current)
        self.breakers.show()

    def hide(self) -> None:
        """Tell the metrics no more: the supplier may be another process's."""
        metrics.supplier_rate.remove(self.supplier)
        self.breakers.hide()


class CallStates:
    """The states of a process, by supplier."""

    def __init__(self) -> None:
        self._states: dict[str, CallState] = {}

    def of(self, supplier: str, manifest: Manifest, limits: HttpLimits) -> CallState:
        """The known state of a supplier under these limits; nothing yet behind another adapter or address than
        before."""
        known = self._states.get(supplier)
        if known is not None and (known.adapter, known.base_url) == (manifest.id, limits.base_url):
            known.configure(limits)
            return known
        self._states[supplier] = new_state(supplier, manifest, limits)
        return self._states[supplier]


def new_state(supplier: str, manifest: Manifest, limits: HttpLimits) -> CallState:
    """The state of a supplier that was never called."""
    rate = Rate(limits.rate_per_second, limits.timeout_seconds, time.monotonic(), DICE)
    return CallState(
        supplier,
        manifest.id,
        limits.base_url,
        Limiter(rate, limits.concurrency, time.monotonic),
        Breakers(supplier, manifest.operations, DICE),
        retries=RetryBudget(),
        order_retries=RetryBudget(ORDER_FLOOR),
    )
