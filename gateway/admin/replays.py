"""Replays of dead letters: of one at once, of many as a job."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated
from uuid import UUID

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.admin.deadletters import LETTER, Reason, SelectionBody, Size
from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_query
from gateway.deadletters import DeadLetters, Job, Patch, Progress, ReplayResult, Replays
from gateway.feeds.comparison import Comparison, Comparisons
from gateway.intake.views import issue_views

JOB = LETTER.replace("letter", "job")
Content = Annotated[str, StringConstraints(min_length=1, max_length=4 * 1024 * 1024)]


class PatchBody(JsonBody):
    """Body of a prediction. patch: what to judge instead of the original."""

    patch: Content | None = None

    def patched(self) -> Patch | None:
        """The patch as the service takes it."""
        return None if self.patch is None else Patch(self.patch.encode())


class ReplayBody(PatchBody):
    """Body of a replay of one letter."""

    reason: Reason


class ReplayJobBody(JsonBody):
    """Body of a job. rate: letters per second."""

    reason: Reason
    selection: SelectionBody
    rate: Annotated[float, Field(gt=0, le=1000)] = 50.0


class JobPage(JsonBody):
    """Query of the list of jobs. after: `next` of the page before."""

    after: str | None = None
    limit: Size = 50


class ItemPage(JsonBody):
    """Query of the letters of a job. after: position of the last one of the page before."""

    outcome: str | None = None
    after: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    limit: Size = 50


class ReplayRoutes:
    """`/deadletters/{id}/replay` and `/predict`: one letter; `/replays`: planned, started, watched, cancelled."""

    def __init__(self, replays: Replays, letters: DeadLetters, comparisons: Comparisons) -> None:
        self._replays = replays
        self._letters = letters
        self._comparisons = comparisons

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.post(f"/deadletters/{LETTER}/predict", self.predict),
            web.post(f"/deadletters/{LETTER}/replay", self.replay),
            web.get("/replays", self.list),
            web.post("/replays", self.plan),
            web.get(f"/replays/{JOB}", self.show),
            web.get(f"/replays/{JOB}/items", self.items),
            web.post(f"/replays/{JOB}/start", self.start),
            web.post(f"/replays/{JOB}/cancel", self.cancel),
        ]

    async def predict(self, request: web.Request) -> web.Response:
        """What a replay of one letter would come to now, beside what the mall has; nothing happens."""
        body, letter = await read_body(request, PatchBody), UUID(request.match_info["letter"])
        compared = await self._compared(letter, body.patched())
        return json_response(_result(await self._replays.predict(letter, body.patched()), compared))

    async def replay(self, request: web.Request) -> web.Response:
        """Replay one letter now; `mall` is what was there before."""
        body, letter = await read_body(request, ReplayBody), UUID(request.match_info["letter"])
        compared = await self._compared(letter, body.patched())
        result = await self._replays.replay(letter, actor=request[ACTOR], reason=body.reason, patch=body.patched())
        return json_response(_result(result, compared))

    async def _compared(self, letter: UUID, patch: Patch | None) -> Comparison:
        """Raises UnknownLetterError. A patch that an earlier replay took is none of this one's."""
        found = await self._letters.show(letter)
        return await self._comparisons.of(replace(found, patched=None if patch is None else patch.content))

    async def list(self, request: web.Request) -> web.Response:
        """Jobs, the newest first."""
        query = read_query(request, JobPage)
        page = await self._replays.jobs(after=query.after, limit=query.limit)
        return json_response({"replays": [_job(job) for job in page.rows], "next": page.next})

    async def plan(self, request: web.Request) -> web.Response:
        """Freeze a selection and predict what its replay would come to; it is replayed once it is started."""
        body = await read_body(request, ReplayJobBody)
        selection = body.selection.selection()
        job = await self._replays.plan(selection, actor=request[ACTOR], reason=body.reason, rate=body.rate)
        return json_response(_progress(await self._replays.progress(job)), status=201)

    async def show(self, request: web.Request) -> web.Response:
        """Where a job stands."""
        return json_response(_progress(await self._replays.progress(UUID(request.match_info["job"]))))

    async def items(self, request: web.Request) -> web.Response:
        """Letters of a job, in its order."""
        query, job = read_query(request, ItemPage), UUID(request.match_info["job"])
        found = await self._replays.items(job, outcome=query.outcome, after=query.after, limit=query.limit)
        return json_response({"items": found, "next": found[-1].position if len(found) == query.limit else None})

    async def start(self, request: web.Request) -> web.Response:
        """Let a job begin."""
        await self._replays.start(UUID(request.match_info["job"]), actor=request[ACTOR])
        return await self.show(request)

    async def cancel(self, request: web.Request) -> web.Response:
        """Let a job end."""
        await self._replays.cancel(UUID(request.match_info["job"]), actor=request[ACTOR])
        return await self.show(request)


def _result(result: ReplayResult, compared: Comparison) -> dict[str, object]:
    issues = issue_views([asdict(issue) for issue in result.issues])
    return {"outcome": result.outcome, "issues": issues, "detail": result.detail, **asdict(compared)}


def _job(job: Job) -> dict[str, object]:
    return {**asdict(job), "selection": dict(job.selection)}


def _progress(progress: Progress) -> dict[str, object]:
    return {
        **_job(progress.job),
        "total": progress.total,
        "left": progress.left,
        "unmended": progress.unmended,
        "partial": progress.partial,
        "predicted": dict(progress.predicted),
        "outcomes": dict(progress.outcomes),
    }
