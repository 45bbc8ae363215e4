"""What a chunk decides: one outcome for every item, whatever it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.decide import (
    OUTCOME_BYTES,
    SAMPLE_SKUS,
    Decisions,
    Entry,
    Key,
    cancel,
    count_problems,
    decide,
    keys_of,
)
from gateway.feeds.guard import ItemOutcome, KeyState
from gateway.feeds.normalise import Mixed, NormalisedItem, Rejection, Result, parts_of
from gateway.feeds.versions import version_of
from gateway.sdk.errors import Issue

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FEED = 7
LATER, FRESH = FEED + 2, FEED + 9
REFUSED = Rejection((Issue("invalid_decimal", "/price", "1e3"),), ("A",))


def item(
    sku: str = "A", content: bytes = b"{}", *, area: str = "*", source_version: int | None = None
) -> NormalisedItem:
    return NormalisedItem(sku, area, content, content, NOON, source_version)


def entry(index: int, *items: NormalisedItem) -> Entry:
    return Entry(index, index + 1, b"raw %d" % index, list(items))


def refused(index: int) -> Entry:
    return Entry(index, index + 1, b"raw %d" % index, REFUSED)


def decided(*entries: Entry, known: Mapping[Key, KeyState] | None = None) -> Decisions:
    """With a fresh number where one is needed, as those have it who publish."""
    decisions = decide(entries, known or {}, feed_no=FEED, period=None)
    if not decisions.raised:
        return decisions
    return decide(entries, known or {}, feed_no=FEED, period=None, fresh_no=FRESH)


def outcomes(decisions: Decisions) -> str:
    return decisions.outcomes.decode()


def test_items_of_a_chunk_are_judged_in_order_each_against_its_forerunner() -> None:
    decisions = decided(entry(0, item(content=b"1")), entry(1, item(content=b"2")), entry(2, item(content=b"2")))
    assert outcomes(decisions) == "nnu"
    assert [publication.version for publication in decisions.publications] == [version_of(FEED, 0), version_of(FEED, 1)]
    assert decisions.states["A", "*"][0].version == version_of(FEED, 2)


def test_of_a_sku_without_areas_the_last_record_tells_what_became_of_it() -> None:
    taken, late = decided(refused(0), entry(1, item(area=""))), decided(entry(0, item(area="")), refused(1))
    assert taken.states["A", ""][1] is ItemOutcome.NORMALIZED
    assert late.states["A", ""][1] is ItemOutcome.REJECTED
    assert late.states["A", ""][0] == KeyState(version_of(FEED, 0), None, b"{}", NOON)
    assert decided(entry(0, item(area="1")), refused(1)).states["A", "1"][1] is ItemOutcome.NORMALIZED


def test_versions_carry_the_number_they_are_given_whatever_the_feed() -> None:
    page = 9
    decisions = decide([entry(4, item())], {("A", "*"): KeyState(version_of(FEED, 50))}, feed_no=page, period=None)
    assert outcomes(decisions) == "n"
    assert decisions.publications[0].version == version_of(page, 4)


def test_of_one_record_some_skus_are_taken_and_each_refused_one_is_an_item_of_its_own() -> None:
    reasons = (Issue("not_answered"),)
    rejections = (Rejection(reasons, ("B",)), Rejection(reasons, ("C",)))
    decisions = decided(Entry(3, 4, b"exchange", Mixed([item("A"), item("D")], rejections)))
    assert outcomes(decisions) == "nnrr"
    assert [(row["record"], row["line"], row["sku"]) for row in decisions.problems] == [(3, 4, "B"), (3, 4, "C")]
    assert [(each.sku, each.stage, each.entry.raw) for each in decisions.refused] == [
        ("B", "normalise", b"exchange"),
        ("C", "normalise", b"exchange"),
    ]


def test_an_exchange_rejected_as_a_whole_is_one_item_and_names_no_sku_of_several() -> None:
    whole = Rejection((Issue("contract_error"),), ("A", "B"))
    decisions = decided(Entry(0, 1, b"exchange", whole))
    assert outcomes(decisions) == "r"
    assert [(row["sku"], row["skus"]) for row in decisions.problems] == [(None, ["A", "B"])]
    assert [(each.sku, each.skus) for each in decisions.refused] == [(None, ("A", "B"))]


def test_of_several_items_of_one_key_in_a_record_the_last_counts_and_the_others_are_stale() -> None:
    decisions = decided(entry(3, item(content=b"1"), item("B"), item(content=b"2")))
    assert outcomes(decisions) == "snn"
    assert [(each.key, each.item.content) for each in decisions.publications] == [
        (("B", "*"), b"{}"),
        (("A", "*"), b"2"),
    ]
    assert [(row["record"], row["sku"], row["outcome"]) for row in decisions.problems] == [(3, "A", "stale")]


def test_items_of_one_record_in_several_areas_all_count() -> None:
    decisions = decided(entry(0, item(area="1"), item(area="2")))
    assert outcomes(decisions) == "nn"
    assert {publication.version for publication in decisions.publications} == {version_of(FEED, 0)}


def test_a_rejected_record_is_kept_and_told_with_its_place() -> None:
    decisions = decided(entry(4, item("B")), refused(5))
    assert outcomes(decisions) == "nr"
    [letter] = decisions.refused
    assert (letter.entry.raw, letter.stage, letter.sku) == (b"raw 5", "normalise", "A")
    assert decisions.problems == [
        {
            "record": 5,
            "line": 6,
            "sku": "A",
            "outcome": "rejected",
            "issues": [{"code": "invalid_decimal", "path": "/price", "actual": "1e3", "expected": ""}],
        }
    ]


def test_the_same_source_version_with_other_content_is_rejected_at_the_guard() -> None:
    known = {("A", "*"): KeyState(5, source_version=8, hash=b"old")}
    decisions = decided(entry(0, item(content=b"new", source_version=8)), known=known)
    assert outcomes(decisions) == "r"
    [letter] = decisions.refused
    assert (letter.stage, letter.issues) == ("guard", (Issue("version_conflict", "/version", "8"),))
    assert decisions.states["A", "*"] == (known["A", "*"], ItemOutcome.REJECTED)
    assert decisions.publications == []


def test_what_came_unchanged_is_counted_and_not_told() -> None:
    decisions = decided(entry(0, item()), known={("A", "*"): KeyState(5, hash=b"{}")})
    assert decisions.counts() == {ItemOutcome.UNCHANGED: 1}
    assert decisions.problems == []


def test_every_item_of_a_cancelled_feed_says_so_and_nothing_happens() -> None:
    decisions = cancel([entry(0, item("A"), item("B")), refused(1)])
    assert outcomes(decisions) == "ccc"
    assert (decisions.publications, decisions.states, decisions.refused) == ([], {}, [])


def test_keys_are_named_once_in_order_of_appearance() -> None:
    assert keys_of([entry(0, item("B")), refused(1), entry(2, item("A"), item("B"))]) == [("B", "*"), ("A", "*")]


items = st.builds(
    item,
    st.sampled_from("AB"),
    st.sampled_from([b"1", b"2"]),
    area=st.sampled_from("12"),
    source_version=st.none() | st.integers(0, 2),
)
mixed = st.builds(Mixed, st.lists(items, max_size=2), st.just((REFUSED,)))
records = st.lists(st.just(REFUSED) | st.lists(items, max_size=3) | mixed, max_size=12)
# Of feeds that are older or newer than the chunk's: what of its own feed stands there took effect with the chunk.
BEFORE = st.just(0) | st.integers(0, version_of(FEED, 0) - 1)
AFTER = st.integers(version_of(LATER, 0), version_of(LATER, 6))
states = st.dictionaries(
    st.tuples(st.sampled_from("AB"), st.sampled_from("12")),
    st.builds(
        KeyState,
        BEFORE | AFTER,
        st.none() | st.integers(0, 2),
        st.sampled_from([b"1", b"2"]),
        st.none() | st.just(NOON - timedelta(days=1)),
    ),
)


def counted(entries: Sequence[Entry]) -> int:
    return sum(len(part) for each in entries for part in parts_of(each.result))


@given(records, states)
def test_every_item_gets_exactly_one_outcome(made: list[Result], known: dict[Key, KeyState]) -> None:
    entries = [Entry(index, index + 1, b"", result) for index, result in enumerate(made)]
    decisions = decided(*entries, known=known)
    assert len(decisions.outcomes) == sum(decisions.counts().values()) == counted(entries)
    assert set(decisions.outcomes) <= set(OUTCOME_BYTES.values())
    told = decisions.counts().get(ItemOutcome.REJECTED, 0) + decisions.counts().get(ItemOutcome.STALE, 0)
    assert len(decisions.problems) == told
    assert len(decisions.refused) == decisions.counts().get(ItemOutcome.REJECTED, 0)
    assert len(cancel(entries).outcomes) == counted(entries)


@given(records, states)
def test_a_repeat_of_a_chunk_that_took_effect_publishes_nothing(made: list[Result], known: dict[Key, KeyState]) -> None:
    entries = [Entry(index, index + 1, b"", result) for index, result in enumerate(made)]
    first = decided(*entries, known=known)
    moved = known | {key: state for key, (state, _) in first.states.items()}
    assert decided(*entries, known=moved).publications == []


@given(records, states)
def test_the_last_publication_of_a_key_has_its_highest_version(made: list[Result], known: dict[Key, KeyState]) -> None:
    entries = [Entry(index, index + 1, b"", result) for index, result in enumerate(made)]
    seen: dict[Key, int] = {key: state.version for key, state in known.items()}
    for publication in decided(*entries, known=known).publications:
        assert publication.version > seen.get(publication.key, 0)
        seen[publication.key] = publication.version


@given(st.lists(st.sampled_from("ABx"), max_size=8), st.integers(1, 4))
def test_a_chunk_that_is_judged_in_parts_is_judged_the_same(skus: list[str], part: int) -> None:
    entries = [refused(place) if sku == "x" else entry(place, item(sku)) for place, sku in enumerate(skus)]
    decisions = Decisions()
    for start in range(0, len(entries), part):
        decide(entries[start : start + part], {}, feed_no=FEED, period=None, before=decisions)
    assert decisions == decide(entries, {}, feed_no=FEED, period=None)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "sku": st.none() | st.sampled_from([f"A-{number}" for number in range(9)]),
            "issues": st.lists(st.sampled_from("abc").map(lambda code: {"code": code}), max_size=4),
        }
    )
)


@given(st.lists(ROWS, max_size=4))
def test_problems_counted_per_chunk_add_up_to_those_of_the_feed(chunks: list[list[dict[str, Any]]]) -> None:
    counted = [count_problems(rows) for rows in chunks]
    whole = count_problems(row for rows in chunks for row in rows)
    assert whole.keys() == {code for counts in counted for code in counts}
    for code, problem in whole.items():
        parts = [counts[code] for counts in counted if code in counts]
        assert problem["items"] == sum(part["items"] for part in parts)
        rows = [row for chunk in chunks for row in chunk]
        assert problem["items"] == sum(any(each["code"] == code for each in row["issues"]) for row in rows)
        assert problem["skus"] == sorted({sku for part in parts for sku in part["skus"]})[:SAMPLE_SKUS]
