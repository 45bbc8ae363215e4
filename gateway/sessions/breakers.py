"""What operators want of a supplier's breakers, written down for the process that owns the supplier."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from difflib import get_close_matches

from gateway.registry import Registry
from gateway.sdk.errors import GatewayError
from gateway.sessions import queries
from gateway.store import Pool, transaction
from gateway.store.audit import record
from gateway.suppliers import SupplierCache


class NoSuchOperationError(GatewayError):
    """The supplier's adapter calls no such operation."""


class BreakerOrders:
    """Holds breakers open and lets them probe. The owner takes an order over within seconds, its successors too."""

    def __init__(self, pool: Pool, suppliers: SupplierCache, registry: Registry) -> None:
        self._pool = pool
        self._suppliers = suppliers
        self._registry = registry

    async def open(
        self, supplier: str, operation: str | None, *, length: timedelta, actor: str, reason: str
    ) -> Sequence[str]:
        """Have nothing called for so long, or until `close`; which operations these are. operation: None for all.

        Raises UnknownSupplierError, NoSuchOperationError.
        """
        return await self._order("open", supplier, operation, length, actor, reason)

    async def close(self, supplier: str, operation: str | None, *, actor: str, reason: str) -> Sequence[str]:
        """Have the next call find out whether the supplier answers. Raises as `open`."""
        return await self._order("close", supplier, operation, None, actor, reason)

    async def _order(
        self, verb: str, supplier: str, operation: str | None, length: timedelta | None, actor: str, reason: str
    ) -> Sequence[str]:
        operations = await self._operations(supplier, operation)
        seconds = None if length is None else length.total_seconds()
        async with transaction(self._pool) as connection:
            await connection.execute(queries.ORDER_BREAKERS, supplier, operations, length, actor, reason)
            detail = {"operations": operations, "seconds": seconds}
            await record(connection, actor, f"breaker.{verb}", target=supplier, reason=reason, detail=detail)
        return operations

    async def _operations(self, supplier: str, operation: str | None) -> Sequence[str]:
        """Raises UnknownSupplierError, NoSuchOperationError."""
        adapter = (await self._suppliers.get(supplier)).config.adapter
        there = sorted(self._registry.load(adapter).manifest.operations)
        if not there:
            raise NoSuchOperationError(
                f"Nothing is called at {supplier}: mallgate suppliers pause {supplier} stops it."
            )
        if operation is None:
            return there
        if operation not in there:
            near = get_close_matches(operation, there, n=5, cutoff=0.3) or there[:5]
            raise NoSuchOperationError(f"{NoSuchOperationError.__doc__} It calls, among others: {', '.join(near)}.")
        return [operation]
