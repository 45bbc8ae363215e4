"""Replays as operators know them: one letter at once, or many as a job that is planned, started, watched, cancelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from gateway.deadletters import job_queries, queries
from gateway.deadletters.errors import (
    DeadLetterError,
    InvalidParameterError,
    JobStateError,
    NothingSelectedError,
    UnknownLetterError,
)
from gateway.deadletters.letters import DeadLetterRow
from gateway.deadletters.patch import Patch
from gateway.deadletters.replay import (
    FAILED,
    UNMENDED,
    Handler,
    Predictor,
    ReplayResult,
    failure_of,
    predict_letter,
    replay_letter,
)
from gateway.deadletters.runner import Runner
from gateway.deadletters.selection import Page, Selection, cursor, page_size, paged, place_by_id
from gateway.deadletters.service import reasoned, settle
from gateway.store import Connection, Lease, Pool, acquired, audit, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from gateway.telemetry.supervise import Supervisor

JobState = Literal["planning", "planned", "running", "done", "cancelled"]

# Slower than this, a job would sleep for minutes before it notices that it was cancelled.
MIN_RATE, MAX_RATE = 0.1, 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A bulk replay. selection: what was asked for; rate: letters per second at most."""

    id: UUID
    state: JobState
    actor: str
    reason: str
    selection: Mapping[str, Any]
    rate: float
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a job stands. predicted: letters by the outcome that the dry run foretold; outcomes: by the real one."""

    job: Job
    total: int
    predicted: Mapping[str, int]
    outcomes: Mapping[str, int]

    @property
    def left(self) -> int:
        """Letters not replayed yet; of a cancelled job, never."""
        return self.total - sum(self.outcomes.values())

    @property
    def unmended(self) -> int:
        """Letters that the job took up and that are still not well, or were closed by somebody else."""
        return sum(count for outcome, count in self.outcomes.items() if outcome in UNMENDED)

    @property
    def partial(self) -> bool:
        """The job is over and has not mended everything it was to mend."""
        return self.job.state in {"done", "cancelled"} and self.left + self.unmended > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One letter of a job. outcome: None until it was replayed; detail: why it failed or was skipped."""

    position: int
    letter: UUID
    predicted: str | None
    outcome: str | None
    detail: str | None
    at: datetime | None


