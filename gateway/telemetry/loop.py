"""Watches the event loop: whoever computes too long inside it delays everyone."""

from __future__ import annotations

import asyncio
import time

from gateway.telemetry import metrics


async def watch_loop(period: float = 0.25) -> None:
    """Measure for ever how late the loop wakes us, every `period` seconds."""
    while True:
        due = time.monotonic() + period
        await asyncio.sleep(period)
        metrics.loop_lag_seconds.observe(max(0.0, time.monotonic() - due))
