"""Runs the jobs of all processes under one lease: dry runs beside replays, the jobs of each kind one after another.

All that is known of a job is in PostgreSQL, letter by letter; whoever has the lease next goes on where the last one
was. Kafka or PostgreSQL being away is no outcome: the job waits. A letter or a job at fault is set aside, the others go
on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog

from gateway.deadletters import job_queries, queries
from gateway.deadletters.replay import (
    FAILED,
    Handler,
    Predictor,
    ReplayResult,
    failure_of,
    predict_letter,
    replay_letter,
)
from gateway.deadletters.service import settle
from gateway.sdk.errors import ServiceUnavailableError
from gateway.sdk.storable import storable
from gateway.store import Connection, Lease, LeaseLostError, Pool, Row, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

BATCH = 100
MAX_DETAIL = 500
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0


class LettersLeftError(ServiceUnavailableError):
    """Letters of a job were set aside; it goes on with them later."""


class Runner:
    """The one who runs jobs. handlers, predictors: by stage."""

    def __init__(
        self, pool: Pool, lease: Lease, handlers: Mapping[str, Handler], predictors: Mapping[str, Predictor]
    ) -> None:
        self._pool = pool
        self._lease = lease
        self._handlers = handlers
        self._predictors = predictors
        passes = (LeaseLostError,)
        self._jobs = {
            "planning": Supervisor[UUID]("replay_planning", "job", passes=passes),
            "running": Supervisor[UUID]("replay", "job", passes=passes),
        }
        self._predicted = Supervisor[UUID]("replay_prediction", "letter", passes=passes)
        self._replayed = Supervisor[UUID]("replay_letter", "letter", passes=passes)

    @property
    def supervisors(self) -> Sequence[Supervisor[UUID]]:
        """Of its jobs and of their letters."""
        return (*self._jobs.values(), self._predicted, self._replayed)

    async def run(self) -> None:
        """Run jobs for ever, while the lease is ours."""
        await self._lease.hold(self._work)

    async def _work(self) -> None:
        """Raises LeaseLostError."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._lane("planning", self._plan))
            lanes.create_task(self._lane("running", self._replay))
        raise LeaseLostError

    async def _lane(self, state: str, advance: Callable[[UUID, float], Awaitable[None]]) -> None:
        """One job at a time, the oldest first that is not set aside, until the lease is lost."""
        jobs = self._jobs[state]
        while True:
            try:
                if (job := await self._next(state, jobs.not_due())) is None:
                    await asyncio.sleep(POLL_SECONDS)
                else:
                    await jobs.run(job["id"], partial(advance, job["id"], job["rate"]))
            except LeaseLostError:
                return
            except ServiceUnavailableError as error:
                log.warning("replay.waiting", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _next(self, state: str, aside: Sequence[UUID]) -> Row | None:
        async with acquired(self._pool) as connection:
            return await connection.fetchrow(job_queries.NEXT_JOB, state, aside)

    async def _plan(self, job: UUID, _rate: float) -> None:
        """The dry run: foretell every letter, then wait for the operator. Raises LettersLeftError."""
        after = 0
        while rows := await self._batch(job_queries.UNPREDICTED, job, after):
            if not await self._predict(job, rows):
                return
            after = rows[-1]["position"]
        if await self._batch(job_queries.UNPREDICTED, job, 0):
            raise LettersLeftError
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            await connection.fetchval(job_queries.SET_JOB, job, "planned", ["planning"])

    async def _predict(self, job: UUID, rows: Sequence[Row]) -> bool:
        """Foretell what can be foretold now. False when the job is not to go on."""
        found: dict[int, str] = {}
        for row in rows:
            predict = partial(predict_letter, self._pool, row["letter"], self._predictors)
            if (result := await self._predicted.run(row["letter"], predict)) is not None:
                found[row["position"]] = result.outcome
            self._predicted.raise_outage()
        async with transaction(self._pool) as connection:
            if not await self._ours(connection, job, "planning"):
                return False
            await connection.execute(job_queries.PREDICTED, job, list(found), list(found.values()))
        return True

    async def _replay(self, job: UUID, rate: float) -> None:
        """Replay every letter that is left, then settle the groups; also when the job was cancelled meanwhile.

        Raises LettersLeftError when the job has to go on later.
        """
        left = await self._batch(job_queries.UNREPLAYED, job, 0) if await self._replay_all(job, rate) else []
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            done = not left and await connection.fetchval(job_queries.SET_JOB, job, "done", ["running"])
            kinds = await connection.fetch(job_queries.KINDS_OF_JOB, job)
            await settle(connection, [row["fingerprint"] for row in kinds])
        if left:
            raise LettersLeftError
        log.info("replay.done" if done else "replay.cancelled", job=str(job))

    async def _replay_all(self, job: UUID, rate: float) -> bool:
        """Replay what can be replayed now. False when the job is not to go on."""
        clock = asyncio.get_running_loop().time
        after, due = 0, clock()
        while rows := await self._batch(job_queries.UNREPLAYED, job, after):
            for position, letter in ((row["position"], row["letter"]) for row in rows):
                if not self._replayed.due(letter):
                    continue
                await asyncio.sleep(max(0.0, due - clock()))
                due = following(due, clock(), rate)
                going = await self._replayed.run(letter, partial(self._replay_one, job, position, letter))
                if going is False:
                    return False
                self._replayed.raise_outage()
            after = rows[-1]["position"]
        return True

    async def _batch(self, query: str, job: UUID, after: int) -> list[Row]:
        async with acquired(self._pool) as connection:
            return await connection.fetch(query, job, after, BATCH)

    async def _replay_one(self, job: UUID, position: int, letter: UUID) -> bool:
        """Effect, letter and item in one transaction. False when the job is not to go on."""
        try:
            async with transaction(self._pool) as connection:
                if not await self._ours(connection, job, "running"):
                    return False
                _, result = await replay_letter(connection, letter, self._handlers)
                await _finish(connection, job, position, result)
                failpoint("replay.before_commit")
            failpoint("replay.after_commit")
        except Exception as error:  # noqa: BLE001 -- whatever a handler's fault is, it is this item's outcome
            result = failure_of(error, letter)
            await self._note_failure(job, position, letter, result)
        metrics.replays_total.labels(outcome=result.outcome).inc()
        return True

    async def _note_failure(self, job: UUID, position: int, letter: UUID, result: ReplayResult) -> None:
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            if result.outcome == FAILED:
                await connection.execute(queries.MARK_FAILED, letter)
            await _finish(connection, job, position, result)

    async def _ours(self, connection: Connection, job: UUID, state: str) -> bool:
        """Whether the job is still in that state. Raises LeaseLostError when it is not ours to run."""
        await self._lease.fence(connection)
        return bool(await connection.fetchval(job_queries.IN_STATE, job, state))


async def _finish(connection: Connection, job: UUID, position: int, result: ReplayResult) -> None:
    detail = storable(result.detail)[:MAX_DETAIL] or None
    await connection.execute(job_queries.FINISH_ITEM, job, position, result.outcome, detail)


def following(due: float, now: float, rate: float) -> float:
    """When the letter after one that was due then is due. A job that fell behind does not catch up in a burst."""
    return max(due, now) + 1 / rate
