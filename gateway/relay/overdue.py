"""Commands whose time is over at suppliers for which nobody works: no adapter, a row that is no use, no process.

A relay or a mailbox ends what is due within seconds. What has been overdue for longer has nobody, and is ended here
without an adapter: what was never sent expires, what may have taken effect is for a person. Nothing is ever sent.

No other process can be at the same: the row of the supplier's lease is held as a takeover holds it, so that no owner
writes meanwhile, and a call of the owner of today is left to him.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from gateway.jobs import repeat
from gateway.relay import overdue_queries as queries
from gateway.relay.lane_ends import Change, changes_of, end_without_call
from gateway.relay.lane_store import lock_lanes, settle
from gateway.relay.lanes import Lane
from gateway.relay.mailbox import Clock, utc_now
from gateway.relay.order_batches import OrderBatches
from gateway.relay.policy import Availability, Profile
from gateway.relay.received import ROLES
from gateway.relay.transitions import recover
from gateway.sdk.manifest import Idempotency
from gateway.store import Pool, acquired, holding_off_owners
from gateway.suppliers import SecretBox, lease_of
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

OVERDUE_AFTER = timedelta(minutes=2)
"""By then whoever works for a supplier has ended what is due: a lease is handed over and a message shown again sooner.
"""

LOOK_SECONDS = 10.0
"""Between two looks at what is overdue."""

ENDED_AT_ONCE = 200
"""Lanes that are looked at in one transaction."""

OUT_OF_REACH = Profile(Idempotency.QUERY, finds=True, lease_term=timedelta(0), timeout=timedelta(0))
"""Of a supplier that nobody calls: nothing is sent, and before its deadline nothing is given up."""


def overdue_changes(lane: Lane, epoch: int | None, now: datetime) -> Sequence[Change]:
    """What ends or stops in a lane because its time is over. epoch: of the owner, whose calls are his; None: nobody."""
    stands = {command.command_id: command for command in lane.commands}
    for command in lane.commands:
        if now >= command.deadline:
            later = command.epoch + 1 if epoch is None else epoch
            stands[command.command_id] = recover(command, later, now)
    end_without_call(lane, stands, OUT_OF_REACH, Availability(paused=True), now)
    return list(changes_of(lane, stands))


class OverdueCommands:
    """Ends what is overdue, in every process: that nobody works for a supplier is no reason to say nothing."""

    def __init__(self, pool: Pool, box: SecretBox, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._box = box
        self._clock = clock
        self._supervisor = Supervisor[str]("overdue commands", "supplier")
        self._batches = OrderBatches("overdue orders")
        self.supervisors: tuple[Supervisor[Any], ...] = (self._supervisor, self._batches.supervisor)

    async def run(self) -> None:
        """Until cancelled; an outage is waited out."""
        await repeat("overdue commands", self.look, LOOK_SECONDS)

    async def look(self) -> None:
        """Look at every supplier once. Raises ServiceUnavailableError."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.SUPPLIERS, self._clock() - OVERDUE_AFTER)
        await self._supervisor.each([row["supplier"] for row in rows], self.end)

    async def end(self, supplier: str) -> None:
        """End what is overdue at one supplier. Raises ServiceUnavailableError."""
        now = self._clock()
        orders = partial(self._overdue, supplier, now)
        await self._batches.process_pages(supplier, orders, partial(self._end, supplier, now), at_once=ENDED_AT_ONCE)

    async def _overdue(self, supplier: str, now: datetime, behind: str) -> Sequence[str]:
        """behind: only orders whose numbers come after this one."""
        asked = (supplier, now - OVERDUE_AFTER, behind, ENDED_AT_ONCE, self._batches.set_aside(supplier))
        async with acquired(self._pool) as connection:
            return [row["order_no"] for row in await connection.fetch(queries.ORDERS, *asked)]

    async def _end(self, supplier: str, now: datetime, orders: Sequence[str]) -> Sequence[str]:
        """Operations of another release are left to it."""
        async with holding_off_owners(self._pool, lease_of(supplier)) as held:
            locked = await lock_lanes(held.connection, supplier, orders)
            known = [lane for lane in locked.lanes if all(each.operation in ROLES for each in lane.commands)]
            changes = [each for lane in known for each in overdue_changes(lane, held.epoch, now)]
            await settle(held.connection, self._box, locked, changes, now)
        if changes:
            log.warning("commands.overdue", supplier=supplier, commands=len(changes))
        return orders
