"""What an operator reads of a command: where it stands, what would resolve it, and how it came there. Pure.

One sentence each, in words that need no knowledge of the gateway; every skin shows the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway.relay.commands import Command, Role
from gateway.relay.policy import is_parked_by_operator, is_parked_elsewhere
from gateway.relay.reread_store import OWN_REQUEST
from gateway.relay.states import STOPPED, State
from gateway.relay.steps import Kind
from schemas.orders import Kind as EventKind

DECIDABLE = STOPPED | {State.UNKNOWN}
"""What a person may have a word about."""

UNANSWERED = "unanswered"
"""State, for operators, of a command that its vendor acknowledged: it is delivered, and nobody knows what of it."""

ABSENT_FINALLY = 2
"""Look-ups in a row that do not find an order, before it is sure not to be there."""

STATE_TEXTS: Mapping[State, str] = {
    State.WAITING: "it was not sent yet",
    State.SENDING: "a call is under way",
    State.RETRY: "nothing of it has happened at the supplier; it is sent again by itself",
    State.UNKNOWN: "nobody knows yet whether it took effect; the gateway goes on finding out by itself",
    State.LOOKING_UP: "the supplier is being asked whether it took effect",
    State.PARKED: "it waits for a person: nobody else can find out whether it took effect",
    State.HELD: "it waits for a person: the supplier has something else than was asked for",
    State.DEAD: "it waits for a person: no automatic step is left",
    State.CONFIRMED: "it is done",
    State.REFUSED: "it was refused and had no effect",
    State.EXPIRED: "its deadline passed and nothing of it has happened",
    State.UNSUPPORTED: "the gateway cannot act on it; nothing was sent",
    State.CANCELLED_UNSENT: "it was cancelled before anything was sent",
    State.SUPERSEDED: "a later command of the mall has taken its place",
}
"""Where a command stands, in words."""

OF_ANOTHER_RELEASE = "another release of the gateway wrote it, and this one cannot read it"
"""Where a command stands whose state is not known here."""

OUTCOMES: Mapping[str, str] = {
    "confirmed": "the supplier did as it was asked",
    "rejected": "the supplier refused it",
    "retry_safe": "it failed, and nothing can have happened there",
    "unknown": "the answer was lost: it may have taken effect",
    "found": "it is there",
    "absent": "it is not there",
    "differs": "something else is there than was asked for",
    "lapsed": "the order is cancelled there",
    "failed": "no answer that could be trusted",
}
"""What a call came to, in words."""

UNKNOWN_BECAUSE: Mapping[str, str] = {
    "owner_lost": "the process that sent it was lost before the answer: it may have taken effect",
    "foreign_answer": "the answer spoke of another order: it may have taken effect",
    "contract": "the answer could not be understood: it may have taken effect",
    "refused_after_unknown": "the supplier refused it, but an earlier attempt may have taken effect",
}
"""Why nobody knows, where no answer was lost."""

REASONS: Mapping[str, str] = {
    "undecided_at_deadline": "its deadline passed, and nobody knows whether it took effect",
    "attempts_spent": "it was tried as often as it may be",
    "refused_after_unknown": "the supplier refused it, but an earlier attempt may have taken effect",
    "key_expired": "the supplier may have forgotten the number it was sent under",
    "ambiguous_no_idempotency": "the supplier offers no way to ask or to send it again safely",
    "deadline": "its deadline passed",
    "never_sent": "nothing of it was sent",
    "not_ordered": "the order itself was refused, so that nothing was sent",
    "not_confirmed": "its order is not confirmed, so that nothing was sent",
    "order_over": "its order is over, so that nothing was sent",
    "mark_id_reused": "its number was another application's before, so that nothing was sent",
}
"""Why a command stopped or ended, in words; a reason without any here is shown as it is, as is a person's."""


_AS_EXPECTED = frozenset(
    {
        ("confirmed", State.CONFIRMED.value),
        ("found", State.CONFIRMED.value),
        ("rejected", State.REFUSED.value),
        ("retry_safe", State.RETRY.value),
        ("unknown", State.UNKNOWN.value),
    }
)
"""Outcomes, and where they lead if nothing else is said of them."""


