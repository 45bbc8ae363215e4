"""How suppliers that are pulled fare: what operators ask of them, and what they may ask for."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from gateway.pulls.queries import PULL_NOW
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError, GatewayError
from gateway.sessions import queries
from gateway.store import Pool, Row, transaction
from gateway.store.audit import record
from gateway.suppliers import SupplierCache
from schemas.catalog import Facet

CHECK_SECONDS = 90.0
LOOK_SECONDS = 0.3


class NotPulledError(GatewayError):
    """The supplier pushes; there is nothing to fetch from it."""


class NotOwnedError(GatewayError):
    """No process works for the supplier right now, so nobody can test its connection."""


class PullStatus:
    """Answers operators' questions from what the owners of suppliers have written down."""

    def __init__(self, pool: Pool, suppliers: SupplierCache, registry: Registry) -> None:
        self._pool = pool
        self._suppliers = suppliers
        self._registry = registry

    async def one(self, supplier: str) -> dict[str, Any] | None:
        """One supplier; None when it is not pulled. Raises UnknownSupplierError."""
        await self._suppliers.get(supplier)
        return next((each for each in await self.all() if each["supplier"] == supplier), None)

    async def all(self) -> list[dict[str, Any]]:
        """Every supplier that is pulled, by id; one that no process owns yet too."""
        async with transaction(self._pool) as connection:
            suppliers = await connection.fetch(queries.STATUS)
            pulls = await connection.fetch(queries.STATUS_PULLS)
            rereads = await connection.fetch(queries.STATUS_REREADS)
        facets: defaultdict[str, dict[str, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
        for row in pulls:
            facets[row["supplier"]][row["facet"]] |= _pull(row)
        for row in rereads:
            facets[row["supplier"]][row["subject"]] |= {"waiting": row["waiting"], "oldest": row["oldest"]}
        return [_status(row, facets[row["supplier"]]) for row in suppliers if self._pulled(row["adapter"])]

    async def pull_now(self, supplier: str, facets: Sequence[Facet] | None, actor: str) -> list[str]:
        """Have facets pulled as a whole at once, None for all; which they are.

        Raises UnknownSupplierError, NotPulledError.
        """
        await self._of_pulled(supplier)
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(PULL_NOW, supplier, None if facets is None else list(facets))
            await record(connection, actor, "supplier.pull_now", target=supplier, detail={"facets": facets})
        return sorted(row["facet"] for row in rows)

    async def check(self, supplier: str, actor: str) -> list[dict[str, Any]]:
        """Have the supplier's owner test its connection; every step with what came of it.

        Raises UnknownSupplierError, NotPulledError, NotOwnedError.
        """
        await self._of_pulled(supplier)
        asked = uuid4()
        async with transaction(self._pool) as connection:
            await connection.execute(queries.ASK_CHECK, supplier, asked)
            await record(connection, actor, "supplier.check", target=supplier)
        until = time.monotonic() + CHECK_SECONDS
        while time.monotonic() < until:
            steps = await self._answer(supplier, asked)
            if steps is not None:
                return steps
            await asyncio.sleep(LOOK_SECONDS)
        raise NotOwnedError

    async def _answer(self, supplier: str, asked: UUID) -> list[dict[str, Any]] | None:
        async with transaction(self._pool) as connection:
            steps: list[dict[str, Any]] | None = await connection.fetchval(queries.CHECKED, supplier, asked)
        return steps

    async def _of_pulled(self, supplier: str) -> None:
        if not self._pulled((await self._suppliers.get(supplier)).config.adapter):
            raise NotPulledError

    def _pulled(self, adapter: str) -> bool:
        """Whether an adapter fetches; one that this process does not have tells nothing."""
        with suppress(ConfigError):
            return self._registry.load(adapter).manifest.pulled
        return False


def _status(row: Row, facets: dict[str, dict[str, Any]]) -> dict[str, Any]:
    health = row["health"] if isinstance(row["health"], dict) else {}  # another release may say it in another form
    return {
        "supplier": row["supplier"],
        "state": row["state"],
        "adapter": row["adapter"],
        "owner": row["owner"] if row["owned"] else None,
        "seen_at": row["seen_at"],
        "rate": health.get("rate"),
        "rate_limit": health.get("rate_limit"),
        "breakers": health.get("breakers", {}),
        "faults": health.get("faults", {}),
        "facets": facets,
    }


def _pull(row: Row) -> dict[str, Any]:
    running = row["feed_no"] is not None
    return {
        "fresh_at": row["fresh_at"],
        "next_at": None if running else row["due_at"],
        "feed": str(row["feed_no"]) if running else None,
        "progress": {name: row[name] for name in ("skus", "batches", "read", "listed")} if running else None,
        "ended_at": row["ended_at"],
        "outcome": row["outcome"],
        "reason": row["reason"],
    }
