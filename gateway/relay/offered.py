"""Which commands a supplier is offered: those that its adapter sends, or all where its vendor fetches them."""

from __future__ import annotations

from collections.abc import Collection

from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import OPERATION_OF, Manifest
from gateway.suppliers import SupplierCache, UnknownSupplierError
from schemas.orders import Operation


def fetches_commands(manifest: Manifest) -> bool:
    """Whether the vendor fetches commands: its adapter calls nobody, so nothing can be sent."""
    return manifest.http is None


def operations_of(manifest: Manifest) -> Collection[Operation]:
    """The operations that suppliers of an adapter are offered."""
    if fetches_commands(manifest):
        return tuple(Operation)
    return tuple(OPERATION_OF[task] for task in manifest.orders)


async def operations_offered(
    suppliers: SupplierCache, registry: Registry, supplier: str
) -> Collection[Operation] | None:
    """The operations that a supplier is offered; None: there is no such supplier. Raises StoreUnavailableError.

    One whose row or adapter cannot be read is offered all: its commands wait until it can be, and no others do.
    """
    try:
        known = await suppliers.get(supplier)
        return operations_of(registry.load(known.config.adapter).manifest)
    except UnknownSupplierError:
        return None
    except ConfigError:
        return tuple(Operation)


async def reads_orders(suppliers: SupplierCache, registry: Registry, supplier: str) -> bool:
    """Whether orders of a supplier can be read there. Raises StoreUnavailableError."""
    try:
        known = await suppliers.get(supplier)
        return "reads_orders" in registry.load(known.config.adapter).manifest.capabilities
    except (UnknownSupplierError, ConfigError):
        return False
