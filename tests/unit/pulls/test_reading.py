"""One answer that is not understood costs the others nothing."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.calls.attempts import CallsEndedError
from gateway.calls.breakers import BreakerOpenError
from gateway.calls.tokens import NoTokenError
from gateway.outbound import AddressBlockedError
from gateway.pulls.reading import AreaUnansweredError, Reading, letter_of, may_be_of_a_sku
from gateway.sdk import (
    AreaRefusedError,
    ContractError,
    Exchange,
    Http,
    InvalidMessageError,
    Issue,
    RejectedError,
    Reply,
    Request,
    SkuPage,
    UnavailableError,
)
from schemas.catalog import Facet

SKUS = [f"S{number}" for number in range(100)]


class Nowhere:
    """A way out that nobody takes."""

    async def call(self, request: Request) -> Reply:
        raise AssertionError(request)


class Reads:
    """An adapter that stumbles over some skus, and in some areas. asked: of every question its area and skus."""

    def __init__(self, faults: dict[str, Exception], areas: Mapping[str, Exception | None] | None = None) -> None:
        self.faults = faults
        self.places = areas or {"": None}
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.left = inf

    async def list_skus(self, http: Http, cursor: object) -> SkuPage:
        return SkuPage(tuple(SKUS))

    def areas(self, facet: Facet) -> Sequence[str]:
        return tuple(self.places)

    async def read(self, http: Http, facet: Facet, skus: Sequence[str], area: str) -> list[Exchange]:
        await asyncio.sleep(0)
        self.asked.append((area, tuple(skus)))
        if len(self.asked) > self.left:
            raise UnavailableError(status=200)
        if fault := self.places[area] or next((self.faults[sku] for sku in skus if sku in self.faults), None):
            raise fault
        return [Exchange((sku,), {}, {"area": area}) for sku in skus]


def reading(adapter: Reads) -> Reading:
    return Reading(adapter, Facet.PRICE, Nowhere(), Nowhere(), {})


AWAY = UnavailableError("5001", status=200)
AWAY_AT_THE_GATE = UnavailableError("502", status=502)
FAULTS = [ContractError(), RejectedError(), InvalidMessageError(Issue("malformed_json")), KeyError("price"), AWAY]


async def test_all_skus_are_asked_about_at_once():
    adapter = Reads({})
    answers = await reading(adapter).ask(SKUS)
    assert [each.skus[0] for each in answers.exchanges] == SKUS
    assert len(adapter.asked) == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_one_sku_at_fault_is_found_and_the_others_are_answered(fault: Exception):
    adapter = Reads({"S41": fault})
    answers = await reading(adapter).ask(SKUS)
    assert sorted(each.skus[0] for each in answers.exchanges) == sorted(set(SKUS) - {"S41"})
    assert [(lost.sku, lost.error) for lost in answers.lost] == [("S41", fault)]
    assert len(adapter.asked) < 20


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("size", [2, 3, 5, 12])
@pytest.mark.parametrize("place", [0, -1])
async def test_of_few_skus_the_one_at_fault_is_found_too(fault: Exception, size: int, place: int):
    skus = SKUS[:size]
    answers = await reading(Reads({skus[place]: fault})).ask(skus)
    assert [lost.sku for lost in answers.lost] == [skus[place]]
    assert {each.skus[0] for each in answers.exchanges} == {*skus} - {skus[place]}


@settings(max_examples=40)
@given(st.sets(st.sampled_from(SKUS), max_size=12), st.sampled_from([ContractError(), RejectedError(), AWAY]))
async def test_whatever_is_at_fault_is_lost_alone(faulty: set[str], fault: Exception):
    adapter = Reads(dict.fromkeys(faulty, fault))
    known = reading(adapter)
    await known.ask([next(sku for sku in SKUS if sku not in faulty)])
    answers = await known.ask(SKUS)
    if not answers.refused:
        assert {lost.sku for lost in answers.lost} == faulty
        assert sorted(each.skus[0] for each in answers.exchanges) == sorted(set(SKUS) - faulty)


@pytest.mark.parametrize("status", [200, 500, 503, None])
async def test_an_outage_is_no_fault_of_any_sku(status: int | None):
    adapter = Reads({}, {"": UnavailableError(status=status)})
    known = reading(adapter)
    for suspect in (False, True):
        with pytest.raises(UnavailableError):
            await known.ask(SKUS, suspect=suspect)
    assert len(adapter.asked) < 30


@pytest.mark.parametrize("after", range(1, 12))
async def test_an_outage_that_begins_in_the_middle_of_a_search_is_no_fault_of_any_other_sku(after: int):
    adapter = Reads({"S41": AWAY})
    known = reading(adapter)
    await known.ask(["S99"])
    adapter.left = after
    with pytest.raises(UnavailableError):
        await known.ask(SKUS)


async def test_a_supplier_that_cannot_be_reached_is_not_asked_in_parts():
    adapter = Reads({"S41": UnavailableError(status=503)})
    known = reading(adapter)
    await known.ask(["S1"])
    with pytest.raises(UnavailableError):
        await known.ask(SKUS)
    assert len(adapter.asked) == 2


async def test_what_goes_unanswered_again_while_others_are_answered_is_found_however_it_goes_unanswered():
    adapter = Reads({"S41": UnavailableError("timed out")})
    known = reading(adapter)
    await known.ask(["S1"])
    answers = await known.ask(SKUS, suspect=True)
    assert [lost.sku for lost in answers.lost] == ["S41"]


@pytest.mark.parametrize("refusal", [AreaRefusedError("no such area"), RejectedError("no")])
async def test_a_refused_area_costs_one_question_and_no_other_area(refusal: Exception):
    adapter = Reads({}, {"north": None, "south": refusal, "west": None})
    answers = await reading(adapter).ask(SKUS)
    assert [(each.area, each.error) for each in answers.refused] == [("south", refusal)]
    assert answers.lost == []
    assert Counter(each.asked["area"] for each in answers.exchanges) == {"north": 100, "west": 100}
    assert len(adapter.asked) == 3


async def test_an_area_where_nothing_is_understood_is_told_from_skus_in_few_questions():
    adapter = Reads({}, {"north": None, "south": ContractError()})
    answers = await reading(adapter).ask(SKUS)
    assert [(each.area, each.sure) for each in answers.refused] == [("south", False)]
    assert answers.lost == []
    assert len(adapter.asked) < 20


@pytest.mark.parametrize("status", [502, 503, 504, None])
async def test_an_area_that_goes_unanswered_alone_is_told_from_an_outage(status: int | None):
    adapter = Reads({}, {"north": None, "south": UnavailableError("away", status=status), "west": None})
    known = reading(adapter)
    with pytest.raises(AreaUnansweredError, match="south") as raised:
        await known.ask(SKUS)
    assert raised.value.status == status
    answers = await known.ask(SKUS, suspect=True)
    assert [(each.area, each.sure) for each in answers.refused] == [("south", False)]
    assert Counter(each.asked["area"] for each in answers.exchanges) == {"north": 100, "west": 100}
    assert answers.lost == []
    assert len(adapter.asked) < 40


async def test_areas_that_all_go_unanswered_are_an_outage():
    adapter = Reads({}, {"north": AWAY_AT_THE_GATE, "south": AWAY_AT_THE_GATE})
    with pytest.raises(UnavailableError) as raised:
        await reading(adapter).ask(SKUS)
    assert raised.value is AWAY_AT_THE_GATE


async def test_closed_areas_are_not_asked_about():
    adapter = Reads({}, {"north": None, "south": None})
    await reading(adapter).ask(SKUS, closed={"south"})
    assert [area for area, _ in adapter.asked] == ["north"]


async def test_where_no_area_is_named_nothing_is_asked():
    adapter = Reads({})
    adapter.areas = lambda facet: ()  # type: ignore[method-assign]  # a row without areas
    answers = await reading(adapter).ask(SKUS)
    assert [each.sure for each in answers.refused] == [True]
    assert adapter.asked == []


async def test_a_sku_lost_in_two_areas_is_one_loss():
    answers = await reading(Reads({"S7": ContractError()}, {"north": None, "south": None})).ask(SKUS)
    assert [lost.sku for lost in answers.lost] == ["S7"]


def test_a_letter_keeps_the_raw_reply_and_says_where_it_failed():
    error = ContractError("odd", operation="price", supplier_code="9999", reply=b"{odd")
    letter = letter_of(error, supplier="acme", facet=Facet.PRICE, number=7, feed_no=3, sku="S1")
    assert letter.original == b"{odd"
    assert letter.issues == (Issue("contract_error", actual="price: odd (9999)"),)
    assert (letter.feed_no, letter.page_no, letter.sku) == (3, 7, "S1")


def test_two_failures_of_one_sku_are_two_letters():
    letters = {
        letter_of(ContractError(), supplier="acme", facet=Facet.PRICE, number=number, sku="S1").id for number in (7, 8)
    }
    assert len(letters) == 2


@pytest.mark.parametrize(
    "error", [CallsEndedError(), BreakerOpenError("read", 1.0, ""), NoTokenError(), AddressBlockedError()]
)
def test_what_we_did_not_send_is_no_fault_of_a_sku(error: UnavailableError) -> None:
    assert not may_be_of_a_sku(error, suspect=True)