DELIVERED: Mapping[str, str] = {
    "acknowledged": "its vendor acknowledged it",
    "resolved_not_done": "its vendor acknowledged it, and it had no effect",
}
"""Where a command stands that its vendor fetched, by its reason: what it came to is told by its answer."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """That a vendor acknowledged a command and has not answered it. late: its deadline has passed since."""

    acknowledged_at: datetime
    late: bool


def describe_state(command: Command, unanswered: Unanswered | None = None) -> str:
    """Where a command stands, in words."""
    if unanswered is not None:
        was = "was" if unanswered.late else "is"
        since = f"its vendor acknowledged it at {_format_time(unanswered.acknowledged_at)} and has not answered"
        return f"{since}; its deadline {was} {_format_time(command.deadline)}"
    if is_parked_by_operator(command):
        return "an operator parked it; it waits to be released"
    if is_parked_elsewhere(command):
        return f"it waits for a person: it may have taken effect at {command.sent_to}, which is not called any more"
    if command.state is State.CONFIRMED and command.reason in DELIVERED:
        return DELIVERED[command.reason]
    if command.state is State.CANCELLED_UNSENT and command.role is Role.CANCELS:
        return "it is done: nothing of the order had been sent"
    return STATE_TEXTS[command.state]


def shown_state(command: Command, unanswered: Unanswered | None = None) -> str:
    """The state of a command in one word: what is delivered has its end only with the answer."""
    return command.state.value if unanswered is None else UNANSWERED


def advice(command: Command, unanswered: Unanswered | None = None) -> str:
    """What resolves a command that does not go on by itself; "" for one that does, or is over."""
    if is_parked_by_operator(command):
        return _how_to_release(command)
    resolve = how_to_resolve(command)
    if unanswered is not None:
        ask = "Ask" if unanswered.late else "Wait for its answer; or ask"
        return f"{ask} {command.supplier} whether {_wanted(command)}, then: {resolve}"
    match command.state:
        case State.UNKNOWN:
            return f"Wait; or ask {command.supplier} whether {_wanted(command)}, then: {resolve}"
        case State.HELD if command.role is Role.MAKES:
            accept = resolve.replace("done|not-done", "done")
            return f"The mall cancels it; or agree with {command.supplier} on what is there, then: {accept}"
        case State.PARKED | State.DEAD | State.HELD:
            back = f"; or declare that address again, then: {_how_to_release(command)}"
            ask = f"Ask {command.supplier} whether {_wanted(command)}, then: {resolve}"
            return ask + (back if is_parked_elsewhere(command) else "")
        case _:
            return ""


def how_to_resolve(command: Command) -> str:
    """What an operator types who knows whether a command took effect."""
    return f"mallgate orders resolve {command.command_id} done|not-done --reason WHY"


def _how_to_release(command: Command) -> str:
    return f"mallgate lanes release {command.order_no} --reason WHY"


HELD_BY_ANSWER = "it was answered with something else than was asked for, and the order was held"
"""Where a command ended whose last event said that prices, quantities or sums do not agree."""


def summary(command: Command, steps: Sequence[Mapping[str, Any]], unanswered: Unanswered | None = None) -> str:
    """What happened to a command, in one sentence. steps: those of it, in order; their kind and facts."""
    outcomes = [step["facts"].get("outcome") for step in steps if step["kind"] == Kind.OUTCOME]
    lost = sum(_is_lost(step["facts"]) for step in steps if step["kind"] == Kind.OUTCOME)
    clauses = [*_sending(command, lost), *_looking_up(command, steps, outcomes), *_repeating(command, steps, lost)]
    clauses += [_describe_resolution(step["facts"]) for step in _of(steps, Kind.RESOLVED)]
    return "; ".join([*clauses, HELD_BY_ANSWER if _was_held(command, steps) else describe_state(command, unanswered)])


def describe_step(kind: str, facts: Mapping[str, Any]) -> str:
    """A step in words. Total: one of another release is told by its kind and its facts."""
    words = _STEPS.get(kind)
    return words(facts) if words is not None else f"{kind} {_listed(facts)}".strip()


def _format_time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _wanted(command: Command) -> str:
    if command.contract_no is not None:
        return f"it has {command.operation} of contract {command.contract_no}, revision {command.revision}"
    match command.role:
        case Role.MAKES:
            return f"it has an order with our number {command.order_no}"
        case Role.CANCELS:
            return f"order {command.order_no} is cancelled there"
        case Role.CANCELS_CHILDREN:
            return f"the children of order {command.order_no} that it names are cancelled there"
        case Role.CHANGES:
            return f"order {command.order_no} is confirmed there"
        case Role.SERVES:
            return f"it took the {command.operation} of order {command.order_no}"


def _sending(command: Command, lost: int) -> list[str]:
    if not command.attempt:
        return ["nothing was sent"]
    return [] if not lost else ["the answer was lost" if lost == 1 else f"{lost} answers were lost"]


def _looking_up(command: Command, steps: Sequence[Mapping[str, Any]], outcomes: Sequence[Any]) -> list[str]:
    asked = len(_of(steps, Kind.LOOK_UP))
    if not asked:
        return []
    times = "" if asked == 1 else f" {asked} times"
    outcome = next((each for each in reversed(outcomes) if each in ("found", "absent", "differs", "failed")), None)
    found = "it is there" if command.role is Role.MAKES else "it took effect"
    result = found if outcome == "found" else OUTCOMES.get(outcome or "", "")
    return [f"the order was looked up by our number{times}", *([result] if result else [])]


def _repeating(command: Command, steps: Sequence[Mapping[str, Any]], lost: int) -> list[str]:
    if command.attempt <= 1:
        return ["nothing was sent twice"] if lost else []
    times = f"it was sent {command.attempt} times"
    if _was_resent_in_doubt(command, steps):
        return [f"{times} under one number, so that it counts once"]
    if lost:
        return [f"{times}, again only once it was surely not there"]
    return [f"{times}, each time after the one before had surely failed"]


def _was_resent_in_doubt(command: Command, steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an attempt was made while an earlier one might have taken effect. Of attempts that are not told: yes."""
    seen = absent = 0
    doubt = False
    for step in steps:
        outcome = step["facts"].get("outcome")
        if step["kind"] == Kind.ATTEMPT:
            if doubt:
                return True
            seen, absent = seen + 1, 0
        elif outcome == "absent":
            absent += 1
        doubt = (doubt or outcome == "unknown") and absent < ABSENT_FINALLY and step["kind"] != Kind.RESOLVED
    return seen < command.attempt


