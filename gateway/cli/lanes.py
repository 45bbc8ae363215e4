"""`mallgate lanes`: orders of which something waits behind a command, and stops that operators make and take back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cyclopts import App

from gateway.cli.connection import admin
from gateway.cli.orders import print_decision, print_paging_hint
from gateway.cli.output import Json, emit, table
from gateway.cli.pulls import age

lanes = App(name="lanes", help="Look at orders that wait; stop one before its next call, and let it go on.")


@lanes.command(name="list")
async def list_(*, supplier: str | None = None, after: int | None = None, limit: int = 20, json: Json = False) -> None:
    """Orders that stopped, or of which something waits behind another command: the oldest first.

    Parameters
    ----------
    supplier: str
        Only at this supplier.
    after: int
        Only those behind this place: where the page before ended.
    limit: int
        At most so many.
    """
    async with admin() as client:
        page = await client.get("lanes", supplier=supplier, after=after, limit=limit)
    if json:
        emit(page["lanes"])
        return
    now = datetime.now(UTC)
    table(
        "#place|order|supplier|behind|state|since|#followers|what resolves it",
        (_row(each, now) for each in page["lanes"]),
        empty="No lane waits.",
    )
    print_paging_hint(page["next"])


@lanes.command
async def park(order: str, /, *, reason: str, supplier: str | None = None, json: Json = False) -> None:
    """Stop the first command of an order before its next call, and all behind it. At its deadline it ends all the same.

    Parameters
    ----------
    order: str
        The mall's number of the order.
    reason: str
        Why; kept in the audit.
    supplier: str
        At whom, where several have the order.
    """
    await _decide("park", order, reason, supplier, json=json)


@lanes.command
async def release(order: str, /, *, reason: str, supplier: str | None = None, json: Json = False) -> None:
    """Take back what `park` did. What stopped because its effect is in doubt needs `mallgate orders resolve` instead.

    Parameters
    ----------
    order: str
        The mall's number of the order.
    reason: str
        Why; kept in the audit.
    supplier: str
        At whom, where several have the order.
    """
    await _decide("release", order, reason, supplier, json=json)


async def _decide(verb: str, order: str, reason: str, supplier: str | None, *, json: bool) -> None:
    async with admin() as client:
        found = await client.post("lanes", order, verb, body={"reason": reason, "supplier": supplier})
    if json:
        emit(found)
    else:
        print_decision(found)


def _row(found: dict[str, Any], now: datetime) -> list[object]:
    plain = [str(found["place"]), *(found[name] for name in ("order_no", "supplier", "operation", "state"))]
    return [*plain, age(found["since"], now), found["followers"], found["advice"] or found["stands"]]
