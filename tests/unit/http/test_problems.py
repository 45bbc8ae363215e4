"""Problem documents: the same fields for every code, in both languages."""

from typing import Any

import orjson
import pytest

from gateway.http.problems import MAX_TEXT, Fate, ProblemError, document, retry_after, try_again_later
from gateway.intake.quotas import QuotaExceededError
from gateway.intake.spool import SpoolFailedError
from gateway.kafka import KafkaUnavailableError, TopicUnavailableError
from gateway.sdk.errors import OverloadedError, ServiceUnavailableError
from gateway.sdk.problems import PROBLEMS
from gateway.store import StoreUnavailableError

IDS: dict[str, Any] = {"request_id": "r1", "trace_id": "t1"}


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_code_has_a_document(code: str) -> None:
    body = document(ProblemError(code), **IDS)
    problem = PROBLEMS[code]
    assert body == {
        "type": f"urn:mallgate:problem:{code}",
        "title": problem.en,
        "status": problem.status,
        "code": code,
        "message_zh": problem.zh,
        "message_en": problem.en,
        "retryable": problem.retryable,
        "request_id": "r1",
        "trace_id": "t1",
    }


def test_what_is_known_of_the_place_is_told() -> None:
    error = ProblemError("malformed_json", "Expecting value", path="/price", row=3, actual="x", expected="a number")
    body = document(error, **IDS)
    told = {key: body.get(key) for key in ("detail", "path", "row", "actual", "expected")}
    assert told == {"detail": "Expecting value", "path": "/price", "row": 3, "actual": "x", "expected": "a number"}


def test_an_unknown_code_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        ProblemError("no_such_code")


def test_the_subcode_stays_with_us() -> None:
    assert "mismatch" not in str(document(ProblemError("signature_invalid", subcode="mismatch"), **IDS))


def test_what_the_client_sent_is_cut_and_can_always_be_encoded() -> None:
    body = document(ProblemError("bad_header", actual="\udcff\ud800" + "x" * 1_000), **IDS)
    assert len(body["actual"]) == MAX_TEXT
    assert orjson.loads(orjson.dumps(body)) == body


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KafkaUnavailableError(), "kafka_unavailable"),
        (TopicUnavailableError("mall.catalog.prices.v1", "it does not exist"), "topic_unavailable"),
        (StoreUnavailableError(), "store_unavailable"),
        (SpoolFailedError(), "store_unavailable"),
        (ServiceUnavailableError(), "store_unavailable"),
        (OverloadedError(retry_after=2.5), "rate_limited"),
        (QuotaExceededError(retry_after=2.5), "rate_limited"),
    ],
)
def test_what_passes_by_itself_says_when_to_come_back(
    error: OverloadedError | ServiceUnavailableError, code: str
) -> None:
    problem = try_again_later(error)
    assert problem.code == code
    assert problem.problem.retryable
    assert problem.retry_after


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.01, "2"), (60.0, "60")])
def test_a_wait_is_told_in_whole_seconds_never_too_short(seconds: float, header: str) -> None:
    assert retry_after(seconds) == header


def test_a_push_whose_fate_is_not_known_says_where_to_look() -> None:
    body = document(ProblemError("kafka_unavailable"), fate=Fate("Feed 7 may have been accepted.", 7), **IDS)
    assert (body["detail"], body["feed"]) == ("Feed 7 may have been accepted.", "7")
    assert Fate("", 7).location == "/v1/feeds/7"


def test_what_is_known_better_stands_before_the_fate() -> None:
    body = document(ProblemError("internal_error", "It broke."), fate=Fate("Nothing was accepted."), **IDS)
    assert body["detail"] == "It broke."
    assert "feed" not in body


@pytest.mark.parametrize("code", ["kafka_unavailable", "topic_unavailable", "store_unavailable"])
def test_an_outage_does_not_promise_that_nothing_was_accepted(code: str) -> None:
    problem = PROBLEMS[code]
    assert "may have been accepted" in problem.en
    assert "未接收" not in problem.zh
