"""A loop that is held up is seen to be."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway.telemetry import metrics
from gateway.telemetry.loop import watch_loop


def observed() -> float:
    return metrics.REGISTRY.get_sample_value("mallgate_loop_lag_seconds_count") or 0.0


async def test_the_lag_is_measured_again_and_again() -> None:
    before = observed()
    watching = asyncio.create_task(watch_loop(0.0))
    while observed() < before + 3:  # noqa: ASYNC110 -- the watcher tells nobody
        await asyncio.sleep(0)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