class Replays:
    """Replays of dead letters.

    handlers, predictors: by stage, given by the stages at composition; owner: names this process in the lease under
    which the jobs of all processes run.
    """

    def __init__(
        self,
        pool: Pool,
        handlers: Mapping[str, Handler],
        predictors: Mapping[str, Predictor],
        *,
        owner: str,
        lease_term: float = 15.0,
    ) -> None:
        self._pool = pool
        self._handlers = handlers
        self._predictors = predictors
        self._runner = Runner(pool, Lease(pool, "replay", owner, term=lease_term), handlers, predictors)

    @property
    def supervisors(self) -> Sequence[Supervisor[UUID]]:
        """Of its jobs and of their letters."""
        return self._runner.supervisors

    async def run(self) -> None:
        """Run the jobs, for ever, while the lease is this process's."""
        await self._runner.run()

    async def predict(self, letter: UUID, patch: Patch | None = None) -> ReplayResult:
        """What replaying one letter would come to now, without effect."""
        return await predict_letter(self._pool, letter, self._predictors, patch)

    async def replay(self, letter: UUID, *, actor: str, reason: str, patch: Patch | None = None) -> ReplayResult:
        """Replay one letter now, as it was or patched. Outcomes `rejected` and `failed` leave it open.

        Raises ReasonRequiredError, UnknownLetterError, LetterClosedError, NoHandlerError, ServiceUnavailableError.
        """
        why = reasoned(reason)
        try:
            async with transaction(self._pool) as connection:
                found, result = await replay_letter(connection, letter, self._handlers, patch)
                await _audit(connection, letter, actor, why, _detail(found, result, patch))
                failpoint("replay.before_commit")
            failpoint("replay.after_commit")
        except DeadLetterError:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever a handler's fault is, the letter and the audit say so
            result = failure_of(error, letter)
            await self._note_failure(letter, result, actor=actor, reason=why)
            metrics.replays_total.labels(outcome=result.outcome).inc()
            return result
        metrics.replays_total.labels(outcome=result.outcome).inc()
        async with transaction(self._pool) as connection:
            await settle(connection, [found.fingerprint])
        return result

    async def _note_failure(self, letter: UUID, result: ReplayResult, *, actor: str, reason: str) -> None:
        detail = {"outcome": FAILED, "detail": result.detail}
        async with transaction(self._pool) as connection:
            await connection.execute(queries.MARK_FAILED, letter)
            await _audit(connection, letter, actor, reason, detail)

    async def plan(self, selection: Selection, *, actor: str, reason: str, rate: float = 50.0) -> UUID:
        """Make a job of the open letters that the selection means now; the dry run begins at once, nothing else.

        Raises ReasonRequiredError, NothingSelectedError, InvalidParameterError.
        """
        why, job = reasoned(reason), uuid4()
        if not MIN_RATE <= rate <= MAX_RATE:
            raise InvalidParameterError(f"rate must be {MIN_RATE:g} to {MAX_RATE:g} letters per second")
        async with transaction(self._pool) as connection:
            await connection.execute(job_queries.ADD_JOB, job, actor, why, selection.json(), rate)
            frozen = await connection.execute(job_queries.FREEZE, *selection.parameters(), job, timeout=60.0)
            if frozen == "INSERT 0 0":
                raise NothingSelectedError
            await audit.record(
                connection, actor, "replay.plan", target=str(job), reason=why, detail={"selection": selection.json()}
            )
        return job

    async def start(self, job: UUID, *, actor: str) -> None:
        """Let a job begin, even before its dry run is through. Raises UnknownLetterError, JobStateError."""
        await self._set_job(job, "running", ("planning", "planned"), actor=actor)

    async def cancel(self, job: UUID, *, actor: str) -> None:
        """Let a job end; at most the letter that is being replayed now still is. Raises as `start` does."""
        await self._set_job(job, "cancelled", ("planning", "planned", "running"), actor=actor)

    async def progress(self, job: UUID) -> Progress:
        """Where a job stands. Raises UnknownLetterError."""
        async with acquired(self._pool) as connection:
            found = await _job(connection, job)
            tally = await connection.fetch(job_queries.TALLY, job)
        predicted, outcomes = Counter[str | None](), Counter[str | None]()
        for row in tally:
            predicted[row["predicted"]] += row["items"]
            outcomes[row["outcome"]] += row["items"]
        return Progress(
            job=found, total=predicted.total(), predicted=_without_null(predicted), outcomes=_without_null(outcomes)
        )

    async def items(
        self, job: UUID, *, outcome: str | None = None, after: int = 0, limit: int = 50
    ) -> tuple[Item, ...]:
        """Letters of a job behind position `after`, at most `limit`. Raises UnknownLetterError."""
        async with acquired(self._pool) as connection:
            await _job(connection, job)
            rows = await connection.fetch(job_queries.ITEMS, job, after, outcome, page_size(limit))
        return tuple(Item(**dict(row)) for row in rows)

    async def jobs(self, *, after: str | None = None, limit: int = 50) -> Page[Job]:
        """Jobs, the newest first. Raises InvalidParameterError."""
        size = page_size(limit)
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(job_queries.JOBS, *place_by_id(after), size + 1)
        return paged([Job(**dict(row)) for row in rows], size, lambda job: cursor(job.created_at, job.id))

    async def _set_job(self, job: UUID, state: JobState, before: tuple[JobState, ...], *, actor: str) -> None:
        async with transaction(self._pool) as connection:
            if not await connection.fetchval(job_queries.SET_JOB, job, state, before):
                found = await _job(connection, job)
                raise JobStateError(f"the replay is {found.state}")
            await audit.record(connection, actor, f"replay.{state}", target=str(job))


async def _job(connection: Connection, job: UUID) -> Job:
    row = await connection.fetchrow(job_queries.JOB, job)
    if row is None:
        raise UnknownLetterError("there is no such replay")
    return Job(**dict(row))


def _detail(letter: DeadLetterRow, result: ReplayResult, patch: Patch | None) -> Mapping[str, object]:
    """What the audit keeps of a replay: a patch by what is kept of it."""
    detail = {"detail": result.detail} if result.detail else {}
    kept = patch if result.keeps is None else Patch(result.keeps)
    changed = {} if patch is None or kept is None else kept.detail(letter.original)
    return {"outcome": result.outcome} | detail | changed


async def _audit(connection: Connection, letter: UUID, actor: str, reason: str, detail: Mapping[str, object]) -> None:
    await audit.record(connection, actor, "deadletter.replay", target=str(letter), reason=reason, detail=detail)


def _without_null(counts: Mapping[str | None, int]) -> dict[str, int]:
    return {outcome: count for outcome, count in counts.items() if outcome is not None}
