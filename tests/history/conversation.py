"""The verdict on contracts, invoices, after-sale and webhooks of a long run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from tests.history import contracts, invoices, services, webhooks
from tests.history.conversation_recorded import Conversation
from tests.history.findings import Finding

Check = Callable[[Conversation], Finding]

CHECKS: Mapping[str, Sequence[Check]] = {
    "contracts": (
        contracts.commands_have_one_answer,
        contracts.nothing_follows_the_end,
        contracts.a_document_is_what_was_announced,
        contracts.what_is_refused_is_not_handed_over,
        contracts.what_is_delivered_was_handed_over,
        contracts.contracts_stand_for_confirmed_orders,
        contracts.vendors_words_are_told_once,
    ),
    "invoices": (
        invoices.requests_have_one_answer,
        invoices.applications_are_made_once,
        invoices.good_answers_have_their_effect,
        invoices.what_does_not_match_is_not_passed_on,
        invoices.what_does_not_match_is_told,
    ),
    "after-sale": (
        services.commands_have_one_answer,
        services.effects_are_single,
        services.answers_agree_with_effects,
        services.nothing_is_applied_for_that_was_not_delivered,
        services.nothing_follows_the_end,
    ),
    "webhooks": (
        webhooks.ids_and_bodies_are_those_of_the_mailbox,
        webhooks.every_request_is_signed,
        webhooks.no_redirect_is_followed,
        webhooks.what_was_answered_2xx_is_never_lost,
        webhooks.messages_of_a_lane_come_in_order,
    ),
}
"""The checks of each family."""


def verdicts(talk: Conversation) -> dict[str, Finding]:
    """What each check found, by its family and its name in words."""
    return {
        f"{family}: {check.__name__.replace('_', ' ')}": check(talk)
        for family, checks in CHECKS.items()
        for check in checks
    }


def summary(talk: Conversation) -> Sequence[str]:
    """What was asked, and how it was answered, in lines."""
    asked = Counter(each["operation"] for each in talk.placed)
    told = Counter(event.kind for event in talk.told if not event.kind.startswith(("order.", "shipment.")))
    ended = sum(bool(talk.answers.get(each["command_id"])) for each in talk.placed)
    doors = Counter(f"{each.door} {each.status or 'none'}" for each in talk.handed)
    said = Counter(f"{each.status}" for each in talk.said)
    return [
        f"{len(talk.placed)} commands beside orders, {ended} answered: {_counted(asked)}",
        f"  told: {_counted(told)}",
        f"  handed over: {_counted(doors)}; words of vendors: {_counted(said)}",
    ]


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
