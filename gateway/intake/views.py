"""What the vendor API answers with: models that the OpenAPI document is generated from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.feeds.chunk import Mode, Origin
from gateway.feeds.decide import SAMPLE_SKUS
from gateway.feeds.feed import FeedState
from gateway.feeds.guard import ItemOutcome
from gateway.feeds.report import FeedStatus
from gateway.sdk.problems import words_of
from schemas.base import Instant
from schemas.catalog import Facet


def _words(*known: str) -> WithJsonSchema:
    """The words of this release, for the document; a row of another release is shown with its own."""
    return WithJsonSchema({"enum": list(known), "type": "string"})


OutcomeName = Annotated[str, _words(*ItemOutcome)]
StateName = Annotated[str, _words(*FeedState)]
FacetName = Annotated[str, _words(*Facet)]
ModeName = Annotated[str, _words(*Mode)]
OriginName = Annotated[str, _words(*Origin)]
LetterState = Annotated[str, _words("open", "replayed", "discarded")]


class View(BaseModel):
    """An answer; members never vanish, what is not known is null."""

    model_config = ConfigDict(frozen=True)


class ProblemCount(View):
    """How often one problem occurs in a feed."""

    code: str = Field(description="Stable problem code.")
    message_zh: str = Field(description="What it means, in Chinese.")
    message_en: str = Field(description="What it means, in English.")
    count: int = Field(description="Items concerned.")
    skus: tuple[str, ...] = Field(description="Up to five of them.")


class WarningCount(View):
    """How many items were taken with one kind of doubt."""

    code: str = Field(description="Stable problem code.")
    message_zh: str = Field(description="What it means, in Chinese.")
    message_en: str = Field(description="What it means, in English.")
    count: int = Field(description="Items concerned.")


class FeedView(View):
    """One feed as it stands."""

    feed: str = Field(description="Identity of the feed; feeds of one supplier rise with it.")
    facet: FacetName = Field(description="What it is about.")
    mode: ModeName = Field(description="What it was sent for.")
    origin: OriginName = Field(
        description="push: the supplier sent it; sweep: the gateway fetched the whole facet; reread: it fetched what a "
        "message of the supplier named."
    )
    state: StateName = Field(
        description="admitted: being taken over; produced: durable, being worked on; incomplete: not taken whole, send "
        "it again; withdrawing: a full feed whose records are done withdraws what it does not name; held: it would "
        "withdraw more than the brake allows, and the mall decides; done; cancelled."
    )
    duplicate: bool = Field(False, description="This request repeated an earlier one and changed nothing.")
    records: int | None = Field(description="Records in the body.")
    bytes: int | None = Field(description="Size of the decoded body.")
    items: dict[OutcomeName, int] = Field(description="Items per outcome so far; every item ends in exactly one.")
    withdrawn: int | None = Field(description="Keys that a full feed has withdrawn; null: none to be withdrawn.")
    flaw: str | None = Field(description="Why a full feed withdrew nothing, or not everything; null: it did.")
    waits_for: str | None = Field(
        None,
        description="Older feed of the facet that has to come to its end before a full feed may withdraw anything; "
        "null: none, or the feed is one of a list.",
    )
    progress: float = Field(description="Share of the feed that has taken effect, 0 to 1.")
    received_at: Instant = Field(description="When the request came.")
    produced_at: Instant | None = Field(description="When the feed became durable.")
    finished_at: Instant | None = Field(description="When its last item found its outcome.")
    problems: tuple[ProblemCount, ...] = Field((), description="What was wrong, most frequent first; of one feed only.")
    warnings: tuple[WarningCount, ...] = Field(
        (), description="Items that were taken with a doubt, by what was doubtful; they count among the outcomes too."
    )
    links: dict[str, str] = Field(description="self, report, cancel: where to go on.")


class FeedList(View):
    """Feeds, newest first."""

    feeds: tuple[FeedView, ...]
    next: str | None = Field(description="Address of the next page, null on the last.")


class IssueView(View):
    """One thing wrong with one record."""

    code: str = Field(description="Stable problem code.")
    path: str = Field(description="JSON pointer into the record.")
    actual: str = Field(description="What stood there, cut to 200 characters.")
    expected: str = Field(description="What should.")
    message_zh: str
    message_en: str


class ReportRow(View):
    """One line of a feed's report: an item that did not simply come through, or that was taken with a doubt.

    Of warnings a report holds about a hundred for every thousand records; the feed's own counts hold all.
    """

    record: int = Field(description="Record in the feed, from 0.")
    line: int = Field(description="Line or ordinal in the body, from 1.")
    sku: str | None = Field(description="Its article number, where it could be read.")
    outcome: OutcomeName
    issues: tuple[IssueView, ...] = Field(description="Why it was not taken.")
    warnings: tuple[IssueView, ...] = Field((), description="What was doubtful about it; it was taken all the same.")


class KeyView(View):
    """The known state of one key of a sku."""

    area: str | None = Field(description="Area, null where the facet has none.")
    status: Literal["accepted", "withdrawn", "never_accepted"]
    version: int = Field(
        description="Version of the state accepted last, 0 for none. The record on the mall's topic has the same "
        "content, and a lower version where later feeds only repeated it."
    )
    source_version: int | None = Field(
        description="The supplier's own version that was accepted last; a lower one is stale, also where the accepted "
        "state came without one. Null: none was given since the key was last withdrawn."
    )
    feed: str | None = Field(description="Feed that gave the accepted state.")
    last_seen_feed: str = Field(description="Latest feed that named the sku, whatever became of it.")
    last_outcome: OutcomeName | None = Field(
        description="What became of it there; where that feed named the sku, but not this area, what became of the sku."
    )


class RefusalView(View):
    """A record of the sku that was rejected."""

    dead_letter: str = Field(description="Identity for operators.")
    feed: str | None
    line: int | None
    state: LetterState
    at: Instant
    issues: tuple[IssueView, ...] = Field(description="What is wrong with the record as it was sent.")


class ItemView(View):
    """What became of one sku."""

    sku: str
    facet: FacetName
    keys: tuple[KeyView, ...] = Field(description="By area, some of them where there are many.")
    refusals: tuple[RefusalView, ...] = Field(description="The latest ten, newest first.")
    next: str | None = Field(description="Address of the next keys, null on the last.")


def feed_view(status: FeedStatus, problems: Iterable[Mapping[str, Any]] = (), *, duplicate: bool = False) -> FeedView:
    """The answer about one feed."""
    at = f"/v1/feeds/{status.feed_no}"
    finished = status.finished_at is not None
    return FeedView.model_validate(
        {
            "feed": str(status.feed_no),
            "facet": status.facet,
            "mode": status.mode,
            "origin": status.origin,
            "state": status.state,
            "duplicate": duplicate,
            "records": status.records,
            "bytes": status.bytes,
            "items": status.counts,
            "withdrawn": status.withdrawn,
            "flaw": status.flaw,
            "waits_for": None if status.waits_for is None else str(status.waits_for),
            "progress": 1.0 if finished else _share(status.chunks_done, status.chunks),
            "received_at": status.received_at,
            "produced_at": status.produced_at,
            "finished_at": status.finished_at,
            "problems": (*_hold_count(status), *map(_problem_count, problems)),
            "warnings": tuple(_warning_count(code, count) for code, count in status.warnings.items()),
            "links": {"self": at, "report": f"{at}/report", "cancel": f"{at}/cancel"},
        }
    )


def _share(done: int, of: int | None) -> float:
    return round(done / of, 4) if of else 0.0


def _hold_count(status: FeedStatus) -> Iterator[ProblemCount]:
    """Of a held feed, what a brake holds: the keys that it would withdraw."""
    if status.state == FeedState.HELD and status.hold is not None:
        held = {"code": "held_withdrawal", "count": status.hold["absent"], "skus": status.hold["sample"][:SAMPLE_SKUS]}
        yield _problem_count(held)


def _problem_count(row: Mapping[str, Any]) -> ProblemCount:
    problem = words_of(row["code"])
    skus = tuple(sku for sku in row["skus"] if sku is not None)
    return ProblemCount(code=problem.code, message_zh=problem.zh, message_en=problem.en, count=row["count"], skus=skus)


def _warning_count(code: str, count: int) -> WarningCount:
    problem = words_of(code)
    return WarningCount(code=code, message_zh=problem.zh, message_en=problem.en, count=count)


def report_row(row: Mapping[str, Any]) -> ReportRow:
    """One line of a report, with the words for its codes."""
    warnings = issue_views(row.get("warnings", ()))
    return ReportRow(**{**row, "issues": issue_views(row["issues"]), "warnings": warnings})


def issue_views(issues: Sequence[Mapping[str, str]]) -> tuple[IssueView, ...]:
    """Stored issues with the words for their codes."""
    return tuple(_issue_view(issue) for issue in issues)


def _issue_view(issue: Mapping[str, str]) -> IssueView:
    words = words_of(issue["code"])
    usual = {"path": "", "actual": "", "expected": ""}
    return IssueView(**{**usual, **issue, "message_zh": words.zh, "message_en": words.en})


def item_view(found: Mapping[str, Any], following: str | None = None) -> ItemView:
    """The answer about one sku. following: address of the next keys."""
    return ItemView(
        sku=found["sku"],
        facet=found["facet"],
        keys=tuple(_key_view(key) for key in found["keys"]),
        refusals=tuple(_refusal_view(refusal) for refusal in found["refusals"]),
        next=following,
    )


def _key_view(key: Mapping[str, Any]) -> KeyView:
    return KeyView(
        area=key["area"],
        status=key["status"],
        version=key["version"],
        source_version=key["source_version"],
        feed=str(key["feed"]) if key["feed"] else None,
        last_seen_feed=str(key["last_seen_feed"]),
        last_outcome=key["last_outcome"],
    )


def _refusal_view(row: Mapping[str, Any]) -> RefusalView:
    return RefusalView(
        dead_letter=str(row["id"]),
        feed=None if row["feed_no"] is None else str(row["feed_no"]),
        line=row["line"],
        state=row["state"],
        at=row["created_at"],
        issues=issue_views(row["issues"]),
    )
