"""One answer that is not understood costs the others nothing."""

from collections.abc import Sequence

import pytest

from gateway.sdk import (
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
from gateway.sessions.reading import ask, letter_of
from schemas.catalog import Facet

SKUS = [f"S{number}" for number in range(100)]


class Nowhere:
    """A way out that nobody takes."""

    async def call(self, request: Request) -> Reply:
        raise AssertionError(request)


class Reads:
    """An adapter that stumbles over some skus."""

    def __init__(self, faults: dict[str, Exception]) -> None:
        self.faults = faults
        self.questions = 0

    async def list_skus(self, http: Http, cursor: object) -> SkuPage:
        return SkuPage(tuple(SKUS))

    def areas(self, facet: Facet) -> Sequence[str]:
        return ("",)

    async def read(self, http: Http, facet: Facet, skus: Sequence[str], area: str) -> list[Exchange]:
        self.questions += 1
        for sku in skus:
            if sku in self.faults:
                raise self.faults[sku]
        return [Exchange((sku,), {}) for sku in skus]


async def test_all_skus_are_asked_about_at_once():
    adapter = Reads({})
    answers = await ask(adapter, Nowhere(), Facet.PRICE, SKUS)
    assert [each.skus[0] for each in answers.exchanges] == SKUS
    assert adapter.questions == 1


@pytest.mark.parametrize(
    "fault", [ContractError(), RejectedError(), InvalidMessageError(Issue("malformed_json")), KeyError("price")]
)
async def test_the_one_sku_at_fault_is_found_and_the_others_are_answered_in_order(fault: Exception):
    adapter = Reads({"S41": fault})
    answers = await ask(adapter, Nowhere(), Facet.PRICE, SKUS)
    assert [each.skus[0] for each in answers.exchanges] == [sku for sku in SKUS if sku != "S41"]
    assert [(lost.sku, lost.error) for lost in answers.lost] == [("S41", fault)]
    assert adapter.questions < 20


async def test_a_supplier_that_is_away_is_no_fault_of_any_sku():
    with pytest.raises(UnavailableError):
        await ask(Reads({"S41": UnavailableError()}), Nowhere(), Facet.PRICE, SKUS)


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
