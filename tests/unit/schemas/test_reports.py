"""A feed's report: what it says, and that it is the same message however often it is sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from schemas.base import read
from schemas.catalog import Facet
from schemas.envelope import decode
from schemas.reports import FeedReport, TopProblem, report_headers

RECEIVED = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)


def report(*, feed: str = "7", skus: tuple[str, ...] = ("SKU 1",)) -> FeedReport:
    problem = TopProblem(
        code="invalid_decimal", message_en="Not a decimal.", message_zh="金额格式错误。", count=2, skus=skus
    )
    return FeedReport(
        feed=feed,
        supplier="acme",
        facet=Facet.PRICE,
        mode="upsert",
        state="done",
        received_at=RECEIVED,
        finished_at=RECEIVED,
        counts={"normalized": 5, "rejected": 2},
        problems=(problem,),
    )


def test_a_report_reads_back() -> None:
    assert read(FeedReport, report().model_dump_json().encode()) == report()


def test_its_headers_say_whose_and_of_which_feed() -> None:
    envelope = decode(report_headers(report()))
    assert (envelope.type, envelope.supplier, envelope.feed_no) == ("mall.feeds.report.v1", "acme", 7)
    assert envelope.dataschema == "urn:mallgate:schema:feed-report:v1"
    assert envelope.time == RECEIVED


def test_a_repeated_report_is_the_same_message_and_another_feeds_is_not() -> None:
    assert report_headers(report()) == report_headers(report())
    assert decode(report_headers(report())).id != decode(report_headers(report(feed="8"))).id


def test_an_unreadable_sku_may_still_be_shown() -> None:
    assert report(skus=(" \t",)).problems[0].skus == (" \t",)


def test_an_outcome_outside_the_six_is_refused() -> None:
    with pytest.raises(ValidationError):
        read(FeedReport, report().model_dump_json().replace("rejected", "vanished").encode())
