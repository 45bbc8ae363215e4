"""When a facet is pulled as a whole."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from cronsim import CronSim

from gateway.suppliers import SupplierConfig
from schemas.base import SHANGHAI
from schemas.catalog import Facet

DAILY = 86_400

JITTER = 0.05
"""Share of an interval by which runs are spread, so that suppliers declared together do not run together."""

RETRY = timedelta(minutes=5)
"""After a run that failed: soon enough to matter, seldom enough to harm nobody. The schedule may say sooner."""


LIST_LIFE = timedelta(hours=3)
"""The oldest list that a run may begin with, however seldom its facet is pulled."""


def next_run(config: SupplierConfig, facet: Facet, started_at: datetime, now: datetime) -> datetime:
    """The next time after a run that was done, which began at started_at; what was missed is not made up for."""
    schedule = _schedule(config, facet)
    if isinstance(schedule, str):
        return next(CronSim(schedule, now.astimezone(SHANGHAI)))
    interval = timedelta(seconds=schedule)
    spread = interval * JITTER * random.random()  # noqa: S311 -- spreading is no secret
    return max(started_at + interval - spread, now)


def after_failure(config: SupplierConfig, facet: Facet, started_at: datetime, now: datetime) -> datetime:
    """The next time after a run that failed."""
    return min(now + RETRY, max(next_run(config, facet, started_at, now), now + RETRY / 10))


def list_life(config: SupplierConfig, facet: Facet, now: datetime) -> timedelta:
    """How old the list of skus may be that a run begins with: twice what runs of the same interval are spread by."""
    schedule = _schedule(config, facet)
    if isinstance(schedule, str):
        times = CronSim(schedule, now.astimezone(SHANGHAI))
        interval = -(next(times) - next(times))
    else:
        interval = timedelta(seconds=schedule)
    return min(2 * JITTER * interval, LIST_LIFE)


def _schedule(config: SupplierConfig, facet: Facet) -> str | int:
    return config.pulls.get(facet, config.periods.get(facet, DAILY))
