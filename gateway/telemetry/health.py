"""Whether this process can do its work right now: named checks, asked afresh each time, once for all who ask then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.sdk.errors import GatewayError

Check = Callable[[], Awaitable[str]]
"""Returns a short word on how things are; raises GatewayError when this process cannot work."""

CHECK_SECONDS = 3.0
"""Seconds a check may take: a service that answers later is away."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The answer of one check."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """All answers; ready when none is bad."""

    checks: dict[str, CheckResult]

    @property
    def ready(self) -> bool:
        """Whether every check went well."""
        return all(finding.ok for finding in self.checks.values())

    def as_json(self) -> dict[str, object]:
        """`{"ready": bool, "checks": {name: {"ok": bool, "detail": str}}}`."""
        return {
            "ready": self.ready,
            "checks": {name: {"ok": finding.ok, "detail": finding.detail} for name, finding in self.checks.items()},
        }


class Health:
    """The checks of one process; each part of the gateway adds its own when it starts."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._asking: asyncio.Task[Readiness] | None = None

    def add(self, name: str, check: Check) -> None:
        """Ask `check` from now on, under a name that is new."""
        if name in self._checks:
            raise ValueError(f"a check named {name} exists")
        self._checks[name] = check

    def remove(self, name: str) -> None:
        """Ask it no more."""
        del self._checks[name]

    async def readiness(self) -> Readiness:
        """Ask every check at once; takes at most PATIENCE seconds.

        Who asks meanwhile has the same answer: a thousand probes must not keep the connections from vendors.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._round(), name="readiness")
        return await asyncio.shield(self._asking)

    async def _round(self) -> Readiness:
        names = list(self._checks)
        findings = await asyncio.gather(*(_asked(self._checks[name]) for name in names))
        return Readiness(dict(zip(names, findings, strict=True)))


async def _asked(check: Check) -> CheckResult:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return CheckResult(ok=True, detail=await check())
    except TimeoutError:
        return CheckResult(ok=False, detail=f"no answer within {CHECK_SECONDS:g} s")
    except GatewayError as error:
        return CheckResult(ok=False, detail=str(error))
