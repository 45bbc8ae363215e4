"""Where an order stands, and what a command, an answer or a message does to it.

    draft ► submitting ► reserved ► confirming ► confirmed ► in_fulfilment ► delivered
               │ ▲                                                              ▼
               │ │                                     closed ◄ paid ◄ invoiced ◄ accepted
               ▼ │ held: the buyer submits a new revision; unknown: a look-up finds no order

`MOVES` has every regular move. What a supplier says out of order is a fact all the same: news of something further on
moves the order there, news of something behind changes nothing, and news that fits neither changes nothing and lets
the order be asked for again. Out of a terminal state no news leads: a late success there is for a person to see. An
order that was refused, expired or cancelled starts again where it is submitted again.
`confirming` and `cancel_pending` remember the state before, for a confirm or cancel that fails goes back to it; what is
heard of the order while a cancel is under way moves that state.

The status of an order that was split is that of its children, see `parent_state`; only children and orders that are not
split are moved by `judge`. After-sale is a state machine of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where an order stands."""

    DRAFT = "draft"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    HELD = "held"
    RESERVED = "reserved"
    CONFIRMING = "confirming"
    PARTIALLY_CONFIRMED = "partially_confirmed"
    CONFIRMED = "confirmed"
    IN_FULFILMENT = "in_fulfilment"
    PARTIALLY_DELIVERED = "partially_delivered"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    DISPUTED = "disputed"
    INVOICED = "invoiced"
    PAID = "paid"
    CANCEL_PENDING = "cancel_pending"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    CLOSED = "closed"
    ABANDONED = "abandoned"


class OrderFact(StrEnum):
    """What happens to an order.

    submit, confirm, cancel: the command is sent. outcome_unknown: a submit may have taken effect; not_found: a look-up
    says that it has not. lapsed: cancelled by time-out. confirm_failed, cancel_failed: refused, expired or unsupported.
    children_cancelled: a cancel of children is done, the order goes on without them.
    acceptance_done and those after it are the core's.
    """

    SUBMIT = "submit"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    ABANDON = "abandon"
    ACCEPTED = "accepted"
    SUBMIT_REFUSED = "submit_refused"
    SUBMIT_EXPIRED = "submit_expired"
    PRICE_MISMATCH = "price_mismatch"
    OUTCOME_UNKNOWN = "outcome_unknown"
    NOT_FOUND = "not_found"
    CONFIRMED = "confirmed"
    PARTIALLY_CONFIRMED = "partially_confirmed"
    CONFIRM_FAILED = "confirm_failed"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    CANCEL_FAILED = "cancel_failed"
    CHILDREN_CANCELLED = "children_cancelled"
    SPLIT = "split"
    SHIPPED = "shipped"
    PARTLY_DELIVERED = "partly_delivered"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    ACCEPTANCE_DONE = "acceptance_done"
    ACCEPTANCE_REFUSED = "acceptance_refused"
    INVOICED = "invoiced"
    PAID = "paid"
    CLOSE = "close"


class StateVerdict(StrEnum):
    """What a fact is to an order.

    moves: it is in the table. ahead: it tells of more than was known, it holds and the order is asked for again. known:
    it tells nothing new. contradicts: it does not fit, nothing changes and the order is asked for again. late: a
    success of an order that is over, for a dead letter. not_allowed: nobody may do this to the order now.
    """

    MOVES = "moves"
    AHEAD = "ahead"
    KNOWN = "known"
    CONTRADICTS = "contradicts"
    LATE = "late"
    NOT_ALLOWED = "not_allowed"


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """before: of `confirming` and `cancel_pending` alone, the state that a failure leads back to."""

    state: State
    before: State | None = None


@dataclass(frozen=True, slots=True)
class OrderJudgement:
    """What a fact does to an order."""

    verdict: StateVerdict
    status: OrderStatus

    @property
    def ask_again(self) -> bool:
        """Whether the supplier has to be asked for the order as it is."""
        return self.verdict in (StateVerdict.AHEAD, StateVerdict.CONTRADICTS)


TERMINAL = frozenset({State.CANCELLED, State.REFUSED, State.EXPIRED, State.CLOSED, State.ABANDONED})
"""Out of these no news leads."""

