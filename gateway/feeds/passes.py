"""What a full feed may withdraw: every key of its supplier's facet that no feed has named since, unless a brake holds.

A full feed that may not be the whole of the facet has a flaw and withdraws nothing. One that is whole decides after
every older feed, and leaves its number as the horizon once nothing holds it. Lock order: the pass of supplier and
facet, the feed, the horizon, dead letters, older held feeds. Keys are not locked here: what is counted now is looked at
again, key by key, when it is withdrawn.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

import orjson

from gateway.deadletters import DeadLetter
from gateway.feeds.closing import CANCELLED
from gateway.feeds.queries import FACET_CODES
from gateway.sdk.errors import Issue
from gateway.store import Connection, Row
from gateway.suppliers import brakes_of
from schemas.base import written
from schemas.catalog import Facet

STAGE = "withdraw"
"""Of the dead letter that stands for a held feed."""

GRACE = timedelta(minutes=15)
"""A feed that gave no sign of life for so long is waited for no longer; one that was being admitted is incomplete."""

LIFE = timedelta(days=6)
"""How long a held feed waits for a decision."""

SAMPLE = 20
"""Skus that a hold names."""

INCOMPLETE = "it was never taken whole"
UNREADABLE = "a record was rejected whose sku cannot be read"
"""Flaws. Whatever a full feed does not surely name is not surely absent."""

# Two full feeds of one supplier and facet decide one after the other, else both could be held.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('mallgate.pass ' || $1 || ' ' || $2, 0))"

HAS_UNREADABLE = """
    SELECT EXISTS (
        SELECT FROM feed_chunks
         WHERE feed_no = $1 AND problems @? '$[*] ? (@.outcome == "rejected" && @.sku == null && !exists(@.skus))')
"""

LATER = """
    SELECT max(feed_no) FROM (
           SELECT feed_no FROM feeds WHERE supplier = $1 AND facet = $2 AND state = 'held'
           UNION ALL
           SELECT feed_no FROM horizons WHERE supplier = $1 AND facet = $2
           ) whole
     WHERE feed_no > $3
"""

OLDER_OPEN = """
    SELECT min(o.feed_no) FROM feeds o
     WHERE o.supplier = {full}.supplier AND o.facet = {full}.facet AND o.feed_no < {full}.feed_no
       AND o.mode <> 'validate'
       AND (EXISTS (SELECT FROM deferred_chunks d WHERE d.feed_no = o.feed_no)
            OR ((o.state = 'produced' OR (o.state IN ('admitted', 'incomplete') AND o.origin = 'push'))
                AND (o.state = 'admitted' OR o.touched_at > now() - {grace}
                     OR (o.state = 'produced' AND EXISTS (
                         SELECT FROM feed_chunks c
                          WHERE c.feed_no IN (o.feed_no, {full}.feed_no) AND c.decided_at > now() - {grace})))))
"""
"""The first older feed of which items may still come, for one full feed.

One that was pushed may be resumed for a while; what the gateway fetched and did not bring in, as by an owner that was
killed, is asked again under another number, and what of it comes still is judged by the horizon. One that is durable
has
its chunks on the topics: it is waited for as long as chunks of either feed take effect, or are deferred, because the
topic of their facet is away. Whatever comes later than that is judged by the horizon.
"""

_WAITS_FOR = "SELECT ({older}) FROM feeds f WHERE f.feed_no = $1"
WAITS_FOR = _WAITS_FOR.format(older=OLDER_OPEN.format(full="f", grace="$2::interval"))

NAMED_IN_VAIN = """
    SELECT m.sku FROM sku_marks m WHERE m.facet = $1::text::"char" AND m.supplier = $2 AND m.seen >= {full}
"""
"""Skus that a full feed, or a later one, named in records that were rejected: no key of theirs is absent."""

_COUNT = """
    SELECT count(*) FILTER (WHERE seen < $3 AND sku NOT IN ({named})) AS absent,
           count(*) AS active
      FROM feed_state
     WHERE facet = $1::text::"char" AND supplier = $2 AND hash IS NOT NULL
"""
COUNT = _COUNT.format(named=NAMED_IN_VAIN.format(full="$3"))

_ANYTHING = """
    SELECT EXISTS (
        SELECT FROM feed_state
         WHERE facet = $1::text::"char" AND supplier = $2 AND hash IS NOT NULL AND seen < $3
           AND sku NOT IN ({named}))
