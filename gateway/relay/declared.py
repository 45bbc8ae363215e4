"""What suppliers declare of what is done to orders, as it stands now."""

from __future__ import annotations

from datetime import timedelta

from gateway.calls import limits_of
from gateway.registry import Registry
from gateway.relay.answers import profile_of
from gateway.relay.attempts import TASKS
from gateway.relay.policy import Profile
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import Idempotency
from gateway.suppliers import SupplierCache, UnknownSupplierError

LONGEST_TIMEOUT = timedelta(seconds=120)
"""Of a request to a supplier of which nothing is known any more."""


class DeclaredProfiles:
    """Profiles of operations. lease_term: of the suppliers' owners."""

    def __init__(self, suppliers: SupplierCache, registry: Registry, lease_term: timedelta) -> None:
        self._suppliers = suppliers
        self._registry = registry
        self._lease_term = lease_term

    async def of(self, supplier: str, operation: str) -> Profile:
        """What is declared of an operation; nothing but caution where that is gone. Raises StoreUnavailableError."""
        try:
            config = (await self._suppliers.get(supplier)).config
            manifest = self._registry.load(config.adapter).manifest
            write = manifest.orders[TASKS[operation]]
            timeout = timedelta(seconds=limits_of(manifest, config.http).timeout_seconds)
        except (UnknownSupplierError, ConfigError, KeyError):
            return Profile(Idempotency.NONE, finds=False, lease_term=self._lease_term, timeout=LONGEST_TIMEOUT)
        return profile_of(write, lease_term=self._lease_term, timeout=timeout)
