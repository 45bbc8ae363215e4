"""Applications for invoices: what an application has to say, where it stands, and whether its sums hold."""

from __future__ import annotations

import itertools
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from schemas.base import read
from schemas.orders import Operation, RequestInvoice, StateVerdict, SubmitOrder
from schemas.orders.commands import Submission
from schemas.orders.examples import COMMAND_EXAMPLES
from schemas.orders.invoice_states import MOVES, TERMINAL, judge_invoice
from schemas.orders.invoice_sums import UNKNOWN_ORDER, OrderFacts, counted_gross, invoice_mismatches, order_facts
from schemas.orders.invoices import InvoiceAmounts, InvoiceKey, InvoiceStanding, InvoiceState, IssuedInvoice
from schemas.personal import personal_paths

S = InvoiceState

REGULAR = {
    S.DRAFT: {S.REQUESTED, S.REFUSED},
    S.REQUESTED: {S.PARTLY_ISSUED, S.ISSUED, S.REFUSED, S.HELD},
    S.PARTLY_ISSUED: {S.PARTLY_ISSUED, S.ISSUED, S.VOIDED, S.RED, S.HELD},
    S.ISSUED: {S.MAILED, S.VOIDED, S.RED, S.HELD},
    S.MAILED: {S.VOIDED, S.RED, S.HELD},
    S.RED: {S.RED, S.VOIDED, S.HELD},
    S.HELD: {S.PARTLY_ISSUED, S.ISSUED, S.MAILED, S.RED, S.VOIDED, S.REFUSED, S.HELD},
    S.VOIDED: set(),
    S.REFUSED: {S.REQUESTED},
}


def example(**payload: Any) -> bytes:
    document = orjson.loads(COMMAND_EXAMPLES[Operation.REQUEST_INVOICE].model_dump_json())
    return orjson.dumps({**document, "payload": {**document["payload"], **payload}})


def issued(number: str, net: str, tax: str, gross: str, **more: Any) -> IssuedInvoice:
    amounts = {"net": Decimal(net), "tax": Decimal(tax), "gross": Decimal(gross), "rate": Decimal(13)}
    return IssuedInvoice.model_validate({"number": number, "issued_on": date(2026, 12, 1), **amounts, **more})


ASKED = InvoiceAmounts(net=Decimal(200), tax=Decimal(26), gross=Decimal(226))
FIRST, SECOND = issued("1", "100", "13", "113"), issued("2", "100", "13", "113")


def mismatches(*invoices: IssuedInvoice, order: OrderFacts = UNKNOWN_ORDER, whole: bool = True) -> tuple[str, ...]:
    return invoice_mismatches(ASKED, invoices, order, whole=whole)


@pytest.mark.parametrize(("state", "told"), [*itertools.product(S, S)], ids=str)
def test_an_application_moves_as_the_table_has_it(state: InvoiceState, told: InvoiceState) -> None:
    assert MOVES[state] == REGULAR[state]
    found = judge_invoice(state, told)
    if told in REGULAR[state]:
        assert (found.verdict, found.state) == (StateVerdict.MOVES, told)
    elif found.verdict is StateVerdict.AHEAD:
        assert state not in TERMINAL
        assert found.state is told
    else:
        assert found.state is state


@pytest.mark.parametrize("state", [S.VOIDED, S.REFUSED])
@pytest.mark.parametrize("told", [S.PARTLY_ISSUED, S.ISSUED, S.MAILED, S.RED])
def test_a_success_of_an_application_that_is_over_is_late(state: InvoiceState, told: InvoiceState) -> None:
    assert judge_invoice(state, told).verdict is StateVerdict.LATE


def test_what_is_mailed_before_it_was_told_as_issued_holds() -> None:
    assert judge_invoice(S.REQUESTED, S.MAILED).verdict is StateVerdict.AHEAD


def test_what_is_issued_cannot_be_refused_any_more() -> None:
    assert judge_invoice(S.ISSUED, S.REFUSED).verdict is StateVerdict.CONTRADICTS


def test_invoices_that_come_to_what_was_asked_for_hold() -> None:
    assert mismatches(FIRST, SECOND) == ()


def test_a_fen_too_much_is_named_wherever_it_shows() -> None:
    found = mismatches(FIRST, issued("2", "100", "13", "113.01"))
    assert found == (
        "gross of invoice 2: stated 113.01, sum 113",
        "gross of all invoices: stated 226.01, sum 226",
    )


def test_a_part_may_be_less_than_was_asked_for_and_never_more() -> None:
    assert mismatches(FIRST, whole=False) == ()
    assert mismatches(FIRST, whole=True) != ()
    assert mismatches(FIRST, SECOND, issued("3", "100", "13", "113"), whole=False) != ()


def test_a_rate_that_was_not_ordered_is_wrong() -> None:
    order = OrderFacts(rates=frozenset({Decimal(13)}))
    found = mismatches(FIRST, issued("2", "100", "13", "113", rate=Decimal(6)), order=order)
    assert found == (
        "rate of invoice 2: stated 6, ordered 13",
        "tax of invoice 2: stated 13, by its rate 6.00",
    )


def test_tax_that_was_rounded_line_by_line_is_right() -> None:
    asked = InvoiceAmounts(net=Decimal("99.97"), tax=Decimal("13.02"), gross=Decimal("112.99"))
    invoice = issued("1", "99.97", "13.02", "112.99")
    assert invoice_mismatches(asked, [invoice], OrderFacts(lines=3), whole=True) == ()
    assert invoice_mismatches(asked, [invoice], OrderFacts(lines=1), whole=True) != ()


