"""Having suppliers that are pulled asked about skus, for whoever lacks what they said."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from gateway.pulls.pool import ask_rereads
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.store import Connection
from gateway.suppliers import SupplierCache, UnknownSupplierError
from schemas.catalog import Facet


class RereadRequests:
    """Has re-reads done. The supplier's owner does what is asked for here, on whichever process it is."""

    def __init__(self, suppliers: SupplierCache, registry: Registry) -> None:
        self._suppliers = suppliers
        self._registry = registry

    async def ask(self, connection: Connection, supplier: str, facet: Facet, skus: Collection[str]) -> bool:
        """Have skus of a facet reread; False where the supplier is not asked for it, but pushes.

        Raises StoreUnavailableError.
        """
        if not await self._is_pulled(supplier, facet):
            return False
        await ask_rereads(connection, supplier, [(facet, sku) for sku in skus])
        return True

    async def _is_pulled(self, supplier: str, facet: Facet) -> bool:
        """An adapter that this process does not have is asked nothing."""
        with suppress(UnknownSupplierError, ConfigError):
            config = (await self._suppliers.get(supplier)).config
            return facet in config.facets and facet in self._registry.load(config.adapter).manifest.pulls
        return False
