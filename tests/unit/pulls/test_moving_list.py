"""A list that moves while it is read, page by page: what is on sale all the time is never withdrawn.

The machine follows the order of a sweep: read the pages, ask about what they did not show, withdraw what is absent.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from gateway.feeds.versions import version_of
from gateway.feeds.withdraw import is_absent
from tests.unit.feeds.test_machine import HARD

PAGE = 2
SKUS = "ABCDEF"
CALM = settings(HARD, max_examples=40, stateful_step_count=20)
SEARCH = settings(CALM, max_examples=500, phases=[Phase.generate])


class MovingList(RuleBasedStateMachine):
    """A supplier's list, a sweep that reads it, and the feed in which each sku was seen last."""

    def __init__(self) -> None:
        super().__init__()
        self.listed = list(SKUS)
        self.number = 1
        self.seen = dict.fromkeys(SKUS, 1)
        self.begin()

    def begin(self) -> None:
        self.number += 1
        self.sweep, self.page = self.number, 0
        self.stayed = set(self.listed) & self.seen.keys()
        self.gone = self.seen.keys() - set(self.listed)

    @precondition(lambda self: bool(self.listed))
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        """A sku moves to another place of the list."""
        self.listed.remove(sku := data.draw(st.sampled_from(self.listed)))
        self.listed.insert(data.draw(st.integers(0, len(self.listed))), sku)

    @precondition(lambda self: bool(self.listed))
    @rule(data=st.data())
    def end_sale(self, data: st.DataObject) -> None:
        """A sku is sold no more; all behind it move up."""
        self.listed.remove(sku := data.draw(st.sampled_from(self.listed)))
        self.stayed.discard(sku)

    @precondition(lambda self: len(self.listed) < len(SKUS))
    @rule(data=st.data())
    def begin_sale(self, data: st.DataObject) -> None:
        """A sku comes on sale, at some place of the list."""
        sku = data.draw(st.sampled_from([sku for sku in SKUS if sku not in self.listed]))
        self.listed.insert(data.draw(st.integers(0, len(self.listed))), sku)
        self.gone.discard(sku)

    @rule()
    def read_page(self) -> None:
        """The sweep reads on; behind the last page it asks about what is missing and withdraws what is gone."""
        start = self.page * PAGE
        self.show(self.listed[start : start + PAGE])
        self.page += 1
        if start + PAGE >= len(self.listed):
            self.show(self.confirmed(self.absent()))
            self.withdraw()
            self.begin()

    def show(self, skus: Sequence[str]) -> None:
        if skus:
            self.number += 1
            self.seen |= dict.fromkeys(skus, self.number)

    def confirmed(self, skus: Sequence[str]) -> list[str]:
        """Those that the supplier, asked about each, still sells."""
        return [sku for sku in skus if sku in self.listed]

    def absent(self) -> list[str]:
        return [sku for sku, seen in self.seen.items() if is_absent(found(seen), self.sweep)]  # type: ignore[arg-type]

    def withdraw(self) -> None:
        for sku in self.absent():
            del self.seen[sku]
        assert self.stayed <= self.seen.keys()
        assert not self.gone & self.seen.keys()


def found(seen: int) -> dict[str, int | bool]:
    """An active key as withdrawing finds it, named last by a feed or page of this number."""
    return {"active": True, "seen": seen, "version": version_of(seen, 0)}


def test_what_is_on_sale_all_the_time_stays_and_what_is_gone_goes() -> None:
    run_state_machine_as_test(MovingList, settings=CALM)


def test_without_asking_a_sku_that_moves_up_a_page_is_found_to_be_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MovingList, "confirmed", lambda self, skus: [])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(MovingList, settings=SEARCH)
