"""Problems as vendors get them: one exception to raise, one RFC 9457 document to answer with.

Nothing here knows of HTTP sockets; `answers` turns what is raised into responses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from typing_extensions import TypedDict

from gateway.kafka import KafkaUnavailableError, TopicUnavailableError
from gateway.sdk.errors import GatewayError, OverloadedError, ServiceUnavailableError
from gateway.sdk.problems import PROBLEMS, Problem

RETRY_AFTER_OUTAGE = 5.0
"""Seconds after which a vendor may try again when Kafka or PostgreSQL is away."""

MAX_TEXT = 200
"""Characters of `detail`, `path` and `actual`: enough to recognise the fault, too few to echo a body."""

MAX_EXPECTED = 400
"""Characters of `expected`, which are the gateway's own: every event that vendors tell is named there."""


class ProblemError(GatewayError):
    """The request is answered with a problem document.

    code: a key of PROBLEMS (KeyError otherwise); detail: what happened, in a sentence; path: JSON pointer, or the name
    of a header or parameter; row: line of the body, from 1; retry_after: seconds, sent as Retry-After;
    subcode: for the log only, where the answer must not tell which check failed.
    """

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        path: str | None = None,
        row: int | None = None,
        actual: str | None = None,
        expected: str | None = None,
        retry_after: float | None = None,
        subcode: str = "",
    ) -> None:
        self.problem: Problem = PROBLEMS[code]
        super().__init__(f"{code}: {detail or self.problem.en}")
        self.detail = detail
        self.place = Place(path, row, actual, expected)
        self.retry_after = retry_after
        self.subcode = subcode

    @property
    def code(self) -> str:
        """The problem's code."""
        return self.problem.code


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the request the fault is, and what stood there; None where there is nothing to say."""

    path: str | None
    row: int | None
    actual: str | None
    expected: str | None


class Document(TypedDict, total=False):
    """Body of an application/problem+json answer. Optional: detail, path, row, actual, expected, feed.

    feed: of the push, when it has a number and its fate cannot be told; Location leads to it.
    """

    type: str
    title: str
    status: int
    code: str
    message_zh: str
    message_en: str
    detail: str
    path: str
    row: int
    actual: str
    expected: str
    feed: str
    retryable: bool
    request_id: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a push so far, for an answer that it failed on our side.

    detail: a sentence; feed_no: of the feed that it may have become, None while it cannot have become any.
    """

    detail: str
    feed_no: int | None = None

    @property
    def location(self) -> str | None:
        """Where to look at the feed."""
        return None if self.feed_no is None else f"/v1/feeds/{self.feed_no}"


def document(error: ProblemError, *, request_id: str, trace_id: str, fate: Fate | None = None) -> Document:
    """The answer's body. `type` names the kind of problem permanently; `title` is its English sentence."""
    problem, place = error.problem, error.place
    answer = Document(
        type=f"urn:mallgate:problem:{problem.code}",
        title=problem.en,
        status=problem.status,
        code=problem.code,
        message_zh=problem.zh,
        message_en=problem.en,
        retryable=problem.retryable,
        request_id=request_id,
        trace_id=trace_id,
    )
    detail = error.detail or (fate.detail if fate else "")
    if detail:
        answer["detail"] = clip(detail)
    if fate is not None and fate.feed_no is not None:
        answer["feed"] = str(fate.feed_no)
    if place.path is not None:
        answer["path"] = clip(place.path)
    if place.row is not None:
        answer["row"] = place.row
    if place.actual is not None:
        answer["actual"] = clip(place.actual)
    if place.expected is not None:
        answer["expected"] = clip(place.expected, MAX_EXPECTED)
    return answer


def retry_after(seconds: float) -> str:
    """Value of a Retry-After header: whole seconds, never less than asked for, never 0."""
    return str(max(1, math.ceil(seconds)))


def clip(text: str, most: int = MAX_TEXT) -> str:
    """Text that any JSON encoder takes, at most so many characters: what a client sent may hold lone surrogates."""
    return text[:most].encode("utf-8", "replace").decode()


def try_again_later(error: OverloadedError | ServiceUnavailableError) -> ProblemError:
    """The problem for an error that will pass by itself; its own words stay in the log, they may name hosts."""
    if isinstance(error, OverloadedError):
        return ProblemError("rate_limited", str(error), retry_after=error.retry_after)
    if isinstance(error, TopicUnavailableError):
        return ProblemError("topic_unavailable", actual=error.topic, retry_after=RETRY_AFTER_OUTAGE)
    code = "kafka_unavailable" if isinstance(error, KafkaUnavailableError) else "store_unavailable"
    return ProblemError(code, retry_after=RETRY_AFTER_OUTAGE)