RED = InvoiceStanding.RED


@pytest.mark.parametrize(
    "red",
    [
        issued("9", "100", "13", "113", standing=RED, original=InvoiceKey(number="77")),
        issued("9", "100", "13", "113", standing=RED, original=InvoiceKey(code="4100", number="1")),
        issued("9", "200", "26", "226", standing=RED, original=InvoiceKey(number="1")),
        issued("9", "200", "26", "226", standing=RED),
    ],
    ids=["another number", "another series", "more than it", "more than any"],
)
def test_a_red_invoice_needs_an_original(red: IssuedInvoice) -> None:
    assert [each.split(":")[0] for each in mismatches(FIRST, SECOND, red)] == ["red invoice 9"]


def test_a_red_invoice_takes_back_the_one_that_it_names() -> None:
    red = issued("9", "100", "13", "113", standing=RED, original=InvoiceKey(number="1"))
    assert mismatches(FIRST, SECOND, red) == ()


@pytest.mark.parametrize("original", [InvoiceKey(number="1"), None], ids=["named", "not named"])
def test_red_invoices_together_take_back_no_more_than_was_made_out(original: InvoiceKey | None) -> None:
    first, again = (issued(number, "100", "13", "113", standing=RED, original=original) for number in ("8", "9"))
    assert mismatches(FIRST, first, whole=False) == ()
    wrong = [f"red invoice {number}: 226 is taken back of 113" for number in ("8", "9")]
    assert list(mismatches(FIRST, first, again, whole=False)) == wrong


def test_what_is_taken_back_counts_no_more_unless_it_was_void_before() -> None:
    red = issued("9", "100", "13", "113", standing=RED, original=InvoiceKey(number="1"))
    void = issued("1", "100", "13", "113", standing=InvoiceStanding.VOID)
    assert counted_gross([FIRST, SECOND]) == Decimal(226)
    assert counted_gross([FIRST, SECOND, red]) == Decimal(113)
    assert counted_gross([void, SECOND, red]) == Decimal(113)


def test_a_void_invoice_counts_for_nothing() -> None:
    void = issued("7", "100", "13", "200", standing=InvoiceStanding.VOID)
    assert mismatches(FIRST, SECOND, void) == ()


def test_all_applications_of_an_order_come_to_no_more_than_the_order() -> None:
    submit = COMMAND_EXAMPLES[Operation.SUBMIT]
    assert isinstance(submit, SubmitOrder)
    known = order_facts(submit.payload, Decimal("119.00"))
    assert (known.gross, known.rates, known.lines) == (Decimal("345.00"), frozenset({Decimal(13)}), 1)
    assert mismatches(FIRST, SECOND, order=known) == ()
    more = order_facts(submit.payload, Decimal("119.01"))
    assert mismatches(FIRST, SECOND, order=more) == (
        "gross of all invoices of the order: 345.01, the order comes to 345.00",
    )


def test_an_order_that_was_cut_comes_to_what_is_left_of_it() -> None:
    submit = COMMAND_EXAMPLES[Operation.SUBMIT]
    assert isinstance(submit, SubmitOrder)
    two = order_facts(submit.payload, accepted={"SKU-1": Decimal(2)})
    assert (two.gross, mismatches(FIRST, SECOND, order=two)) == (Decimal("232.00"), ())
    one = order_facts(submit.payload, accepted={"SKU-1": Decimal(1)})
    assert mismatches(FIRST, SECOND, order=one) == (
        "gross of all invoices of the order: 226, the order comes to 119.00",
    )


def test_of_lines_of_one_article_the_dearest_are_taken_to_be_left() -> None:
    submit = COMMAND_EXAMPLES[Operation.SUBMIT]
    assert isinstance(submit, SubmitOrder)
    document = submit.payload.model_dump(mode="json")
    line = document["lines"][0]
    cheap = line | {"line_no": 2, "price": line["price"] | {"gross": "100.00", "net": None, "tax": None}}
    order = Submission.model_validate_json(orjson.dumps(document | {"lines": [cheap, line], "totals": {}}))
    known = order_facts(order, accepted={"SKU-1": Decimal(4)})
    assert known.gross == Decimal("439.00")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amounts": {"net": "200.00", "tax": "26.00", "gross": "226.01"}}, "gross 226.01 where net and tax are"),
        ({"amounts": {"net": "0", "tax": "0", "gross": "0"}}, "greater than 0"),
        ({"address": None}, "which an invoice on paper needs"),
        ({"children": ["A-1", "A-1"]}, "every child once"),
        ({"mark_id": "发票 1"}, "pattern"),
    ],
)
def test_an_application_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        read(RequestInvoice, example(**changes))


def test_an_electronic_invoice_goes_to_no_address() -> None:
    wanted = {"kind": "electronic", "title": "某局", "tax_no": None, "bank_data": None}
    found = read(RequestInvoice, example(invoice=wanted, address=None))
    assert found.payload.address is None


def test_whoever_takes_an_invoice_is_personal() -> None:
    assert set(personal_paths(RequestInvoice)) == {
        "/payload/invoice/title",
        "/payload/invoice/tax_no",
        "/payload/invoice/bank_data",
        "/payload/receiver/name",
        "/payload/receiver/mobile",
        "/payload/receiver/phone",
        "/payload/receiver/email",
        "/payload/address/text",
        "/payload/address/zip",
    }
