"""Which operations on orders each supplier is offered."""

from __future__ import annotations

from collections.abc import Collection

from gateway.registry import Registry
from gateway.relay.attempts import operations_of
from gateway.sdk.errors import ConfigError
from gateway.suppliers import SupplierCache, UnknownSupplierError
from schemas.orders import Operation


class OfferedOperations:
    """What may be asked of suppliers, by their rows and adapters of today."""

    def __init__(self, suppliers: SupplierCache, registry: Registry) -> None:
        self._suppliers = suppliers
        self._registry = registry

    async def of(self, supplier: str) -> Collection[Operation] | None:
        """The operations; None: there is no such supplier. Raises StoreUnavailableError.

        A supplier whose adapter cannot be loaded is offered none.
        """
        try:
            found = await self._suppliers.get(supplier)
            return operations_of(self._registry.load(found.config.adapter).manifest)
        except UnknownSupplierError:
            return None
        except ConfigError:
            return ()
