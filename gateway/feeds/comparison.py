"""A dead letter beside its patch and beside what the mall has: what an operator looks at before a replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.deadletters import DeadLetterRow, diff
from gateway.feeds.contents import Contents
from gateway.feeds.keys import read_stored
from gateway.feeds.named_keys import NamedKeys
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.reconciliation import Stored
from gateway.feeds.replay import FeedReplays
from gateway.kafka import Position
from gateway.sdk.errors import GatewayError, ServiceUnavailableError
from gateway.store import Connection, Pool, transaction
from schemas.catalog import Facet
from schemas.envelope import ItemKey

SAMPLE = 20
"""Keys that are shown: of a record that names more, the first by sku and area."""

AREAS = """
    SELECT s.sku, s.area
      FROM unnest($3::text[]) AS k (sku)
     CROSS JOIN LATERAL (
           SELECT sku, area FROM feed_state
            WHERE facet = $1::text::"char" AND supplier = $2 AND sku = k.sku
            ORDER BY area LIMIT $4
           ) s
"""


@dataclass(frozen=True, slots=True)
class InMall:
    """What the mall has for one key.

    area: None where the facet knows none, or nobody named one yet; version: 0 when nothing was accepted yet; item: what
    the topic says; None when it says nothing, or of an accepted one cannot be read now.
    """

    sku: str
    area: str | None
    status: Literal["accepted", "withdrawn", "never_accepted"]
    version: int
    item: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The three side by side. diff: None without a patch; texts: None where bytes are no UTF-8."""

    facet: str | None
    original_text: str | None
    patched_text: str | None
    diff: str | None
    mall: Sequence[InMall]


class Comparisons:
    """Puts dead letters beside what they are to change."""

    def __init__(self, pool: Pool, contents: Contents, replays: FeedReplays) -> None:
        self._pool = pool
        self._contents = contents
        self._replays = replays

    async def of(self, letter: DeadLetterRow) -> Comparison:
        """The letter, the patch that it carries, and the mall as it is now. Raises ServiceUnavailableError."""
        return Comparison(
            letter.facet,
            text_of(letter.original),
            text_of(letter.patched),
            None if letter.patched is None else diff(letter.original, letter.patched),
            await self._mall(letter),
        )

    async def _mall(self, letter: DeadLetterRow) -> list[InMall]:
        if letter.supplier is None or letter.facet not in set(Facet):
            return []
        facet, named = Facet(letter.facet), await self._named(letter)
        if letter.sku is not None:
            named.append(NamedKeys({letter.sku: None}))
        async with transaction(self._pool) as connection:
            keys = await _keys(connection, letter.supplier, facet, named)
            known = await read_stored(connection, facet, keys)
        places = {key: place for key in keys if (place := _place(known[key])) is not None}
        items = await self._contents.items(facet, places)
        return [_in_mall(key, known[key], items.get(key)) for key in keys]

    async def _named(self, letter: DeadLetterRow) -> list[NamedKeys]:
        """Whom it names; nobody where its supplier or adapter is not there any more: the replay tells of that."""
        try:
            return await self._replays.named(letter)
        except ServiceUnavailableError:
            raise
        except GatewayError:
            return []


async def _keys(connection: Connection, supplier: str, facet: Facet, named: Sequence[NamedKeys]) -> list[ItemKey]:
    """The keys to show: those that are named; of a sku of which no area is told all that are known, else itself."""
    pairs = [(sku, areas) for each in named for sku, areas in each.keys.items()]
    keys = {(sku, area) for sku, areas in pairs for area in areas or ()}
    skus = {sku for sku, _ in pairs}
    vague = sorted(skus - {sku for sku, areas in pairs if areas is not None})
    rows = await connection.fetch(AREAS, FACET_CODES[facet], supplier, vague, SAMPLE)
    keys |= {(row["sku"], row["area"]) for row in rows}
    keys |= {(sku, "") for sku in skus - {sku for sku, _ in keys}}
    return [ItemKey(supplier, sku, area or None) for sku, area in sorted(keys)[:SAMPLE]]


def _place(known: Stored) -> Position | None:
    if known.hash is None or known.partition is None or known.offset is None:
        return None
    return Position(known.partition, known.offset)


def _in_mall(key: ItemKey, known: Stored, item: dict[str, Any] | None) -> InMall:
    status: Literal["accepted", "withdrawn", "never_accepted"] = "accepted"
    if known.hash is None:
        status = "withdrawn" if known.version else "never_accepted"
    return InMall(key.sku, key.area, status, known.version, item)


def text_of(content: bytes | None) -> str | None:
    """Bytes as the text that they are, None where they are none."""
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None
