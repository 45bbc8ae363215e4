"""From raw records to items: one bad record, or one bug of an adapter, touches no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD, RawRecord
from gateway.feeds.contents import facts_hash, stretches
from gateway.feeds.message import Stamper
from gateway.feeds.normalise import (
    MOST_REJECTED,
    Mixed,
    Rejection,
    Result,
    Rules,
    normalise,
    normalise_some,
    parts_of,
    sku_hint,
)
from gateway.registry import Registry
from gateway.sdk.adapter import Item, NormalisesFeeds, Record, Refusal
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.exchange import MAX_SKUS, Exchange, asked_skus
from gateway.sdk.wire import MAX_ROOM, MAX_VALUES
from schemas.catalog import Facet, ListingFacts, Shelf
from schemas.directories import CategoryMap
from schemas.visible import is_deceptive

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
FACTS = ListingFacts(sku="A", shelf=Shelf.ON)
REASON = (Issue("contract_error", "/replies/list/3"),)
EXCHANGE = Exchange(("A", "B", "C"), {"odd": b"<html>"}).encode()


def rules(facet: Facet = Facet.LISTING, *, at: datetime = NOON, pulled: bool = False) -> Rules:
    return Rules(facet, at, CategoryMap({}), pulled=pulled)


PULLED = rules(pulled=True)


class Odd:
    """An adapter that does whatever a test wants with records that hold `odd`; others are listings of A."""

    def __init__(self, act: Callable[[Record], Iterable[Item | Refusal]]) -> None:
        self._act = act

    def normalise(self, record: Record) -> Iterable[Item | Refusal]:
        return self._act(record) if b"odd" in record.raw else (Item(FACTS),)


def raising(error: Exception) -> Odd:
    def act(record: Record) -> Iterable[Item]:
        raise error

    return Odd(act)


def of(adapter: NormalisesFeeds, raw: bytes, asked: Rules | None = None) -> Result:
    return normalise(adapter, RawRecord(1, raw), asked or rules())


def native() -> NormalisesFeeds:
    adapter = Registry().adapter("native", {})
    assert isinstance(adapter, NormalisesFeeds)
    return adapter


BUGS: dict[str, Odd] = {
    "it raises": raising(KeyError("price")),
    "it fails half-way": Odd(lambda record: (Item(FACTS) if number == 0 else Item(None) for number in range(2))),  # type: ignore[arg-type]
    "it yields no iterable": Odd(lambda record: None),  # type: ignore[arg-type,return-value]
    "it says nothing of a record that was pushed": Odd(lambda record: []),
    "it refuses for an unknown reason": Odd(lambda record: [Refusal("A", (Issue("no_such_code"),))]),
    "it refuses without a reason": Odd(lambda record: [Item(FACTS), Refusal("B", ())]),
    "it refuses nobody": Odd(lambda record: [Refusal("", REASON)]),
    "it refuses whom no column holds": Odd(lambda record: [Refusal("A\x00", REASON)]),
    "it yields another facet": Odd(lambda record: [Item(native_price())]),
    "its time has no offset": Odd(lambda record: [Item(FACTS, observed_at=NOON.replace(tzinfo=None))]),
    "its time is past every period": Odd(lambda record: [Item(FACTS, observed_at=datetime.max.replace(tzinfo=UTC))]),
    "its version is no int64": Odd(lambda record: [Item(FACTS, source_version=2**64)]),
    "its version is negative": Odd(lambda record: [Item(FACTS, source_version=-1)]),
    "it names an unknown code": raising(InvalidMessageError(Issue("no_such_code"))),
    "it gives no reason": raising(InvalidMessageError()),
}


def native_price() -> Any:
    [item] = native().normalise(Record(Facet.PRICE, b'{"sku":"A","price":"1.00"}', NOON))
    assert isinstance(item, Item)
    return item.facts


@pytest.mark.parametrize("adapter", BUGS.values(), ids=BUGS)
def test_a_bug_of_an_adapter_rejects_the_record_that_shows_it_and_no_other(adapter: Odd) -> None:
    rejection = of(adapter, b'{"sku":"A-9","odd":1}')
    assert isinstance(rejection, Rejection)
    assert [issue.code for issue in rejection.issues] == ["processing_failed"]
    assert rejection.sku == "A-9"
    assert isinstance(of(adapter, b'{"sku":"A-9"}'), list)


def test_what_an_adapter_documents_keeps_its_own_reasons() -> None:
    issue = Issue("invalid_decimal", "/price", "1e3", "a plain decimal")
    assert of(raising(InvalidMessageError(issue)), b"odd") == Rejection((issue,), ())
    rejection = of(raising(ContractError("an unknown status")), b"odd")
    assert rejection == Rejection((Issue("contract_error", actual="an unknown status"),), ())


def test_of_an_exchange_the_refused_skus_are_rejected_one_by_one_and_the_others_go_on() -> None:
    said: list[Item | Refusal] = [
        Refusal("B", REASON),
        Item(FACTS),
        Refusal("C", REASON),
        Refusal("B", (Issue("not_answered"),)),
    ]
    result = of(Odd(lambda record: said), EXCHANGE, PULLED)
    assert isinstance(result, Mixed)
    items, rejections = parts_of(result)
    assert [item.sku for item in items] == ["A"]
    assert rejections == (Rejection((*REASON, Issue("not_answered")), ("B",)), Rejection(REASON, ("C",)))


def test_an_exchange_may_say_nothing_of_its_skus() -> None:
    assert of(Odd(lambda record: []), EXCHANGE, PULLED) == []


@pytest.mark.parametrize(
    "error",
    [ContractError("no list"), InvalidMessageError(Issue("malformed_json")), KeyError("price")],
    ids=["a contract error", "a malformed reply", "a bug"],
)
def test_an_exchange_that_is_rejected_as_a_whole_concerns_every_sku_that_was_asked_about(error: Exception) -> None:
    rejection = of(raising(error), EXCHANGE, PULLED)
    assert isinstance(rejection, Rejection)
    assert (rejection.skus, rejection.sku) == (("A", "B", "C"), None)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"sku":"A","price":"x","skus":["B"],"asked":{},"replies":{}}',
        b'{"sku":"A","price":"x","skus":["B"],"asked":{},"replies":{"list":3}}',
        b'{\n"sku":"A","price":"x","skus":["B"],"asked":{},"replies":{}\n}',
    ],
)
def test_a_pushed_record_with_the_members_of_an_exchange_names_its_own_sku(raw: bytes) -> None:
    rejection = of(native(), raw, rules(Facet.PRICE))
    assert isinstance(rejection, Rejection)
    assert rejection.skus == ("A",)


def test_a_pushed_record_that_has_nothing_but_the_members_of_an_exchange_names_nobody() -> None:
    rejection = of(native(), b'{"skus":["B"],"asked":{},"replies":{}}', rules(Facet.PRICE))
    assert isinstance(rejection, Rejection)
    assert rejection.skus == ()


def test_an_exchange_about_one_sku_names_it_and_skus_that_no_column_holds_are_left_out() -> None:
    raw = Exchange(("A", "A", "", "B\x00", "x" * 129), {"odd": b""}).encode()
    rejection = of(raising(ContractError()), raw, PULLED)
    assert isinstance(rejection, Rejection)
    assert rejection.sku == "A"


def test_an_exchange_too_large_to_be_carried_is_rejected_as_such_for_its_skus() -> None:
    raw = Exchange(("A", "B"), {"odd": b"x" * MAX_CARRIED}).encode()[:MAX_CARRIED]
    rejection = of(raising(InvalidMessageError(Issue("validation_failed"))), raw, PULLED)
    assert isinstance(rejection, Rejection)
    assert ([issue.code for issue in rejection.issues], rejection.skus) == (["line_too_long"], ("A", "B"))


def test_the_issues_of_a_long_record_take_no_more_room_than_those_of_a_short_one() -> None:
    deep = b'{"%b":' % (b"x" * 190) * 60 + b"[%b0]" % (b'"\\u0001",' * 100) + b"}" * 60
    rejection = of(native(), b'{"sku":"A","price":"1.00","a":"%b","b":%b}' % (b"x" * 900_000, deep), rules(Facet.PRICE))
    assert isinstance(rejection, Rejection)
    assert sum(len(issue.path) for issue in rejection.issues) <= MAX_ROOM


@pytest.mark.parametrize("error", [ContractError("no list"), InvalidMessageError(Issue("malformed_json")), KeyError()])
def test_what_is_pushed_names_nobody_by_looking_like_an_exchange(error: Exception) -> None:
    rejection = of(raising(error), EXCHANGE)
    assert isinstance(rejection, Rejection)
    assert rejection.skus == ()
    nothing = of(Odd(lambda record: []), EXCHANGE)
    assert isinstance(nothing, Rejection)
    assert nothing.issues[0].code == "processing_failed"


def test_a_question_is_no_larger_than_a_manifest_allows() -> None:
    skus = tuple(map(str, range(MAX_SKUS)))
    assert asked_skus(Exchange(skus, {"odd": b""}).encode()) == skus
    assert asked_skus(Exchange((*skus, "x"), {"odd": b""}).encode()) == ()
    assert asked_skus(Exchange(("A",), {"odd": b""}, {"a": [[]] * MAX_VALUES}).encode()) == ()
    assert asked_skus(Exchange(("A",), {"odd": b""}, {"a": "x" * MAX_RECORD}).encode()) == ()


def test_equal_facts_have_equal_hashes_whenever_they_are_observed_and_whatever_their_version() -> None:
    first = of(native(), b'{"sku":"A","price":"1.00"}', rules(Facet.PRICE))
    second = of(
        native(),
        b'{"price":1.00,"version":9,"observed_at":"2026-11-22T08:00:00Z","sku":"A"}',
        rules(Facet.PRICE, at=NOON + timedelta(days=3)),
    )
    assert isinstance(first, list)
    assert isinstance(second, list)
    assert first[0].hash == second[0].hash
    assert first[0].observed_at != second[0].observed_at
    assert second[0].source_version == 9


def test_other_facts_have_another_hash() -> None:
    found = [
        of(native(), b'{"sku":"A","price":"%b"}' % price, rules(Facet.PRICE)) for price in (b"1.00", b"1.01", b"1.0")
    ]
    assert len({result[0].hash for result in found if isinstance(result, list)}) == 3


texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20).map(lambda text: f"a{text}a")


skus = texts.filter(lambda text: not any(map(is_deceptive, text)))


@given(skus, texts)
def test_the_facts_of_a_message_read_back_have_the_hash_they_were_published_with(sku: str, reason: str) -> None:
    raw = orjson.dumps({"sku": sku, "shelf": "off", "reason": reason})
    result = of(native(), raw)
    assert isinstance(result, list)
    item = result[0]
    value = Stamper(Facet.LISTING, "acme", None).stamp(item.content, 7, NOON)
    assert facts_hash(value) == item.hash


@pytest.mark.parametrize(
    ("raw", "sku"),
    [
        (b'{"sku":"A-1","price":"1e3"}', "A-1"),
        ('{"sku":"价-1"}'.encode(), "价-1"),
        (b'{"price":1,"sku":"A-1",oops}', "A-1"),
        (b'{"sku":"A-1","name":"' + b"x" * MAX_RECORD + b'"}', "A-1"),
        (b'{"sku":"A\\u0000B"}', None),
        (b'{"sku":"A\\ud800"}', None),
        (b'{"sku":""}', None),
        (b'{"sku":"' + b"x" * 129 + b'"}', None),
        (b'{"sku":7}', None),
        (b"[]", None),
        (b'{"sku":"\xff",oops}', None),
        (b'{"sku":"cut', None),
        (b'{"sku":"A\x00B",oops}', None),
        (b"", None),
        (b'{"sku": "A", "price": NaN}', "A"),
        (b'{"price": NaN, "sku": "A"}', None),
        (b'{"sku":"A","price":1,"price":2}', "A"),
        ('{"sku":"e\u0301"}'.encode(), "\u00e9"),
        (b'{"sku":"A "}', None),
        (b'{"sku":" A","price":NaN}', None),
        (b'{"sku":"A\\n"}', None),
        (b'{"sku":"A","sku":"B"}', None),
        (b'{"sku":"A","sku" : "A"}', None),
        (b'{"sku":"A","\\u0073ku":"B"}', None),
        (b'{"sku":"A","price":NaN,"\\u0073ku":"B"}', None),
        (b'{"sku":"A\\u002d1","price":NaN}', None),
        (b'{"goods":{"sku":"A"},"price":NaN}', None),
        (b'{"goods":{"sku":"A"}}', None),
        (b'{"sku":"A","price":NaN,"parts":[{"sku":"B"}]}', None),
        (b'{"name":"say "sku":"A", twice","id":"B"}', None),
        (b'{"name":"x","sku":"A"', None),
        (b'[{"sku":"A"},oops]', None),
        (b'{"sku":"A","price":NaN,"skus":1,"sku_name":"x"}', "A"),
        (b"""{"sku":"A","price":NaN,'sku':'B'}""", None),
        (b"""{"sku":"A","price":1}{'sku' : 'B'}""", None),
        (b'{"sku":"A","price":NaN,sku:"B"}', None),
        (b'{"sku":"A","price":NaN,\tsku\t:"B"}', None),
    ],
)
def test_a_rejected_record_still_names_its_sku_where_its_bytes_do(raw: bytes, sku: str | None) -> None:
    assert sku_hint(raw) == sku


@given(st.binary(max_size=200))
def test_whatever_comes_there_are_items_or_reasons(raw: bytes) -> None:
    result = of(native(), raw, rules(Facet.PRICE))
    assert any(parts_of(result))


@given(st.sets(st.integers(0, 20_000), max_size=30))
def test_stretches_cover_every_offset_once_and_no_long_way_in_vain(offsets: set[int]) -> None:
    found = list(stretches(offsets))
    assert all(sum(start <= offset < end for start, end in found) == 1 for offset in offsets)
    assert all(after[0] - before[1] > 2_000 for before, after in pairwise(found))
    assert all({start, end - 1} <= offsets for start, end in found)


class Nowhere(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, at: datetime | None) -> None:
        return None

    def dst(self, at: datetime | None) -> None:
        return None

    def tzname(self, at: datetime | None) -> None:
        return None


def far(hours: float) -> datetime:
    return datetime(2026, 11, 20, tzinfo=timezone(timedelta(hours=hours)))


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(Item(FACTS, True), id="a truth as a version"),
        pytest.param(Item(FACTS, 1.5), id="half a version"),  # type: ignore[arg-type]
        pytest.param(Item(FACTS, "1"), id="a text as a version"),  # type: ignore[arg-type]
        pytest.param(Item(FACTS, -1), id="a version below zero"),
        pytest.param(Item(FACTS, 2**63), id="a version beyond int64"),
        pytest.param(Item(FACTS, None, far(16)), id="an offset of 16 hours"),
        pytest.param(Item(FACTS, None, far(-16)), id="an offset of -16 hours"),
        pytest.param(Item(FACTS, None, far(8 + 1 / 3600)), id="an offset with a second"),
        pytest.param(Item(FACTS, None, far(8).replace(tzinfo=None)), id="no offset"),
        pytest.param(Item(FACTS, None, datetime(2026, 11, 20, tzinfo=Nowhere())), id="a zone without an offset"),
        pytest.param(Item(FACTS, None, datetime(1, 1, 1, tzinfo=UTC)), id="the first year"),
        pytest.param(Item(FACTS, None, datetime(9000, 1, 1, tzinfo=UTC)), id="a year too far"),
        pytest.param(Refusal("\ud800", REASON), id="half a character as a sku"),
        pytest.param(Refusal("a\x00", REASON), id="a NUL in a sku"),
    ],
)
def test_what_tables_cannot_take_is_a_fault_of_its_own_record(item: Item | Refusal) -> None:
    found = of(Odd(lambda _: (item,)), b"odd")
    assert isinstance(found, Rejection)
    assert [issue.code for issue in found.issues] == ["processing_failed"]


@pytest.mark.parametrize("hours", [-15.5, -12, 0, 5.75, 14, 15.5])
def test_every_offset_that_tables_take_is_taken(hours: float) -> None:
    [item] = parts_of(of(Odd(lambda _: (Item(FACTS, 2**53, far(hours)),)), b"odd"))[0]
    assert item.observed_at == far(hours)


def test_faults_of_a_record_take_about_as_much_room_as_its_own():
    record = orjson.dumps({"sku": "a", "price": "1", **{f"u{number}": 0 for number in range(1_000)}})
    rejection = of(native(), record, rules(Facet.PRICE))
    assert isinstance(rejection, Rejection)
    assert rejection.sku == "a"
    assert rejection.issues[-1].code == "more_issues"
    assert sum(len(each.path + each.actual + each.expected) for each in rejection.issues) <= 1024 + len(record)


def test_markup_that_cannot_be_cleaned_in_time_is_a_fault_of_the_record():
    record = orjson.dumps({"sku": "a", "name": "n", "description": "<div>" * 40_000})
    rejection = of(native(), record, rules(Facet.PRODUCT))
    assert isinstance(rejection, Rejection)
    assert [(each.code, each.path) for each in rejection.issues] == [("markup_too_complex", "/description")]


def test_a_few_rejected_records_end_a_stretch_and_none_is_left_out() -> None:
    raws = [RawRecord(line, b"{}" if line % 3 else b'{"sku":"A","shelf":"on"}') for line in range(1, 20)]
    found: list[Result] = []
    while left := raws[len(found) :]:
        some = normalise_some(native(), left, rules())
        assert 1 <= sum(isinstance(each, Rejection) for each in some) <= MOST_REJECTED or len(some) == len(left)
        found += some
    assert found == [of(native(), raw.raw) for raw in raws]


def test_good_records_are_normalised_together() -> None:
    raws = [RawRecord(line, b'{"sku":"A","shelf":"on"}') for line in range(1, 20)]
    assert len(normalise_some(native(), raws, rules())) == len(raws)