def _was_held(command: Command, steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether it is over, answered with something else than was asked for; a person's word after that is an end too."""
    decided = [step for step in steps if step["kind"] in (Kind.EVENT, Kind.RESOLVED)]
    event = decided[-1]["facts"].get("event") if decided else None
    return command.state is State.CONFIRMED and event == EventKind.PRICE_MISMATCH


def _of(steps: Sequence[Mapping[str, Any]], kind: Kind) -> list[Mapping[str, Any]]:
    return [step for step in steps if step["kind"] == kind]


def _is_lost(facts: Mapping[str, Any]) -> bool:
    """Whether an answer was lost: of one that is held there was an answer, of another order than was asked for."""
    return facts.get("outcome") == "unknown" and facts.get("state") != State.HELD


def _outcome(facts: Mapping[str, Any]) -> str:
    outcome, code, reason = (str(facts.get(name) or "") for name in ("outcome", "code", "reason"))
    if outcome == "unknown" and not _is_lost(facts):
        outcome = "differs"
    because = UNKNOWN_BECAUSE.get(reason) or UNKNOWN_BECAUSE.get(code)
    words = because if because and outcome in ("unknown", "rejected") else OUTCOMES.get(outcome) or outcome
    shown = f" (code {code})" if code and code != outcome and code not in UNKNOWN_BECAUSE else ""
    goes_on = (outcome, facts.get("state")) in _AS_EXPECTED
    return (words or "a call ended") + shown + ("" if goes_on else _now(facts))


def _now(facts: Mapping[str, Any]) -> str:
    return f"; it is {facts['state']} now" if facts.get("state") else ""


def _why(facts: Mapping[str, Any]) -> str:
    reason = facts.get("reason")
    return f": {REASONS.get(reason, reason)}" if reason else ""


def _event(facts: Mapping[str, Any]) -> str:
    code = f" (supplier's code {facts['raw_code']})" if facts.get("raw_code") else ""
    numbers = ", ".join(map(str, facts.get("supplier_order_nos") or ()))
    there = f" (what is there has the supplier's number {numbers})" if numbers else ""
    reported = f"the mall was told {facts.get('event')}{code}{there}"
    if contract_no := facts.get("contract_no"):
        stands = ", ".join(filter(None, (facts.get("state"), facts.get("answer"))))
        return reported + (f"; contract {contract_no} is {stands}" if stands else "")
    return f"{reported}; the order is {facts.get('state')}"


def _stopped(facts: Mapping[str, Any]) -> str:
    by = f" by {facts['actor']}" if facts.get("actor") else ""
    return f"stopped{by}, {facts.get('state')}{_why(facts)}"


def _handed_out(facts: Mapping[str, Any]) -> str:
    times = facts.get("attempt") or 1
    return "it was handed to its vendor" + (f", {times} times by now" if times > 1 else "")


def _ended(facts: Mapping[str, Any]) -> str:
    call = "another call" if facts.get("attempt") else "a call"
    return f"ended without {call}: {str(facts.get('state')).replace('_', ' ')}{_why(facts)}"


def _describe_resolution(facts: Mapping[str, Any]) -> str:
    return f"{facts.get('actor')} said: {str(facts.get('resolution')).replace('_', ' ')}"


def _late(facts: Mapping[str, Any]) -> str:
    return f"{facts.get('event')} came too late: the order was {facts.get('state')}; it is a dead letter, not told"


def _read(facts: Mapping[str, Any]) -> str:
    asked, events = facts.get("asked_by"), facts.get("told")
    because = f" ({_asking(asked)})" if isinstance(asked, Mapping) else ""
    if facts.get("fault"):
        return f"the order could not be read at the supplier{because}: {facts['fault']}; it is a dead letter"
    children = f"{facts['children']} children" if facts.get("children") else None
    found = [str(each).replace("_", " ") for each in (facts.get("standing"), facts.get("progress"), children) if each]
    new = ", ".join(map(str, events or ()))
    reported = "" if events is None else f"; the mall was told {new}" if new else "; nothing of it was new"
    return f"the order was read at the supplier{because}" + (f": {', '.join(found)}" if found else "") + reported


def _asking(asked: Mapping[str, Any]) -> str:
    """Why an order was read."""
    if asked.get("type") == OWN_REQUEST:
        return "something before did not fit"
    return f"its message {asked.get('id')} of type {asked.get('type')} asked for it"


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)


_STEPS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    Kind.ATTEMPT: lambda facts: f"attempt {facts.get('attempt')} is sent ({facts.get('call')})",
    Kind.LOOK_UP: lambda facts: f"the order is looked up by our number ({facts.get('call')})",
    Kind.OUTCOME: _outcome,
    Kind.STOPPED: _stopped,
    Kind.RELEASED: lambda facts: f"released by {facts.get('actor')}{_why(facts)}{_now(facts)}",
    Kind.RESOLVED: lambda facts: f"{_describe_resolution(facts)}{_why(facts)}",
    Kind.ENDED: _ended,
    Kind.EVENT: _event,
    Kind.LATE: _late,
    Kind.READ: _read,
    Kind.UNDELIVERED: lambda facts: f"its webhook did not take it: {facts.get('failure') or 'no reason is kept'}",
    Kind.DELIVERED: _handed_out,
    Kind.ACKNOWLEDGED: lambda facts: "its vendor acknowledged it",
}
"""Each kind of step in words."""