UNCONFIRMED = frozenset(
    {
        State.DRAFT,
        State.SUBMITTING,
        State.UNKNOWN,
        State.HELD,
        State.RESERVED,
        State.CONFIRMING,
        State.PARTIALLY_CONFIRMED,
    }
)
"""The supplier has not confirmed the whole order yet, or the buyer has yet to decide about a part."""

RESTARTABLE = frozenset({State.CANCELLED, State.REFUSED, State.EXPIRED})
"""Terminal states of an order that may be submitted again: what is heard then is of the new submit."""

ASKED = frozenset({OrderFact.SUBMIT, OrderFact.CONFIRM, OrderFact.CANCEL, OrderFact.ABANDON})
"""What the mall does, as opposed to what it hears."""

CORE_FACTS = frozenset(
    {OrderFact.ACCEPTANCE_DONE, OrderFact.ACCEPTANCE_REFUSED, OrderFact.INVOICED, OrderFact.PAID, OrderFact.CLOSE}
)
"""What only the core knows; the core owns the life of an order."""

MOVES: Mapping[State, Mapping[OrderFact, State]] = {
    State.DRAFT: {OrderFact.SUBMIT: State.SUBMITTING, OrderFact.ABANDON: State.ABANDONED},
    State.SUBMITTING: {
        OrderFact.ACCEPTED: State.RESERVED,
        OrderFact.CONFIRMED: State.CONFIRMED,
        OrderFact.PARTIALLY_CONFIRMED: State.PARTIALLY_CONFIRMED,
        OrderFact.SUBMIT_REFUSED: State.REFUSED,
        OrderFact.SUBMIT_EXPIRED: State.EXPIRED,
        OrderFact.PRICE_MISMATCH: State.HELD,
        OrderFact.OUTCOME_UNKNOWN: State.UNKNOWN,
        OrderFact.CANCELLED: State.CANCELLED,  # also of a submit that was never sent
        OrderFact.LAPSED: State.EXPIRED,
    },
    State.UNKNOWN: {
        OrderFact.ACCEPTED: State.RESERVED,
        OrderFact.CONFIRMED: State.CONFIRMED,
        OrderFact.PARTIALLY_CONFIRMED: State.PARTIALLY_CONFIRMED,
        OrderFact.CANCELLED: State.CANCELLED,
        OrderFact.LAPSED: State.EXPIRED,
        OrderFact.NOT_FOUND: State.SUBMITTING,
        OrderFact.SUBMIT_REFUSED: State.REFUSED,  # a person found out that it had no effect
        OrderFact.SUBMIT_EXPIRED: State.EXPIRED,  # likewise, and its time was over before it was sent again
        OrderFact.PRICE_MISMATCH: State.HELD,
    },
    State.HELD: {
        OrderFact.SUBMIT: State.SUBMITTING,
        OrderFact.CANCEL: State.CANCEL_PENDING,
        OrderFact.CANCELLED: State.CANCELLED,
        OrderFact.LAPSED: State.EXPIRED,
    },
    State.RESERVED: {
        OrderFact.CONFIRM: State.CONFIRMING,
        OrderFact.CANCEL: State.CANCEL_PENDING,
        OrderFact.PRICE_MISMATCH: State.HELD,
        OrderFact.CANCELLED: State.CANCELLED,
        OrderFact.LAPSED: State.EXPIRED,
    },
    State.CONFIRMING: {
        OrderFact.CONFIRMED: State.CONFIRMED,
        OrderFact.PARTIALLY_CONFIRMED: State.PARTIALLY_CONFIRMED,
        OrderFact.PRICE_MISMATCH: State.HELD,
        OrderFact.CANCELLED: State.CANCELLED,
        OrderFact.LAPSED: State.CANCELLED,
    },
    State.PARTIALLY_CONFIRMED: {
        OrderFact.CONFIRM: State.CONFIRMING,
        OrderFact.CONFIRMED: State.CONFIRMED,
        OrderFact.CANCEL: State.CANCEL_PENDING,
        OrderFact.CANCELLED: State.CANCELLED,
        OrderFact.LAPSED: State.CANCELLED,
    },
    State.CONFIRMED: {
        OrderFact.SPLIT: State.IN_FULFILMENT,
        OrderFact.SHIPPED: State.IN_FULFILMENT,
        OrderFact.CANCEL: State.CANCEL_PENDING,
        OrderFact.CANCELLED: State.CANCELLED,
        OrderFact.LAPSED: State.CANCELLED,
    },
    State.IN_FULFILMENT: {
        OrderFact.PARTLY_DELIVERED: State.PARTIALLY_DELIVERED,
        OrderFact.DELIVERED: State.DELIVERED,
        OrderFact.REJECTED: State.REJECTED,
        OrderFact.CANCELLED: State.CANCELLED,
    },
    State.PARTIALLY_DELIVERED: {OrderFact.DELIVERED: State.DELIVERED},
    State.DELIVERED: {OrderFact.ACCEPTANCE_DONE: State.ACCEPTED, OrderFact.ACCEPTANCE_REFUSED: State.DISPUTED},
    State.REJECTED: {OrderFact.CLOSE: State.CLOSED},
    State.ACCEPTED: {OrderFact.INVOICED: State.INVOICED},
    State.DISPUTED: {OrderFact.ACCEPTANCE_DONE: State.ACCEPTED, OrderFact.CANCELLED: State.CANCELLED},
    State.INVOICED: {OrderFact.PAID: State.PAID},
    State.PAID: {OrderFact.CLOSE: State.CLOSED},
    State.CANCEL_PENDING: {OrderFact.CANCELLED: State.CANCELLED, OrderFact.LAPSED: State.CANCELLED},
    **{state: {OrderFact.SUBMIT: State.SUBMITTING} if state in RESTARTABLE else {} for state in TERMINAL},
}
"""Every regular move. What goes back to the state before is in `BACK`, for no table can name that."""

