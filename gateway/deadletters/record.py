"""Writing dead letters, in the transaction that decides their fate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import orjson

from gateway.deadletters.export import exported
from gateway.deadletters.fingerprint import Kind
from gateway.deadletters.letters import DeadLetter, headers_json, issues_json
from gateway.deadletters.queries import ADD_GROUPS, ADD_LETTERS, JOIN_GROUPS, REOPEN_GROUPS
from gateway.outbox import enqueue
from gateway.sdk.storable import storable
from gateway.store import Connection
from gateway.telemetry import metrics
from gateway.turnstile import Stretch

T = TypeVar("T")
R = TypeVar("R")

SLICE = 20
"""Letters to prepare before the clock is asked whether others have their turn: of a hundred issues each, about 3 ms."""


async def record(connection: Connection, letters: Sequence[DeadLetter]) -> int:
    """Keep `letters` and have them exported; those that are known already change nothing. Returns how many are new.

    Once per transaction, as late in it as possible: chunks that meet the same new kind of fault wait for each other
    from here to their commits.
    """
    if not letters:
        return 0
    rows = await _sliced(letters, _row)
    await join_groups(connection, (letter.kind for letter in letters))
    # One array per column, JSON as text: an array of lists would be a matrix.
    added = await connection.fetch(ADD_LETTERS, *zip(*rows, strict=True))
    known = {letter.id: letter for letter in letters}
    await enqueue(connection, await _sliced(added, lambda row: exported(known[row["id"]], row["created_at"])))
    for row in added:
        letter = known[row["id"]]
        metrics.dead_letters_total.labels(stage=letter.stage, code=letter.code).inc()
    return len(added)


async def join_groups(connection: Connection, kinds: Iterable[Kind]) -> None:
    """Have a group for every kind: a new one is open, a resolved one is open again.

    The groups stay locked FOR KEY SHARE: nobody resolves one while a letter of it is on its way in.
    """
    groups = {kind.fingerprint: kind for kind in kinds}
    await connection.execute(
        ADD_GROUPS,
        list(groups),
        [storable(kind.stage) for kind in groups.values()],
        [kind.code for kind in groups.values()],
        [kind.path for kind in groups.values()],
        [kind.message for kind in groups.values()],
    )
    joined = await connection.fetch(JOIN_GROUPS, list(groups))
    if resolved := [row["fingerprint"] for row in joined if row["state"] == "resolved"]:
        await connection.execute(REOPEN_GROUPS, resolved)


async def _sliced(things: Sequence[T], prepare: Callable[[T], R]) -> list[R]:
    """`prepare` for each, letting others have their turn in the loop: a chunk may be rejected as a whole."""
    prepared: list[R] = []
    stretch = Stretch()
    for start in range(0, len(things), SLICE):
        prepared += map(prepare, things[start : start + SLICE])
        await stretch.rest()
    return prepared


def _row(letter: DeadLetter) -> tuple[object, ...]:
    """The columns of ADD_LETTERS, in its order."""
    return (
        letter.id,
        letter.kind.fingerprint,
        _text(letter.supplier),
        letter.facet,
        letter.stage,
        letter.code,
        orjson.dumps(issues_json(letter.issues)).decode(),
        _text(letter.sku),
        letter.feed_no,
        letter.page_no,
        letter.record_index,
        letter.line,
        letter.revision,
        letter.received_at,
        letter.topic,
        letter.partition,
        letter.offset,
        letter.key,
        None if letter.headers is None else orjson.dumps(headers_json(letter.headers)).decode(),
        letter.original,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)
