"""Writing dead letters, in the transaction that decides their fate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import orjson

from gateway.deadletters.export import exported
from gateway.deadletters.fingerprint import Kind
from gateway.deadletters.letters import DeadLetter, headers_json, issues_json, storable
from gateway.deadletters.queries import ADD_GROUPS, ADD_LETTERS, JOIN_GROUPS, REOPEN_GROUPS
from gateway.outbox import enqueue
from gateway.store import Connection
from gateway.telemetry import metrics


async def record(connection: Connection, letters: Sequence[DeadLetter]) -> int:
    """Keep `letters` and have them exported; those that are known already change nothing. Returns how many are new.

    Once per transaction, as late in it as possible: chunks that meet the same new kind of fault wait for each other
    from here to their commits.
    """
    if not letters:
        return 0
    await join_groups(connection, (letter.kind for letter in letters))
    rows = await connection.fetch(ADD_LETTERS, *_columns(letters))
    known = {letter.id: letter for letter in letters}
    new = [(known[row["id"]], row["created_at"]) for row in rows]
    await enqueue(connection, [exported(letter, failed_at) for letter, failed_at in new])
    for letter, _ in new:
        metrics.dead_letters_total.labels(stage=letter.stage, code=letter.code).inc()
    return len(rows)


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


def _columns(letters: Sequence[DeadLetter]) -> Iterable[Sequence[object]]:
    """One array per column of ADD_LETTERS, in its order. JSON as text: an array of lists would be a matrix."""
    return zip(
        *(
            (
                letter.id,
                letter.kind.fingerprint,
                _text(letter.supplier),
                letter.facet,
                letter.stage,
                letter.code,
                orjson.dumps(issues_json(letter.issues)).decode(),
                _text(letter.sku),
                letter.feed_no,
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
            for letter in letters
        ),
        strict=True,
    )


def _text(text: str | None) -> str | None:
    return None if text is None else storable(text)