BACK: Mapping[State, frozenset[OrderFact]] = {
    State.CONFIRMING: frozenset({OrderFact.CONFIRM_FAILED}),
    State.CANCEL_PENDING: frozenset({OrderFact.CANCEL_FAILED, OrderFact.CHILDREN_CANCELLED}),
}
"""What leads back to the state before a confirm or cancel."""

PROGRESS: Mapping[OrderFact, State] = {
    OrderFact.ACCEPTED: State.RESERVED,
    OrderFact.PARTIALLY_CONFIRMED: State.PARTIALLY_CONFIRMED,
    OrderFact.CONFIRMED: State.CONFIRMED,
    OrderFact.SPLIT: State.IN_FULFILMENT,
    OrderFact.SHIPPED: State.IN_FULFILMENT,
    OrderFact.PARTLY_DELIVERED: State.PARTIALLY_DELIVERED,
    OrderFact.DELIVERED: State.DELIVERED,
    OrderFact.REJECTED: State.REJECTED,
}
"""News of success, and where the order then stands at least."""

_STEP: Mapping[State, int] = {
    State.SUBMITTING: 0,
    State.UNKNOWN: 0,
    State.HELD: 0,
    State.RESERVED: 1,
    State.CONFIRMING: 1,
    State.PARTIALLY_CONFIRMED: 2,
    State.CONFIRMED: 3,
    State.IN_FULFILMENT: 4,
    State.PARTIALLY_DELIVERED: 5,
    State.DELIVERED: 6,
    State.REJECTED: 6,
    State.ACCEPTED: 7,
    State.DISPUTED: 7,
    State.INVOICED: 8,
    State.PAID: 9,
}
"""How far on a state is."""

_NOTHING_NEW: Mapping[OrderFact, frozenset[State]] = {
    OrderFact.OUTCOME_UNKNOWN: frozenset(State),
    OrderFact.CANCEL_FAILED: frozenset(State),
    OrderFact.CHILDREN_CANCELLED: frozenset(State),
    OrderFact.PRICE_MISMATCH: frozenset({State.HELD}),
    OrderFact.NOT_FOUND: frozenset({State.SUBMITTING}),
    OrderFact.CONFIRM_FAILED: frozenset({State.RESERVED, State.PARTIALLY_CONFIRMED, State.HELD}),
}
"""Where other news changes nothing and fits all the same."""


