"""Where an application for invoices stands, and what an answer or a message does to it.

    draft ► requested ► partly_issued ► issued ► mailed ► red
                │                 └────────┴───────┴────► voided
                └► refused         held: what was made out does not add up, until it does

`MOVES` has every regular move. As with orders, news of something further on holds and lets the application be asked
for again, news of something behind changes nothing, and out of a terminal state no news of success leads: it is for a
person to see.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.orders.invoices import InvoiceState
from schemas.orders.states import StateVerdict

_S = InvoiceState

TERMINAL = frozenset({_S.VOIDED, _S.REFUSED})
"""Out of these no news leads; one that was refused may be applied for again."""

MOVES: Mapping[InvoiceState, frozenset[InvoiceState]] = {
    _S.DRAFT: frozenset({_S.REQUESTED, _S.REFUSED}),
    _S.REQUESTED: frozenset({_S.PARTLY_ISSUED, _S.ISSUED, _S.REFUSED, _S.HELD}),
    _S.PARTLY_ISSUED: frozenset({_S.PARTLY_ISSUED, _S.ISSUED, _S.VOIDED, _S.RED, _S.HELD}),
    _S.ISSUED: frozenset({_S.MAILED, _S.VOIDED, _S.RED, _S.HELD}),
    _S.MAILED: frozenset({_S.VOIDED, _S.RED, _S.HELD}),
    _S.RED: frozenset({_S.RED, _S.VOIDED, _S.HELD}),
    _S.HELD: frozenset({_S.PARTLY_ISSUED, _S.ISSUED, _S.MAILED, _S.RED, _S.VOIDED, _S.REFUSED, _S.HELD}),
    _S.VOIDED: frozenset(),
    _S.REFUSED: frozenset({_S.REQUESTED}),
}
"""Every regular move: from where, to which states."""

_STEP: Mapping[InvoiceState, int] = {
    _S.DRAFT: 0,
    _S.REQUESTED: 1,
    _S.HELD: 1,
    _S.PARTLY_ISSUED: 2,
    _S.ISSUED: 3,
    _S.MAILED: 4,
    _S.RED: 5,
    _S.VOIDED: 6,
}
"""How far on a state is; one that was refused is on no way."""


@dataclass(frozen=True, slots=True)
class InvoiceJudgement:
    """What news does to an application. state: where it stands then."""

    verdict: StateVerdict
    state: InvoiceState

    @property
    def holds(self) -> bool:
        """Whether it is so from now on, and the core is told."""
        return self.verdict in (StateVerdict.MOVES, StateVerdict.AHEAD)


def judge_invoice(state: InvoiceState, stated: InvoiceState) -> InvoiceJudgement:
    """What it is to an application to be told that it stands there. Total: every pair has a verdict."""
    if stated in MOVES[state]:
        return InvoiceJudgement(StateVerdict.MOVES, stated)
    if stated is state or stated is _S.DRAFT:
        return InvoiceJudgement(StateVerdict.KNOWN, state)
    if state in TERMINAL:
        return InvoiceJudgement(
            StateVerdict.KNOWN if stated in (_S.REFUSED, _S.REQUESTED) else StateVerdict.LATE, state
        )
    if stated is _S.REFUSED:
        return InvoiceJudgement(StateVerdict.CONTRADICTS, state)
    if _STEP[stated] > _STEP[state]:
        return InvoiceJudgement(StateVerdict.AHEAD, stated)
    return InvoiceJudgement(StateVerdict.KNOWN, state)