"""
ANYTHING = _ANYTHING.format(named=NAMED_IN_VAIN.format(full="$3"))

_SAMPLE_SKUS = """
    SELECT DISTINCT sku FROM feed_state
     WHERE facet = $1::text::"char" AND supplier = $2 AND hash IS NOT NULL AND seen < $3
       AND sku NOT IN ({named})
     ORDER BY sku LIMIT $4
"""
SAMPLE_SKUS = _SAMPLE_SKUS.format(named=NAMED_IN_VAIN.format(full="$3"))


class Share(NamedTuple):
    """Keys that a full feed would withdraw, of those that are active."""

    absent: int
    active: int


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a brake holds a full feed. limit: share of the active keys; sample: some absent skus; at: since when."""

    absent: int
    active: int
    limit: float
    sample: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class PassDecision:
    """What a full feed does now. done: it withdraws nothing, because of its flaw or because nothing is absent.

    waiting: items of an older feed may still come, of that which `waits_for` names.
    """

    state: Literal["done", "withdrawing", "held", "waiting"]
    flaw: str | None = None
    hold: Hold | None = None
    waits_for: int | None = None


def holds(share: Share, limit: float) -> bool:
    """Whether a brake of this limit holds: more is absent than that share of what is active."""
    return share.active > 0 and share.absent / share.active > limit


async def alone(connection: Connection, supplier: str, facet: str) -> None:
    """Be the only one who decides about full feeds of this supplier and facet until the transaction ends."""
    await connection.execute(ALONE, supplier, facet)


async def decide(connection: Connection, feed: Row) -> PassDecision:
    """The verdict about a full feed whose chunks all took effect and whose row is locked.

    feed: with feed_no, supplier, facet, state, flaw and cancelled.
    """
    flaw = await _flaw(connection, feed)
    if flaw is not None:
        return PassDecision("done", flaw)
    older: int | None = await connection.fetchval(WAITS_FOR, feed["feed_no"], GRACE)
    if older is not None:
        return PassDecision("waiting", waits_for=older)
    keys = (FACET_CODES[Facet(feed["facet"])], feed["supplier"], feed["feed_no"])
    share = Share(*await connection.fetchrow(COUNT, *keys) or (0, 0))
    if not share.absent:
        return PassDecision("done")
    limit = (await brakes_of(connection, feed["supplier"])).withdraw
    if not holds(share, limit):
        return PassDecision("withdrawing")
    skus = tuple(row["sku"] for row in await connection.fetch(SAMPLE_SKUS, *keys, SAMPLE))
    at: datetime = await connection.fetchval("SELECT now()")
    return PassDecision("held", hold=Hold(share.absent, share.active, limit, skus, at))


async def anything_absent(connection: Connection, feed: Row) -> bool:
    """Whether there is a key that a full feed withdraws: ask again once it is the horizon, when none can come."""
    found: bool = await connection.fetchval(
        ANYTHING, FACET_CODES[Facet(feed["facet"])], feed["supplier"], feed["feed_no"]
    )
    return found


async def _flaw(connection: Connection, feed: Row) -> str | None:
    if feed["flaw"] is not None:
        return str(feed["flaw"])
    if feed["cancelled"]:
        return CANCELLED
    if feed["state"] != "produced":
        return INCOMPLETE
    if await connection.fetchval(HAS_UNREADABLE, feed["feed_no"]):
        return UNREADABLE
    later = await connection.fetchval(LATER, feed["supplier"], feed["facet"], feed["feed_no"])
    return None if later is None else superseded_by(later)


def superseded_by(feed_no: int) -> str:
    """Flaw of a full feed that a newer one overtook: whatever is still absent, that one knows better."""
    return f"superseded by feed {feed_no}"


def hold_json(hold: Hold) -> dict[str, object]:
    """A hold as its column has it."""
    return {**asdict(hold), "at": written(hold.at)}


def letter_of(feed: Row, hold: Hold) -> DeadLetter:
    """The dead letter of a held feed; replaying it releases the feed, discarding it decides against it."""
    issue = Issue(
        "held_withdrawal",
        actual=f"{hold.absent} of {hold.active} keys",
        expected=f"at most {hold.limit:.0%}",
    )
    return DeadLetter(
        stage=STAGE,
        issues=(issue,),
        original=orjson.dumps({"feed": str(feed["feed_no"]), **hold_json(hold)}),
        supplier=feed["supplier"],
        facet=feed["facet"],
        feed_no=feed["feed_no"],
        revision=feed["revision"],
        received_at=feed["received_at"],
    )