def judge(status: OrderStatus, fact: OrderFact) -> OrderJudgement:
    """What a fact does to an order. Total: every fact has a verdict in every state."""
    state = status.state
    moved = _moved(status, fact)
    if moved is not None:
        return OrderJudgement(StateVerdict.MOVES, moved)
    if state in TERMINAL:
        return OrderJudgement(_verdict_when_over(fact), status)
    if state is State.CANCEL_PENDING and fact not in ASKED | CORE_FACTS:
        return _judge_while_cancelling(status, fact)
    return (
        _judge_progress(status, fact) if fact in PROGRESS else OrderJudgement(_verdict_elsewhere(state, fact), status)
    )


def allowed(status: OrderStatus) -> frozenset[OrderFact]:
    """The facts that move an order regularly: what an answer that is none of them is told instead."""
    return frozenset(fact for fact in OrderFact if judge(status, fact).verdict is StateVerdict.MOVES)


def _moved(status: OrderStatus, fact: OrderFact) -> OrderStatus | None:
    if fact in BACK.get(status.state, ()):
        return OrderStatus(status.before or State.RESERVED)
    following = MOVES[status.state].get(fact)
    if following is None:
        return None
    return OrderStatus(following, status.state if following in BACK else None)


def _verdict_when_over(fact: OrderFact) -> StateVerdict:
    if fact in PROGRESS:
        return StateVerdict.LATE
    return StateVerdict.NOT_ALLOWED if fact in ASKED or fact in CORE_FACTS else StateVerdict.KNOWN


def _verdict_elsewhere(state: State, fact: OrderFact) -> StateVerdict:
    if fact in ASKED or fact in CORE_FACTS:
        return StateVerdict.NOT_ALLOWED
    return StateVerdict.KNOWN if state in _NOTHING_NEW.get(fact, ()) else StateVerdict.CONTRADICTS


def _judge_while_cancelling(status: OrderStatus, fact: OrderFact) -> OrderJudgement:
    """The order goes on beneath the cancel; only its end ends the waiting too."""
    judgement = judge(OrderStatus(status.before or State.RESERVED), fact)
    beneath = judgement.status.state
    over = beneath in TERMINAL
    return OrderJudgement(
        judgement.verdict, OrderStatus(beneath) if over else OrderStatus(State.CANCEL_PENDING, beneath)
    )


def _judge_progress(status: OrderStatus, fact: OrderFact) -> OrderJudgement:
    state, stated = status.state, PROGRESS[fact]
    shipped = _STEP[stated] >= _STEP[State.IN_FULFILMENT]
    if state is State.DRAFT or (state is State.HELD and not shipped):
        return OrderJudgement(StateVerdict.CONTRADICTS, status)
    if _STEP[stated] > _STEP[state]:
        return OrderJudgement(StateVerdict.AHEAD, OrderStatus(stated))
    if fact is OrderFact.PARTIALLY_CONFIRMED and _STEP[state] > _STEP[stated]:
        return OrderJudgement(StateVerdict.CONTRADICTS, status)
    if {state, stated} == {State.DELIVERED, State.REJECTED}:
        return OrderJudgement(StateVerdict.CONTRADICTS, status)
    return OrderJudgement(StateVerdict.KNOWN, status)


def parent_state(children: Sequence[State]) -> State:
    """The state of an order by those of its children, at least one, superseded ones left out.

    Children that are over without goods count only when all are. A single child is the order itself.
    """
    if not children:
        raise ValueError("an order that was split has children")
    live = [child for child in children if child not in TERMINAL or child is State.CLOSED]
    if not live:
        return children[0] if len(set(children)) == 1 else State.CANCELLED
    if len(children) == 1 or set(live) <= {State.REJECTED} or set(live) <= {State.CANCEL_PENDING}:
        return live[0]
    return _parent_of_live(live)


def _parent_of_live(live: Sequence[State]) -> State:
    arrived = [child for child in live if child is State.CLOSED or _STEP.get(child, 0) >= _STEP[State.DELIVERED]]
    signed = [child for child in arrived if child is not State.REJECTED]
    if len(signed) == len(live):
        return State.DISPUTED if State.DISPUTED in live else min(live, key=lambda child: _STEP.get(child, 10))
    if signed or State.PARTIALLY_DELIVERED in live:
        return State.PARTIALLY_DELIVERED
    return State.IN_FULFILMENT
