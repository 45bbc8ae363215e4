"""One dead letter back into the stage where it failed, under its original identity, version and time of receipt.

The handler's effect and the letter's new state are one transaction. What became stale meanwhile comes out as stale;
what is rejected again stays open and shows the latest reasons. Nothing is ever called replayed that was not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import NoReturn, TypeVar
from uuid import UUID

import structlog

from gateway.deadletters import queries
from gateway.deadletters.errors import DeadLetterError, LetterClosedError, NoHandlerError, UnknownLetterError
from gateway.deadletters.letters import DeadLetterRow, issues_json, kind_of_issue, letter_of
from gateway.deadletters.patch import Patch
from gateway.deadletters.record import join_groups
from gateway.sdk.errors import Issue, ServiceUnavailableError
from gateway.store import Connection, LeaseLostError, Pool, transaction

log = structlog.get_logger(__name__)

T = TypeVar("T")

REJECTED = "rejected"
FAILED = "failed"
SKIPPED = "skipped"

UNMENDED = frozenset({REJECTED, FAILED, SKIPPED})
"""Outcomes after which a letter is not known to be well; every other one closed it."""


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay came to.

    outcome: what became of the record, one of the words of a feed's report (normalized, unchanged, stale, rejected, …),
    failed when the handler has a fault, skipped when the letter was not open any more; issues: why it was rejected;
    detail: words for the operator, as of what a patch alone names; keeps: what is kept of a patch that tells of people,
    in its place.
    """

    outcome: str
    issues: tuple[Issue, ...] = ()
    detail: str = ""
    keeps: bytes | None = None


Handler = Callable[[Connection, DeadLetterRow], Awaitable[ReplayResult]]
"""Judges `letter.content` again and makes it take effect, within the transaction of the connection.

Raises ServiceUnavailableError when it cannot now; whatever else it raises undoes its effect and is a failed replay.
"""

Predictor = Handler
"""Foretells what a replay would come to. Must publish nothing; what it writes is rolled back."""


async def replay_letter(
    connection: Connection, letter: UUID, handlers: Mapping[str, Handler], patch: Patch | None = None
) -> tuple[DeadLetterRow, ReplayResult]:
    """Replay an open letter in the transaction of `connection`; the letter as it was, and what it came to.

    Raises UnknownLetterError, LetterClosedError, NoHandlerError, and whatever the handler raises: roll back.
    """
    found = await _open_letter(connection, letter)
    patched = None if patch is None else patch.content
    result = await _stage(handlers, found)(connection, replace(found, patched=patched))
    if result.outcome == REJECTED and patch is not None:
        issues = issues_json(result.issues)
        await connection.execute(queries.PATCH_REJECTED, letter, result.outcome, issues)
    elif result.outcome == REJECTED:
        await _reject_again(connection, found, result)
    else:
        kept = patched if result.keeps is None else result.keeps
        await connection.execute(queries.CLOSE, letter, result.outcome, kept)
    return found, result


async def _open_letter(connection: Connection, letter: UUID) -> DeadLetterRow:
    """The letter, locked: of two replays at once the second finds it closed."""
    row = await connection.fetchrow(queries.LOCK_LETTER, letter)
    if row is None:
        raise UnknownLetterError
    found = letter_of(row)
    if found.state != "open":
        raise LetterClosedError(f"the dead letter is {found.state}")
    return found


def _stage(table: Mapping[str, T], letter: DeadLetterRow) -> T:
    if letter.stage not in table:
        raise NoHandlerError(f"nothing takes dead letters of stage {letter.stage} back")
    return table[letter.stage]


async def _reject_again(connection: Connection, letter: DeadLetterRow, result: ReplayResult) -> None:
    issues = result.issues or letter.issues
    kind = kind_of_issue(letter.stage, issues[0], result.detail)
    await join_groups(connection, [kind])
    await connection.execute(
        queries.REJECTED_AGAIN, letter.id, result.outcome, kind.fingerprint, issues[0].code, issues_json(issues)
    )


def failure_of(error: Exception, letter: UUID) -> ReplayResult:
    """What a replay came to that raised `error` and was rolled back. Raises it when it says nothing of the letter."""
    match error:
        case LeaseLostError() | ServiceUnavailableError():
            raise error
        case UnknownLetterError() | LetterClosedError():
            return ReplayResult(SKIPPED, detail=str(error))
        case DeadLetterError():
            return ReplayResult(FAILED, detail=str(error))
        case _:
            return _fault(error, letter)


def _fault(error: Exception, letter: UUID) -> ReplayResult:
    log.error("replay.failed", letter=str(letter), exc_info=error)
    return ReplayResult(FAILED, detail=f"{type(error).__name__}: {error}")


class _PredictedError(Exception):
    """Ends a prediction: its transaction is rolled back."""

    def __init__(self, result: ReplayResult) -> None:
        super().__init__(result.outcome)
        self.result = result


async def predict_letter(
    pool: Pool, letter: UUID, predictors: Mapping[str, Predictor], patch: Patch | None = None
) -> ReplayResult:
    """What a replay would come to now, without effect. Raises ServiceUnavailableError."""
    try:
        async with transaction(pool) as connection:
            await _predict(connection, letter, predictors, patch)
    except _PredictedError as foretold:
        return foretold.result
    except Exception as error:  # noqa: BLE001 -- a predictor's fault is that letter's prediction
        return failure_of(error, letter)


async def _predict(
    connection: Connection, letter: UUID, predictors: Mapping[str, Predictor], patch: Patch | None
) -> NoReturn:
    """Raises _ForetoldError, so that whatever the predictor wrote is undone."""
    found = await _open_letter(connection, letter)
    patched = None if patch is None else patch.content
    raise _PredictedError(await _stage(predictors, found)(connection, replace(found, patched=patched)))
