"""What makes two dead letters the same, and what of a letter the store and the export can hold."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.deadletters.export import exported
from gateway.deadletters.letters import DeadLetter, DeadLetterRow, issue_of
from gateway.sdk.errors import Issue
from gateway.sdk.storable import storable
from schemas.deadletters import DLQ_HEADERS
from schemas.envelope import decode

AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
ISSUE = Issue("invalid_decimal", "/price", actual="1,5", expected="a decimal with at most 2 places")
OF_A_FEED = DeadLetter(
    stage="normalise",
    issues=(ISSUE,),
    original=b'{"sku":"A-1","price":"1,5"}',
    supplier="acme",
    facet="price",
    sku="A-1",
    feed_no=7,
    record_index=3,
    line=4,
    revision=2,
    received_at=AT,
    topic="gateway.feeds.bulk.v1",
    partition=5,
    offset=99,
)
OF_A_TOPIC = DeadLetter(
    stage="feeds.read",
    issues=(Issue("poison_pill"),),
    original=b"\xff\xfe",
    topic="gateway.feeds.bulk.v1",
    partition=5,
    offset=99,
    timestamp=1_780_000_000_000,
    key=b"\x00key",
    headers=(("ce_type", b"\xff"),),
)

LETTERS = st.builds(
    DeadLetter,
    stage=st.text(),
    issues=st.tuples(st.builds(Issue, code=st.text(), path=st.text(), actual=st.text(), expected=st.text())),
    original=st.binary(),
    message=st.text(),
    supplier=st.none() | st.text(),
    sku=st.none() | st.text(),
    feed_no=st.none() | st.integers(0, 2**39),
    record_index=st.none() | st.integers(0, 2**24),
    received_at=st.none() | st.just(AT),
    topic=st.none() | st.text(),
    key=st.none() | st.binary(),
)


def test_a_record_read_again_is_the_same_letter() -> None:
    assert replace(OF_A_FEED, offset=100, revision=3).id == OF_A_FEED.id


def test_stage_feed_record_and_sku_make_the_letter() -> None:
    others = [
        replace(OF_A_FEED, stage="guard"),
        replace(OF_A_FEED, feed_no=8),
        replace(OF_A_FEED, record_index=4),
        replace(OF_A_FEED, sku="A-2"),
    ]
    assert len({letter.id for letter in (OF_A_FEED, *others)}) == 5


def test_a_place_on_a_topic_with_other_bytes_is_another_letter() -> None:
    """Another cluster counts its offsets from 0 again; its poison must not hide behind an old letter."""
    assert replace(OF_A_TOPIC).id == OF_A_TOPIC.id
    assert replace(OF_A_TOPIC, offset=98).id != OF_A_TOPIC.id
    assert replace(OF_A_TOPIC, original=b"\xff").id != OF_A_TOPIC.id


def test_without_words_the_expectation_makes_the_kind() -> None:
    assert OF_A_FEED.kind.message == "a decimal with at most # places"
    assert replace(OF_A_FEED, message="broken by 7").kind.message == "broken by #"


def test_faults_of_ours_are_told_apart() -> None:
    """All that a bug says is its class; two bugs in one group would be mended as one."""
    first, second = (
        replace(OF_A_FEED, issues=(Issue("processing_failed", actual=bug),)) for bug in ("KeyError", "OSError")
    )
    assert first.kind.fingerprint != second.kind.fingerprint
    assert (first.error, second.error) == ("KeyError", "OSError")
    assert replace(OF_A_FEED, issues=(Issue("contract_error", actual="no such shelf"),)).error == "ContractError"
    assert OF_A_FEED.error == "InvalidMessageError"


def test_values_of_the_record_never_split_a_group() -> None:
    other = replace(OF_A_FEED, issues=(replace(ISSUE, actual="zwölf"),))
    assert other.kind.fingerprint == OF_A_FEED.kind.fingerprint


@given(st.text())
def test_what_is_storable_stays_as_it_is(text: str) -> None:
    kept = storable(text)
    assert storable(kept) == kept
    assert "\0" not in kept
    assert kept.encode().decode() == kept
    assert ("\0" in text) or kept == text


def test_halves_of_surrogates_are_replaced() -> None:
    assert storable("a\ud800b\0") == "a\ufffdb\ufffd"


def test_the_export_keeps_the_bytes_and_says_where_they_come_from() -> None:
    message = exported(OF_A_TOPIC, AT)
    headers = dict(message.headers)
    assert (message.key, message.value) == (b"\x00key", b"\xff\xfe")
    assert headers["gw-dlq-topic"] == headers["__connect.errors.topic"] == b"gateway.feeds.bulk.v1"
    assert (headers["gw-dlq-partition"], headers["gw-dlq-offset"]) == (b"5", b"99")
    assert headers["gw-dlq-reason"] == b"poison_pill"
    assert headers["gw-dlq-sha256"] == sha256(b"\xff\xfe").hexdigest().encode()


def test_the_export_carries_an_envelope() -> None:
    envelope = decode(exported(OF_A_FEED, AT).headers)
    assert (envelope.type, envelope.supplier, envelope.feed_no) == ("gateway.deadletter.v1", "acme", 7)
    assert envelope.subject == str(OF_A_FEED.id)


def test_a_repeated_export_carries_the_same_identity() -> None:
    later = exported(OF_A_FEED, datetime(2026, 11, 24, tzinfo=UTC))
    assert dict(later.headers)["ce_id"] == dict(exported(OF_A_FEED, AT).headers)["ce_id"]


def test_the_export_never_shows_the_values_that_were_refused() -> None:
    told = b"|".join(value for _, value in exported(OF_A_FEED, AT).headers)
    assert b"1,5" not in told


@given(LETTERS)
def test_every_letter_can_be_exported(letter: DeadLetter) -> None:
    """A poison pill names whatever it likes; not being able to export it would stop its partition."""
    headers = exported(letter, AT).headers
    names = [name for name, _ in headers]
    assert len(names) == len(set(names))
    assert {name for name in names if name.startswith(("gw-dlq-", "__connect."))} <= DLQ_HEADERS.keys()
    assert not [value for _, value in headers if "\0" in value.decode()]


def test_a_replay_judges_the_patch_where_there_is_one() -> None:
    known = {field.name: None for field in fields(DeadLetterRow)}
    row = DeadLetterRow(**{**known, "original": b"old"})  # type: ignore[arg-type]
    assert row.content == b"old"
    assert replace(row, patched=b"").content == b""


def test_an_issue_of_another_release_is_read_as_far_as_it_is_known() -> None:
    stored = {"code": "of_a_newer_release", "path": "/a", "severity": "high"}
    assert issue_of(stored) == Issue("of_a_newer_release", "/a")


@pytest.mark.parametrize("stored", ["a text", 5, None, {}, {"path": "/a"}, ["price"]])
def test_what_is_no_issue_is_shown_as_it_stands(stored: object) -> None:
    assert issue_of(stored) == Issue("unreadable", actual=str(stored))


def test_members_of_an_issue_are_texts_whatever_was_stored() -> None:
    assert issue_of({"code": 5, "path": None}) == Issue("5")
