"""What must hold of invoices over a whole run, by the topic, the suppliers' ledgers and what was stated."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from decimal import Decimal

from tests.history.conversation_answers import answered_otherwise
from tests.history.conversation_recorded import INVOICE_ENDS, REQUEST, Conversation, Json, Said
from tests.history.findings import Finding, Violation

PASSED_ON = frozenset(f"invoice.{each}" for each in ("partly_issued", "issued", "mailed", "red", "voided"))
WHOLE = frozenset({"invoice.issued", "invoice.mailed"})
"""Where all that was asked for is made out."""

PARTS = ("net", "tax", "gross")


def requests_have_one_answer(talk: Conversation) -> Finding:
    """Every application has exactly one event that says whether the supplier took it."""
    asked = talk.asked(REQUEST)
    return Finding(len(asked), answered_otherwise(talk, asked, INVOICE_ENDS))


def applications_are_made_once(talk: Conversation) -> Finding:
    """No application is made twice at a supplier, none that nobody asked for, and none with another content."""
    asked = {(each["supplier"], each["payload"]["mark_id"]) for each in talk.asked(REQUEST)}
    done = Counter((each.supplier, each.number) for each in talk.effects if each.kind == "invoice")
    violations = [
        Violation(f"{number}: applied for {times} times at {supplier}", talk.story(number))
        for (supplier, number), times in done.items()
        if times > 1 or (supplier, number) not in asked
    ]
    contents: defaultdict[str, set[str]] = defaultdict(set)
    for each in talk.asked(REQUEST):
        if any(event.kind == "invoice.requested" for event in talk.answers.get(each["command_id"], ())):
            contents[each["payload"]["mark_id"]].add(str(each["payload"]))
    violations += [
        Violation(f"{number} was taken with {len(each)} contents", talk.story(number))
        for number, each in contents.items()
        if len(each) > 1
    ]
    return Finding(len(done), violations)


def good_answers_have_their_effect(talk: Conversation) -> Finding:
    """What is told as taken stands in the supplier's ledger, what is told as refused unsent does not."""
    done = {(each.supplier, each.number) for each in talk.effects if each.kind == "invoice"}
    judged = talk.asked(REQUEST)
    violations = [
        Violation(f"{each['payload']['mark_id']}: invoice.requested, and nothing of it at {each['supplier']}")
        for each in judged
        for event in talk.answers.get(each["command_id"], ())
        if event.kind == "invoice.requested" and (each["supplier"], each["payload"]["mark_id"]) not in done
    ]
    return Finding(len(judged), violations)


def what_does_not_match_is_not_passed_on(talk: Conversation) -> Finding:
    """Invoices that are told add up, each and all of them to what was asked for, and a red one has its original."""
    asked = {each["payload"]["mark_id"]: each["payload"]["amounts"] for each in reversed(talk.asked(REQUEST))}
    judged = [event for event in talk.told if event.kind in PASSED_ON]
    violations = [
        Violation(f"{event.payload['mark_id']}: {event.kind}: {fault}", talk.story(event.payload["mark_id"]))
        for event in judged
        if (fault := mismatch(asked[event.payload["mark_id"]], event.payload, whole=event.kind in WHOLE))
    ]
    return Finding(len(judged), violations)


def what_does_not_match_is_told(talk: Conversation) -> Finding:
    """Of an application whose supplier stated what does not add up, the core is told so."""
    wrong = {each.number for each in talk.said if each.status in (200, 202) and _is_wrong(each)}
    told = {event.payload["mark_id"] for event in talk.told if event.kind == "invoice.mismatch"}
    violations = [Violation(f"{number} is not told as a mismatch", talk.story(number)) for number in wrong - told]
    return Finding(len(wrong), violations)


def _is_wrong(said: Said) -> bool:
    """A word with an invoice that counts and does not add up by itself, whatever was asked for."""
    invoices = said.content.get("payload", {}).get("invoices", ())
    return said.kind.startswith("invoice.") and any(map(_off, _live(invoices)))


def _live(invoices: Sequence[Json]) -> Sequence[Json]:
    return [each for each in invoices if each.get("standing", "normal") != "void"]


def mismatch(asked: Json, told: Json, *, whole: bool) -> str:
    """What is wrong with invoices that are told, "" for nothing. whole: all that was asked for is made out."""
    live = _live(told.get("invoices", ()))
    for each in live:
        if _off(each):
            return f"invoice {each['number']} does not add up"
        if each.get("standing") == "red" and not _has_original(each, told["invoices"]):
            return f"red invoice {each['number']} takes nothing back"
    normal = [each for each in live if each.get("standing", "normal") == "normal"]
    for part in PARTS:
        total = sum((Decimal(each[part]) for each in normal), Decimal(0))
        if total > Decimal(asked[part]) or (whole and total != Decimal(asked[part])):
            return f"{part} of all is {total}, asked {asked[part]}"
    return ""


def _off(invoice: Json) -> bool:
    return Decimal(invoice["net"]) + Decimal(invoice["tax"]) != Decimal(invoice["gross"])


def _has_original(red: Json, invoices: Sequence[Json]) -> bool:
    named = red.get("original")
    return any(
        each.get("standing", "normal") != "red"
        and Decimal(each["gross"]) >= Decimal(red["gross"])
        and (named is None or (named.get("code"), named["number"]) == (each.get("code"), each["number"]))
        for each in invoices
    )
