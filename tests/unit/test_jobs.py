"""A job that looks again and again: an outage puts a look off and ends nothing, anything else ends the job."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from gateway.jobs import repeat
from gateway.sdk.errors import ConfigError, ServiceUnavailableError


class Looks:
    """Looks that come, one after the other, to what a test gave them; None: it went well."""

    def __init__(self, *came_to: Exception | None) -> None:
        self.left = list(came_to)

    async def look(self) -> None:
        if (error := self.left.pop(0)) is not None:
            raise error


async def test_an_outage_puts_looks_off_until_the_service_is_back() -> None:
    looks = Looks(None, ServiceUnavailableError(), ServiceUnavailableError(), None, ConfigError(["another cluster"]))
    with pytest.raises(ConfigError):
        await repeat("topics", looks.look, 0.0)
    assert not looks.left


async def test_each_outage_is_logged_once() -> None:
    away = ServiceUnavailableError("PostgreSQL is away")
    looks = Looks(away, away, None, away, KeyError("a bug"))
    with capture_logs() as logs, pytest.raises(KeyError):
        await repeat("topics", looks.look, 0.0)
    assert [(line["event"], line["job"], line["error"]) for line in logs] == [
        ("job.look_postponed", "topics", "PostgreSQL is away")
    ] * 2
