"""What must hold of the two doors of a vendor's mailbox over a whole run, by what he noted before he answered."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

from tests.history.conversation_recorded import Conversation, Kept
from tests.history.findings import Finding, Violation

WEBHOOK = "webhook"
UNSENT = frozenset({"waiting", "retry", "expired", "cancelled_unsent", "withdrawn", "unsupported"})
"""States of a command that no vendor has."""

REDIRECTS = range(300, 400)
ELSEWHERE = "/elsewhere"
"""Where redirects of the vendor lead to."""


def ids_and_bodies_are_those_of_the_mailbox(talk: Conversation) -> Finding:
    """Whatever the door, a message has the id of its command, and says what stands on the topic."""
    known = {each.id: each for each in talk.messages}
    violations = []
    for each in talk.handed:
        message = known.get(each.id)
        if message is None:
            violations.append(Violation(f"{each.id} came by {each.door}, which is no command"))
        elif (each.sha256, each.supplier) != (message.sha256, message.supplier):
            violations.append(Violation(f"{each.id} came by {each.door} to {each.supplier} with other content"))
    return Finding(len(talk.handed), violations)


def every_request_is_signed(talk: Conversation) -> Finding:
    """Each request bears a signature by a secret that counts, also while secrets are rotated."""
    judged = [each for each in talk.handed if each.door == WEBHOOK]
    return Finding(
        len(judged), [Violation(f"{each.id} is not signed as it should") for each in judged if not each.signed]
    )


def no_redirect_is_followed(talk: Conversation) -> Finding:
    """A vendor's redirect is a failure and leads nowhere."""
    judged = [each for each in talk.handed if each.status in REDIRECTS]
    violations = [Violation(f"{each.id} came to {each.path}") for each in talk.handed if each.path == ELSEWHERE]
    return Finding(len(judged), violations)


def what_was_answered_2xx_is_never_lost(talk: Conversation) -> Finding:
    """A command whose message was answered 2xx is known to be the vendor's."""
    kept = {each.command_id: each for each in talk.kept}
    taken = dict.fromkeys(each.id for each in talk.handed if each.door == WEBHOOK and each.taken)
    violations = [
        Violation(f"{id_} was answered 2xx and is {'not kept' if id_ not in kept else kept[id_].state}")
        for id_ in taken
        if id_ not in kept or kept[id_].state in UNSENT
    ]
    return Finding(len(taken), violations)


def messages_of_a_lane_come_in_order(talk: Conversation) -> Finding:
    """A message of an order or contract is shown only once its vendor has what is ahead of it."""
    first, stored = dict[str, int](), dict[str, int]()
    for number, each in enumerate(talk.handed):
        first.setdefault(each.id, number)
        if each.stored:
            stored.setdefault(each.id, number)
    judged, violations = 0, []
    for lane in _lanes(talk).values():
        shown = [each for each in lane if each.command_id in first]
        for ahead, behind in pairwise(shown):
            judged += 1
            known = stored.get(ahead.command_id, first[ahead.command_id] if ahead.state != "confirmed" else None)
            if known is None or known > first[behind.command_id]:
                violations.append(Violation(f"{behind.lane}: {behind.command_id} came before {ahead.command_id}"))
    return Finding(judged, violations)


def _lanes(talk: Conversation) -> dict[tuple[str, str], list[Kept]]:
    found: defaultdict[tuple[str, str], list[Kept]] = defaultdict(list)
    for each in sorted(talk.kept, key=lambda kept: kept.place):
        found[each.supplier, each.lane].append(each)
    return found
