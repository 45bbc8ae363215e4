"""Which commands a supplier is offered: those that its adapter sends, or all where its vendor fetches them."""

from __future__ import annotations

from collections.abc import Collection

from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import OPERATION_OF, Manifest
from gateway.suppliers import SupplierCache, UnknownSupplierError
from schemas.contracts import ContractOperation
from schemas.orders import Operation


def fetches_commands(manifest: Manifest) -> bool:
    """Whether the vendor fetches commands: its adapter calls nobody, so nothing can be sent."""
    return manifest.http is None


def operations_of(manifest: Manifest) -> Collection[Operation | ContractOperation]:
    """The operations that suppliers of an adapter are offered."""
    of_contracts = tuple(ContractOperation) if "issues_contracts" in manifest.capabilities else ()
    if fetches_commands(manifest):
        return (*Operation, *of_contracts)
    return (*(OPERATION_OF[task] for task in manifest.orders), *of_contracts)


async def operations_offered(
    suppliers: SupplierCache, registry: Registry, supplier: str
) -> Collection[Operation | ContractOperation] | None:
    """The operations that a supplier is offered; None: there is no such supplier. Raises StoreUnavailableError.

    One whose row or adapter cannot be read is offered all: its commands wait until it can be, and no others do.
    """
    try:
        known = await suppliers.get(supplier)
        return operations_of(registry.load(known.config.adapter).manifest)
    except UnknownSupplierError:
        return None
    except ConfigError:
        return (*Operation, *ContractOperation)


async def has_capability(capability: str, suppliers: SupplierCache, registry: Registry, supplier: str) -> bool:
    """Whether the adapter of a supplier has a capability. Raises StoreUnavailableError."""
    try:
        known = await suppliers.get(supplier)
        return capability in registry.load(known.config.adapter).manifest.capabilities
    except (UnknownSupplierError, ConfigError):
        return False
