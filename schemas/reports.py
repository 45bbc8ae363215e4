"""The report of a finished feed, as the mall core reads it: what became of every item, and what went wrong most."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import Instant, Line, Model, SupplierId
from schemas.catalog import Facet
from schemas.envelope import JSON, REPORT_TYPE, Envelope, Headers, encode, message_id, schema_id, source_of

Outcome = Literal["normalized", "unchanged", "stale", "rejected", "held", "cancelled"]
"""What became of an item. A held one becomes one of the others later, which no second report says."""

Count = Annotated[int, Field(ge=0)]

ProblemCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]


class TopProblem(Model):
    """One kind of problem in a feed, with examples."""

    code: ProblemCode = Field(description="Problem code, stable. Source: gateway.")
    message_en: Line = Field(description="What it means, in English. Source: gateway.")
    message_zh: Line = Field(description="What it means, in Chinese. Source: gateway.")
    count: Annotated[int, Field(ge=1)] = Field(description="Items with this problem. Source: gateway.")
    skus: Annotated[tuple[str, ...], Field(max_length=20)] = Field(
        (), description="Article numbers of some of them, where they could be read. Source: supplier."
    )


class FeedReport(Model):
    """Value of the feed reports topic, once per finished feed."""

    feed: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,11}$")] = Field(
        description="Identity of the feed, as in the vendor API. Source: gateway."
    )
    supplier: SupplierId = Field(description="Whose feed. Source: the supplier's credential.")
    facet: Facet = Field(description="What it was about. Source: supplier.")
    mode: Literal["upsert", "full", "validate"] = Field(description="How it was meant. Source: supplier.")
    state: Literal["done", "cancelled"] = Field(description="How it ended. Source: gateway.")
    received_at: Instant = Field(description="When the gateway took it. Source: gateway.")
    finished_at: Instant = Field(description="When its last item was decided. Source: gateway.")
    counts: dict[Outcome, Count] = Field(description="Items per outcome; one not named is 0. Source: gateway.")
    withdrawn: Count | None = Field(
        None, description="Keys that a full feed withdrew because it did not name them. Source: gateway."
    )
    warnings: dict[ProblemCode, Count] = Field(
        {}, description="Items that were taken with a doubt, per problem code. Source: gateway."
    )
    problems: Annotated[tuple[TopProblem, ...], Field(max_length=100)] = Field(
        (), description="Kinds of problems, the most frequent first. Source: gateway."
    )


def report_headers(report: FeedReport) -> Headers:
    """Headers of the record that carries the report; the id is that of the feed's report, however often it is sent."""
    return encode(
        Envelope(
            id=str(message_id(REPORT_TYPE, report.feed)),
            source=source_of(report.supplier),
            type=REPORT_TYPE,
            subject=report.supplier,
            time=report.finished_at,
            dataschema=schema_id("feed-report"),
            datacontenttype=JSON,
            supplier=report.supplier,
            feed_no=int(report.feed),
        )
    )
