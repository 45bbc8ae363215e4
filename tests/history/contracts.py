"""What must hold of contracts over a whole run, by their topics, by what vendors were handed and what they said."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.history.conversation_answers import answered_otherwise
from tests.history.conversation_recorded import AMEND, CONTRACT_ENDS, ISSUE, TERMINATE, Conversation, Told
from tests.history.findings import Finding, Violation

WORDS = ("contract.acknowledged", "contract.signed")
FINAL = frozenset({"contract.signed", "contract.refused"})
"""Words of a vendor of which the core always hears."""


def commands_have_one_answer(talk: Conversation) -> Finding:
    """Every command about a contract has exactly one event that ends it, whatever became of its order."""
    commands = talk.of_contracts()
    return Finding(len(commands), answered_otherwise(talk, commands, CONTRACT_ENDS))


def nothing_follows_the_end(talk: Conversation) -> Finding:
    """Once a vendor was handed that a contract is terminated, no text of it is delivered and no word of his told."""
    ended, violations = set[str](), []
    judged = [event for event in talk.told if event.kind.startswith("contract.")]
    for event in judged:
        contract_no = event.content["contract_no"]
        if contract_no in ended and (_is_word(event) or _delivers(event, ISSUE, AMEND)):
            violations.append(Violation(f"{contract_no}: {event.kind} after its end", talk.story(contract_no)))
        if _delivers(event, TERMINATE):
            ended.add(contract_no)
    return Finding(len(judged), violations)


def _delivers(event: Told, *operations: str) -> bool:
    return event.kind == "contract.delivered" and event.payload["operation"] in operations


def _is_word(event: Told) -> bool:
    return event.kind in WORDS or (event.kind == "contract.refused" and event.payload["by"] == "supplier")


def a_document_is_what_was_announced(talk: Conversation) -> Finding:
    """Whoever is given the document of a contract gets the very bytes that its command names, or none."""
    named = {each["command_id"]: each["payload"]["document"] for each in talk.asked(ISSUE, AMEND)}
    given = [each for each in talk.documents if each.status == 200]
    violations = [
        Violation(f"document of {each.message}: {each.size} bytes with {each.sha256}")
        for each in given
        if (each.sha256, each.size) != (named[each.message]["sha256"], named[each.message]["size"])
    ]
    return Finding(len(talk.documents), violations)


def what_is_refused_is_not_handed_over(talk: Conversation) -> Finding:
    """What the gateway refuses, knows already, withdraws or cannot do is shown to no vendor."""
    handed = {each.id for each in talk.handed}
    judged = [
        event
        for event in talk.told
        if event.command_id is not None and event.kind in CONTRACT_ENDS - {"contract.delivered", "contract.expired"}
    ]
    violations = [
        Violation(f"{event.key}: {event.kind} {event.command_id}, which a vendor has", talk.story(event.key))
        for event in judged
        if event.command_id in handed
    ]
    return Finding(len(judged), violations)


def what_is_delivered_was_handed_over(talk: Conversation) -> Finding:
    """What is told as delivered stands in its vendor's notes."""
    handed = {each.id for each in talk.handed}
    judged = [event for event in talk.told if event.kind == "contract.delivered"]
    violations = [
        Violation(f"{event.key}: {event.command_id} is told as delivered, nobody has it", talk.story(event.key))
        for event in judged
        if event.command_id not in handed
    ]
    return Finding(len(judged), violations)


SHOWS_CONFIRMED = ("order.confirmed", "order.partially_confirmed", "shipment.created", "shipment.delivered")
"""By what a vendor tells that the order stands; one that was held because of its price may be shipped all the same."""


def contracts_stand_for_confirmed_orders(talk: Conversation) -> Finding:
    """A contract is delivered only for an order that its vendor confirmed or ships, and no two of one order."""
    confirmed = {event.key for event in talk.told if event.kind in SHOWS_CONFIRMED}
    asked = {each["command_id"]: each for each in talk.asked(ISSUE)}
    judged = [event for event in talk.told if _delivers(event, ISSUE)]
    of_order: defaultdict[str, set[str]] = defaultdict(set)
    for event in judged:
        of_order[event.content["order_no"]].add(event.key)
    violations = [
        Violation(f"{event.key}: it is issued for {event.content['order_no']}", talk.story(event.key))
        for event in judged
        if event.content["order_no"] not in confirmed
        or event.content["order_no"] != asked[event.command_id or ""]["order_no"]
    ]
    over = {event.key for event in talk.told if _delivers(event, TERMINATE)} | _withdrawn(talk)
    violations += [
        Violation(f"{order_no} has the contracts {', '.join(sorted(numbers - over))}")
        for order_no, numbers in of_order.items()
        if len(numbers - over) > 1
    ]
    return Finding(len(judged), violations)


def _withdrawn(talk: Conversation) -> set[str]:
    return {event.key for event in talk.told if event.kind == "contract.withdrawn"}


def vendors_words_are_told_once(talk: Conversation) -> Finding:
    """What a vendor said of a text of a contract is told once, and nothing that he did not say."""
    words = {
        (each.number, each.content["revision"], each.kind): each.status
        for each in sorted(talk.said, key=lambda said: said.status == 202)
        if each.kind.startswith("contract.")
    }
    taken = {word for word, status in words.items() if status in (0, 202)}
    final = {word for word, status in words.items() if status == 202 and word[2] in FINAL}
    told = Counter((event.key, event.content["revision"], event.kind) for event in talk.told if _is_word(event))
    violations = [
        Violation(f"{number}: {kind} of revision {revision} {times} times", talk.story(number))
        for (number, revision, kind), times in told.items()
        if times > 1 or (number, revision, kind) not in taken
    ]
    violations += [
        Violation(f"{number}: {kind} of revision {revision} is not told", talk.story(number))
        for number, revision, kind in final - told.keys()
    ]
    return Finding(len(told), violations)
