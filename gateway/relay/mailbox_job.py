"""What ends in mailboxes by time, whether their vendors come or not. Every process may look: the rows are locked."""

from __future__ import annotations

from typing import Any

from gateway.jobs import repeat
from gateway.registry import Registry
from gateway.relay.mailbox import Mailbox
from gateway.relay.offered import fetches_commands
from gateway.sdk.errors import ConfigError
from gateway.suppliers import Supplier, SupplierCache
from gateway.telemetry.supervise import Supervisor

LOOK_SECONDS = 5.0
"""Between two looks at all mailboxes."""


class MailboxJob:
    """Looks at the mailbox of each supplier whose vendor fetches."""

    def __init__(self, mailbox: Mailbox, suppliers: SupplierCache, registry: Registry) -> None:
        self._mailbox = mailbox
        self._suppliers = suppliers
        self._registry = registry
        self._supervisor = Supervisor[str]("mailbox", "supplier")
        self.supervisors: tuple[Supervisor[Any], ...] = (self._supervisor, mailbox.supervisor)

    async def run(self) -> None:
        """Until cancelled. A mailbox that cannot be looked at keeps no other from it; an outage is waited out."""
        await repeat("mailboxes", self.look, LOOK_SECONDS)

    async def look(self) -> None:
        """Look at every mailbox once. Raises ServiceUnavailableError."""
        fetching = [supplier.id for supplier in self._suppliers.known() if self._fetches(supplier)]
        await self._supervisor.each(fetching, self._mailbox.end_due)
        await self._mailbox.forget_keys()

    def _fetches(self, supplier: Supplier) -> bool:
        try:
            return fetches_commands(self._registry.load(supplier.config.adapter).manifest)
        except ConfigError:  # an adapter that is not there: nothing is delivered for it either
            return False
