"""Testing a supplier's connection step by step, so that what is wrong has a name. Nothing changes at the supplier."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from gateway.calls.calls import Calls
from gateway.pulls.context import SupplierContext
from gateway.sdk.adapter import PollsMessages, PullsFeeds
from gateway.sdk.errors import ConfigError, GatewayError, SupplierError
from gateway.sdk.storable import storable
from gateway.store import LeaseLostError

METHODS: Mapping[str, str] = {"token": "obtain_token", "list": "list_skus", "read": "read", "pool": "fetch"}
"""What each step calls. A capability with none of these methods has no step: nobody knows what to ask it about."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried. detail: what came of it, in words."""

    step: str
    ok: bool
    detail: str
    milliseconds: int


async def check(context: SupplierContext, calls: Calls) -> list[dict[str, Any]]:
    """Every step with what came of it; none follows one that the others need."""
    return [asdict(step) async for step in _steps(context, calls)]


async def _steps(context: SupplierContext, calls: Calls) -> AsyncIterator[Step]:
    found: list[str] = []

    async def token() -> str:
        return f"good until {(await calls.token()).expires_at.astimezone():%Y-%m-%d %H:%M:%S}"

    async def listed() -> str:
        page = await cast(PullsFeeds, context.adapter).list_skus(context.urgent, None)
        found.extend(page.skus)
        return f"{len(page.skus):,} skus on the first page, {'more follow' if page.cursor is not None else 'no more'}"

    tries: dict[str, Callable[[], Awaitable[str]]] = {"token": token, "list": listed}
    for name, attempt in tries.items():
        if not _reads(context, METHODS[name]):
            continue
        step = await _tried(name, attempt)
        yield step
        if not step.ok:
            return
    for name, attempt in _readings(context, found):
        yield await _tried(name, attempt)


def _readings(context: SupplierContext, skus: list[str]) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
    """What is read once there is a list: one sku of each facet, and what waits in the pools, which stays there."""

    def of_facet(facet: Any) -> Callable[[], Awaitable[str]]:
        async def read() -> str:
            adapter = cast(PullsFeeds, context.adapter)
            if not (areas := adapter.areas(facet)):
                raise ConfigError(["the supplier's row names no area to ask in"])
            exchanges = await adapter.read(context.urgent, facet, skus[:1], areas[0])
            return f"{sum(len(body) for each in exchanges for body in each.replies.values()):,} bytes about {skus[0]}"

        return read

    def of_pool(pool: str) -> Callable[[], Awaitable[str]]:
        async def look() -> str:
            waiting = await cast(PollsMessages, context.adapter).fetch(context.urgent, pool)
            return f"{len(waiting):,} messages wait"

        return look

    facets = context.facets if skus and _reads(context, METHODS["read"]) else ()
    pools = context.manifest.pools if _reads(context, METHODS["pool"]) else ()
    return [
        *((f"read {facet}", of_facet(facet)) for facet in facets),
        *((f"pool {pool}", of_pool(pool)) for pool in pools),
    ]


def _reads(context: SupplierContext, method: str) -> bool:
    """Whether the adapter has a method, and the table of capabilities says that its calls read: no other is tried."""
    specs = (spec.methods.get(method) for spec in context.manifest.specs)
    return any(spec is not None and spec.effect == "reads" for spec in specs)


async def _tried(name: str, attempt: Callable[[], Awaitable[str]]) -> Step:
    began = time.monotonic()
    try:
        ok, detail = True, await attempt()
    except LeaseLostError:
        raise
    except (SupplierError, ConfigError) as error:
        ok, detail = False, described(error)
    except GatewayError as error:
        ok, detail = False, str(error)
    except Exception as error:  # noqa: BLE001 -- an adapter's bug is one of the faults that a check names
        ok, detail = False, f"a fault of the adapter: {type(error).__name__}: {error}"
    return Step(name, ok, storable(detail[:500]), int((time.monotonic() - began) * 1000))


def described(error: GatewayError) -> str:
    """A fault by its class, its words, and the supplier's own code."""
    code = (
        f" (supplier's code {error.supplier_code})" if isinstance(error, SupplierError) and error.supplier_code else ""
    )
    return f"{type(error).__name__}: {error}{code}"
