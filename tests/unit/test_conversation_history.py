"""The verdicts on contracts, invoices, after-sale and webhooks of a long run find every fault that is put into a good
history, and nothing in a good one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.history.conversation import CHECKS
from tests.history.events import folded
from tests.history.verdicts import verdicts
from tests.unit.good_conversation import ConversationRun

Run = ConversationRun


def answer_no_contract(run: Run) -> None:
    run.events.remove(run.told("contract.refused"))


def answer_a_contract_twice(run: Run) -> None:
    run.event("C3", "contract.expired", "C3/contract.issue/1", {"operation": "contract.issue"})


def deliver_a_text_after_the_end(run: Run) -> None:
    run.event("C1", "contract.delivered", "C1/contract.amend/2", {"operation": "contract.amend"}, revision=2)


def tell_a_signature_after_the_end(run: Run) -> None:
    run.says("C1", "contract.signed", {"revision": 2})
    run.event("C1", "contract.signed", None, {}, revision=2)


def give_another_document(run: Run) -> None:
    run.of("conversation.document")["sha256"] = "cd" * 32


def cut_a_document_short(run: Run) -> None:
    run.of("conversation.document")["size"] = 8


def hand_over_what_is_refused(run: Run) -> None:
    run.hands("C2/contract.issue/1", status=200)


def hand_over_what_is_withdrawn(run: Run) -> None:
    run.hands("C3/contract.issue/1", status=500, stored=False)


def tell_as_delivered_what_nobody_has(run: Run) -> None:
    run.events = [
        each for each in run.events if not (each["event"].endswith("handed") and "amend" in each.get("id", ""))
    ]


def issue_for_an_order_that_is_not_confirmed(run: Run) -> None:
    run.events.remove(run.told("order.confirmed"))


def issue_a_second_contract(run: Run) -> None:
    for number in ("C8", "C9"):
        id_ = run.asks("contract.issue", number, payload={"document": {}})
        run.hands(id_, status=204)
        run.event(number, "contract.delivered", id_, {"operation": "contract.issue"})


def tell_a_word_twice(run: Run) -> None:
    run.event("C1", "contract.acknowledged", None, {})


def tell_a_word_that_nobody_said(run: Run) -> None:
    run.events.remove(run.of("conversation.said", kind="contract.acknowledged"))


def swallow_a_signature(run: Run) -> None:
    first = run.told("contract.signed")
    run.events = [each for each in run.events if each.get("ce_id") != first["ce_id"]]


def answer_no_application(run: Run) -> None:
    run.events.remove(run.told("invoice.requested"))


def answer_an_application_twice(run: Run) -> None:
    run.event("M1", "invoice.refused", "M1/invoice.request/1", {"mark_id": "FP-1", "by": "supplier"})


def apply_for_invoices_twice(run: Run) -> None:
    run.effect("invoice", "FP-1")


def apply_for_what_nobody_asked(run: Run) -> None:
    run.effect("invoice", "FP-9")


def take_another_content_of_a_number(run: Run) -> None:
    run.told("invoice.refused")["content"]["event"] = "invoice.requested"


def take_an_application_that_is_nowhere(run: Run) -> None:
    run.events.remove(run.of("conversation.effect", kind="invoice", number="FP-2"))


def pass_on_a_fen_too_much(run: Run) -> None:
    run.told("invoice.issued")["content"]["payload"]["invoices"] = [
        {"number": "F-1", "net": "100.00", "tax": "13.00", "gross": "113.01"}
    ]


def pass_on_less_than_was_asked_as_all(run: Run) -> None:
    run.told("invoice.issued")["content"]["payload"]["invoices"] = [
        {"number": "F-1", "net": "50.00", "tax": "6.50", "gross": "56.50"}
    ]


def pass_on_a_red_one_without_its_original(run: Run) -> None:
    bills = run.told("invoice.red")["content"]["payload"]["invoices"]
    bills[1] = {**bills[1], "original": {"number": "F-77"}}


def keep_a_mismatch_quiet(run: Run) -> None:
    run.events.remove(run.told("invoice.mismatch"))


def answer_no_service(run: Run) -> None:
    run.events.remove(run.told("aftersale.accepted"))


def answer_a_cancel_twice(run: Run) -> None:
    run.event("M1", "aftersale.refused", "M1/aftersale.cancel/1", {"service_no": "AS-2", "by": "supplier"})


def apply_for_a_service_twice(run: Run) -> None:
    run.effect("after_sale", "AS-1")


def cancel_a_service_twice(run: Run) -> None:
    run.effect("cancel_after_sale", "AS-2")


def accept_a_service_that_is_nowhere(run: Run) -> None:
    run.events.remove(run.of("conversation.effect", kind="after_sale"))


def send_what_the_mall_refused(run: Run) -> None:
    run.effect("after_sale", "AS-3", {"S": 1})


def apply_before_the_goods_arrived(run: Run) -> None:
    arrived = run.of("conversation.effect", kind="deliver")
    run.events.remove(arrived)
    run.events.append(arrived)


def apply_for_more_than_arrived(run: Run) -> None:
    run.of("conversation.effect", kind="after_sale")["lines"] = {"S": 3}


def go_on_with_a_cancelled_service(run: Run) -> None:
    run.event("M1", "aftersale.progress", None, {"service_no": "AS-2", "state": "approved"})


def pay_back_a_cancelled_service(run: Run) -> None:
    run.event("M1", "refund.made", None, {"service_no": "AS-2", "amount": "1.00"})


def go_back_from_done(run: Run) -> None:
    run.event("M1", "aftersale.progress", None, {"service_no": "AS-1", "state": "received"})


def hand_over_another_content(run: Run) -> None:
    run.of("conversation.handed", door="mailbox")["sha256"] = "of something else"


def hand_over_under_another_id(run: Run) -> None:
    run.of("conversation.handed", door="webhook", status=200)["id"] = "another"


def hand_over_to_another_vendor(run: Run) -> None:
    run.of("conversation.handed", door="mailbox")["supplier"] = "shop"


def forget_to_sign(run: Run) -> None:
    run.of("conversation.handed", door="webhook")["signed"] = False


def follow_a_redirect(run: Run) -> None:
    run.of("conversation.handed", status=204)["path"] = "/elsewhere"


def forget_what_was_taken(run: Run) -> None:
    run.events.remove(run.of("conversation.kept", command_id="C1/contract.issue/1"))


def let_expire_what_was_taken(run: Run) -> None:
    run.of("conversation.kept", command_id="C1/contract.issue/1")["state"] = "expired"


def swap_two_messages_of_a_lane(run: Run) -> None:
    places = [run.of("conversation.kept", command_id=f"C1/contract.{each}") for each in ("amend/2", "terminate/3")]
    places[0]["place"], places[1]["place"] = places[1]["place"], places[0]["place"]


def hand_over_before_the_one_ahead_was_taken(run: Run) -> None:
    run.events.remove(run.of("conversation.handed", status=204))


FAULTS: list[tuple[Callable[[Run], None], str]] = [
    (answer_no_contract, "contracts: commands have one answer"),
    (answer_a_contract_twice, "contracts: commands have one answer"),
    (deliver_a_text_after_the_end, "contracts: nothing follows the end"),
    (tell_a_signature_after_the_end, "contracts: nothing follows the end"),
    (give_another_document, "contracts: a document is what was announced"),
    (cut_a_document_short, "contracts: a document is what was announced"),
    (hand_over_what_is_refused, "contracts: what is refused is not handed over"),
    (hand_over_what_is_withdrawn, "contracts: what is refused is not handed over"),
    (tell_as_delivered_what_nobody_has, "contracts: what is delivered was handed over"),
    (issue_for_an_order_that_is_not_confirmed, "contracts: contracts stand for confirmed orders"),
    (issue_a_second_contract, "contracts: contracts stand for confirmed orders"),
    (tell_a_word_twice, "contracts: vendors words are told once"),
    (tell_a_word_that_nobody_said, "contracts: vendors words are told once"),
    (swallow_a_signature, "contracts: vendors words are told once"),
    (answer_no_application, "invoices: requests have one answer"),
    (answer_an_application_twice, "invoices: requests have one answer"),
    (apply_for_invoices_twice, "invoices: applications are made once"),
    (apply_for_what_nobody_asked, "invoices: applications are made once"),
    (take_another_content_of_a_number, "invoices: applications are made once"),
    (take_an_application_that_is_nowhere, "invoices: good answers have their effect"),
    (pass_on_a_fen_too_much, "invoices: what does not match is not passed on"),
    (pass_on_less_than_was_asked_as_all, "invoices: what does not match is not passed on"),
    (pass_on_a_red_one_without_its_original, "invoices: what does not match is not passed on"),
    (keep_a_mismatch_quiet, "invoices: what does not match is told"),
    (answer_no_service, "after-sale: commands have one answer"),
    (answer_a_cancel_twice, "after-sale: commands have one answer"),
    (apply_for_a_service_twice, "after-sale: effects are single"),
    (cancel_a_service_twice, "after-sale: effects are single"),
    (accept_a_service_that_is_nowhere, "after-sale: answers agree with effects"),
    (send_what_the_mall_refused, "after-sale: answers agree with effects"),
    (apply_before_the_goods_arrived, "after-sale: nothing is applied for that was not delivered"),
    (apply_for_more_than_arrived, "after-sale: nothing is applied for that was not delivered"),
    (go_on_with_a_cancelled_service, "after-sale: nothing follows the end"),
    (pay_back_a_cancelled_service, "after-sale: nothing follows the end"),
    (go_back_from_done, "after-sale: nothing follows the end"),
    (hand_over_another_content, "webhooks: ids and bodies are those of the mailbox"),
    (hand_over_under_another_id, "webhooks: ids and bodies are those of the mailbox"),
    (hand_over_to_another_vendor, "webhooks: ids and bodies are those of the mailbox"),
    (forget_to_sign, "webhooks: every request is signed"),
    (follow_a_redirect, "webhooks: no redirect is followed"),
    (forget_what_was_taken, "webhooks: what was answered 2xx is never lost"),
    (let_expire_what_was_taken, "webhooks: what was answered 2xx is never lost"),
    (swap_two_messages_of_a_lane, "webhooks: messages of a lane come in order"),
    (hand_over_before_the_one_ahead_was_taken, "webhooks: messages of a lane come in order"),
]


def test_nothing_is_found_in_a_good_history() -> None:
    found = verdicts(folded(ConversationRun().events))
    assert {name: [*map(str, finding.violations)] for name, finding in found.items() if finding.violations} == {}
    families = tuple(f"{family}: " for family in CHECKS)
    assert [name for name, finding in found.items() if name.startswith(families) and not finding.judged] == []


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_found_by_its_check(fault: Callable[[Run], None], check: str) -> None:
    run = ConversationRun()
    fault(run)
    assert check in run.red()


def test_every_check_has_a_fault_that_it_must_find() -> None:
    checks = {f"{family}: {each.__name__.replace('_', ' ')}" for family, found in CHECKS.items() for each in found}
    assert {check for _, check in FAULTS} == checks
