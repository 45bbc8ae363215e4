"""What another release of the gateway wrote is shown as it is: it ends no page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from gateway.feeds.report import FeedStatus
from gateway.intake.views import feed_view, issue_views, item_view, report_row
from gateway.sdk.problems import PROBLEMS, words_of

NEWER = "code_of_a_newer_release"
AT = datetime(2026, 5, 1, tzinfo=UTC)


def status(**changed: Any) -> FeedStatus:
    usual: dict[str, Any] = {
        "feed_no": 7,
        "supplier": "acme",
        "facet": "price",
        "mode": "upsert",
        "origin": "push",
        "state": "done",
        "lane": "express",
        "revision": 1,
        "chunks": 1,
        "chunks_done": 1,
        "records": 1,
        "bytes": 10,
        "received_at": AT,
        "produced_at": AT,
        "finished_at": AT,
        "cancel_requested": False,
        "counts": {"normalized": 1},
        "warnings": {},
        "withdrawn": None,
        "flaw": None,
        "hold": None,
    }
    return FeedStatus(**{**usual, **changed})


@pytest.mark.parametrize(
    "changed",
    [
        {"facet": "service"},
        {"mode": "mirror"},
        {"origin": "mail"},
        {"state": "archived"},
        {"counts": {"merged": 3}},
        {"warnings": {NEWER: 2}},
    ],
)
def test_a_feed_of_another_release_is_shown(changed: dict[str, Any]) -> None:
    shown = feed_view(status(**changed)).model_dump(mode="json")
    for name, value in changed.items():
        if name == "warnings":
            assert [(each["code"], each["count"]) for each in shown["warnings"]] == [(NEWER, 2)]
        else:
            assert shown["items" if name == "counts" else name] == value


def test_problems_of_another_release_are_shown_under_their_code() -> None:
    (problem,) = feed_view(status(), [{"code": NEWER, "count": 4, "skus": ["S-1", None]}]).problems
    assert (problem.code, problem.count, problem.skus) == (NEWER, 4, ("S-1",))
    assert problem.message_zh
    assert problem.message_en


def test_a_row_of_a_report_is_shown_whatever_its_codes_and_outcome() -> None:
    issue = {"code": NEWER, "path": "/a", "actual": "1", "expected": "2", "severity": "of a newer release"}
    row = report_row(
        {
            "record": 0,
            "line": 1,
            "sku": "S-1",
            "outcome": "merged",
            "issues": [issue, {"code": NEWER}],
            "warnings": [issue],
        }
    )
    assert (row.outcome, row.issues[0].code, row.warnings[0].code) == ("merged", NEWER, NEWER)


def test_an_item_is_shown_whatever_its_refusals_say() -> None:
    refusal = {"id": "x", "feed_no": 1, "line": 2, "state": "archived", "created_at": AT}
    issue = {"code": NEWER, "path": "", "actual": "", "expected": ""}
    found = {"sku": "S-1", "facet": "service", "keys": [], "refusals": [{**refusal, "issues": [issue]}]}
    (shown,) = item_view(found).refusals
    assert (shown.state, shown.issues[0].code) == ("archived", NEWER)


def test_the_words_of_this_release_stay_in_the_document() -> None:
    known = feed_view(status()).model_json_schema(mode="serialization")["properties"]
    assert known["facet"]["enum"] == ["product", "price", "stock", "listing"]
    assert known["items"]["propertyNames"]["enum"][0] == "normalized"


@pytest.mark.parametrize("code", PROBLEMS)
def test_codes_of_this_release_have_their_own_words(code: str) -> None:
    assert words_of(code) is PROBLEMS[code]
    assert orjson.dumps([view.model_dump() for view in issue_views([{"code": code, **_EMPTY}])])


_EMPTY = {"path": "", "actual": "", "expected": ""}
