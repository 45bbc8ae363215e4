"""Appending to the chains of orders, in the transaction of what happened."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from gateway.evidence import queries
from gateway.evidence.entry import BEGINNING, SALT_SIZE, Entry, Link, LinkedEntry, instant, linked
from gateway.evidence.sealed import sealed_as
from gateway.sdk.storable import storable
from gateway.store import Connection, Row
from gateway.suppliers import SecretBox

SLICE = 50
"""Entries that are made at once: about 2 ms."""

MOST_ORDERS = 5_000
"""Orders whose chains say what an operator did about all orders of a supplier; that is in the audit in any case."""


async def append(connection: Connection, box: SecretBox, entries: Sequence[Entry]) -> None:
    """Append entries to the chains of their orders, those of one order in this sequence, within the transaction.

    Once in a transaction that is about several orders, as late as possible: the chains stay locked until it ends.
    """
    if not entries:
        return
    counts = Counter((each.supplier, each.order_no) for each in entries)
    keys = (*zip(*counts, strict=True), list(counts.values()))
    rows = await connection.fetch(queries.TAKE_POSITIONS, *keys)
    heads = {(row["supplier"], row["order_no"]): _before(row, counts) for row in rows}
    appended = await _appended(box, entries, heads, instant(rows[0]["at"]))
    suppliers, order_nos = zip(*heads, strict=True)
    await connection.execute(
        queries.APPEND,
        suppliers,
        order_nos,
        [bytes.fromhex(link.hash) for link in heads.values()],
        *zip(*appended, strict=True),
    )


async def append_to_all(
    connection: Connection, box: SecretBox, supplier: str, kind: str, facts: Mapping[str, object]
) -> None:
    """Append what was done about all orders of a supplier to the chains of those that have not ended there."""
    rows = await connection.fetch(queries.OPEN_ORDERS, supplier, MOST_ORDERS)
    await append(connection, box, [Entry(supplier, row["order_no"], kind, facts=facts) for row in rows])


async def orders_of(connection: Connection, supplier: str, numbers: Collection[str]) -> Mapping[str, str]:
    """The mall's numbers of orders by the supplier's, of those that are known."""
    if not numbers:
        return {}
    rows = await connection.fetch(queries.ORDERS_OF, supplier, sorted({storable(each) for each in numbers}))
    return {row["supplier_order_no"]: row["order_no"] for row in rows}


def _before(row: Row, counts: Mapping[tuple[str, str], int]) -> Link:
    position = row["position"] - counts[row["supplier"], row["order_no"]]
    return Link(position, row["head"].hex()) if position else BEGINNING


async def _appended(
    box: SecretBox, entries: Sequence[Entry], heads: dict[tuple[str, str], Link], at: str
) -> Sequence[tuple[object, ...]]:
    """Rows of entries; `heads` are moved behind them. Of many entries others have their turn in the loop meanwhile."""
    rows = []
    for number, entry in enumerate(entries, 1):
        key = (entry.supplier, entry.order_no)
        made = linked(entry, heads[key], at, secrets.token_bytes(SALT_SIZE))
        heads[key] = made.link
        rows.append(_row(box, entry, made))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return rows


def _row(box: SecretBox, entry: Entry, made: LinkedEntry) -> tuple[object, ...]:
    name = sealed_as(entry.order_no, made.link.position)
    return (
        entry.supplier,
        entry.order_no,
        made.link.position,
        made.text,
        bytes.fromhex(made.link.hash),
        None if made.content is None else box.seal(entry.supplier, name, made.content),
    )
