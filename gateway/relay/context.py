"""What the relay of a supplier stands on."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.calls.calls import Calls, limits_of
from gateway.relay.turn import Terms, shut_until
from gateway.sdk.adapter import Adapter
from gateway.sdk.manifest import Manifest
from gateway.store import Connection, Lease
from gateway.suppliers import SecretBox, Supplier


@dataclass(frozen=True, slots=True)
class RelayContext:
    """What the relay of a supplier stands on.

    supplier: its row as of now; calls: the way to it; draining: whether nothing more is to be begun; report_health:
    tells operators what is wrong with it, None: nothing.
    """

    supplier: Callable[[], Supplier]
    adapter: Adapter
    manifest: Manifest
    calls: Calls
    lease: Lease
    box: SecretBox
    draining: Callable[[], bool]
    report_health: Callable[[str | None], None]

    def terms(self, now: datetime, *, active: bool) -> Terms:
        """Under what it is called at this moment. active: it is not paused."""
        supplier = self.supplier()
        return Terms(
            self.manifest,
            lease_term=timedelta(seconds=self.lease.term),
            timeout=timedelta(seconds=limits_of(self.manifest, supplier.config.http).timeout_seconds),
            paused=not active,
            shut=shut_until(self.calls.status().breakers, now),
            address=self.calls.address,
        )

    @property
    def concurrency(self) -> int:
        """Calls that may be under way at once."""
        return limits_of(self.manifest, self.supplier().config.http).concurrency

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection to look by, whoever owns the supplier by now. Raises StoreUnavailableError."""
        return self.lease.reading()

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction that only the supplier's owner can have. Raises LeaseLostError, StoreUnavailableError."""
        return self.lease.transaction()
