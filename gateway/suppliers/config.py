"""What an operator declares of a supplier: the configuration that its row and every revision of it hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from cronsim import CronSim, CronSimError
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    field_validator,
    model_validator,
)

from schemas.base import Line, SupplierId
from schemas.catalog import Facet

UNITS: Mapping[str, int] = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
"""Units of a period and their seconds."""


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", value.strip())
    if match is None:
        raise ValueError("should be seconds or a text such as 90s, 15m, 24h or 7d")
    return int(match[1]) * UNITS[match[2]]


Period = Annotated[int, Field(strict=True, ge=1, le=366 * 86_400), BeforeValidator(_seconds)]
"""How often a facet is observed, in seconds; also written `90s`, `15m`, `24h`, `7d`."""


def _cron(value: object) -> object:
    if isinstance(value, str) and " " in value.strip():
        try:
            CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ValueError(f"no cron expression: {error}") from error
    return value


Schedule = Annotated[
    Annotated[str, StringConstraints(pattern=r"^\S+( \S+){4,5}$", max_length=100)] | Period, BeforeValidator(_cron)
]
"""When a facet is pulled as a whole: every so often (`24h`), or a cron expression in China's time (`0 3 * * *`)."""

CategoryPath = Annotated[str, StringConstraints(pattern=r"^[^/]+(/[^/]+)*$", max_length=2000)]
"""A supplier's category, names from the root joined by `/`."""

SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""Name of a secret of a supplier."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limits(_Declared):
    """Quotas of one supplier; what is not set is the gateway's own.

    rejected_bytes_per_day: of records that are rejected and kept, each counted as 1 KiB or more, by the day in China.
    """

    feeds_per_minute: Annotated[int, Field(strict=True, ge=1, le=60_000)] | None = None
    rejected_bytes_per_day: Annotated[int, Field(strict=True, ge=1, le=2**50)] | None = None
    concurrency: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = None


class Calls(_Declared):
    """How the supplier is called; what is not set is its adapter's own, what is set may only narrow that.

    allow_private: its address may be one of an intranet or of this machine.
    """

    base_url: Annotated[str, StringConstraints(max_length=500)] | None = None
    allow_private: Annotated[bool, Field(strict=True)] = False
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] | None = None
    rate_per_second: Annotated[float, Field(gt=0, le=10_000)] | None = None
    concurrency: Annotated[int, Field(strict=True, ge=1, le=1_000)] | None = None


class Webhook(_Declared):
    """Where the messages of a vendor that fetches are sent as well. concurrency: requests under way at most.

    allow_private: its address may be one of an intranet or of this machine, and begin with http://.
    """

    url: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    allow_private: Annotated[bool, Field(strict=True)] = False
    concurrency: Annotated[int, Field(strict=True, ge=1, le=16)] = 4


class Brakes(_Declared):
    """Limits beyond which an operator decides. withdraw: share of a facet's keys that one full feed may withdraw."""

    withdraw: Annotated[float, Field(ge=0, le=1)] = 0.2


PriceMismatch = Literal["warn", "reject"]
"""What becomes of a price whose net price, tax and price with tax contradict each other."""


class SupplierConfig(_Declared):
    """One supplier as declared.

    options: validated by its adapter; facets: those it feeds; periods: seconds between two observations of a facet;
    category_map: its category paths and the directory items they fall under, stronger than matching by name;
    price_mismatch: whether prices that contradict themselves are taken with a warning or rejected; http,
    pulls, messages: of suppliers that are pulled: how they are called, when a facet is pulled as a whole (by default
    once in its period, else daily), how often their message pools are looked at; webhook: of suppliers whose vendors
    fetch: where their messages are sent as well.
    """

    supplier: SupplierId
    name: Line
    adapter: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    facets: tuple[Facet, ...]
    options: dict[str, JsonValue] = {}
    periods: dict[Facet, Period] = {}
    category_map: Annotated[dict[CategoryPath, Line], Field(max_length=10_000)] = {}
    limits: Limits = Limits()
    brakes: Brakes = Brakes()
    price_mismatch: PriceMismatch = "warn"
    http: Calls = Calls()
    pulls: dict[Facet, Schedule] = {}
    messages: Period = 30
    webhook: Webhook | None = None

    @field_validator("facets")
    @classmethod
    def _some_once(cls, facets: tuple[Facet, ...]) -> tuple[Facet, ...]:
        if not facets or len(set(facets)) != len(facets):
            raise ValueError("should name one facet or more, each once")
        return facets

    @model_validator(mode="after")
    def _periods_of_facets(self) -> SupplierConfig:
        if undeclared := sorted(set(self.periods) - set(self.facets)):
            raise ValueError(f"periods: {', '.join(undeclared)} not among the facets")
        if undeclared := sorted(set(self.pulls) - set(self.facets)):
            raise ValueError(f"pulls: {', '.join(undeclared)} not among the facets")
        return self
