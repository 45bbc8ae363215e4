"""Readings of orders that move at random, in order, repeated and out of order, against a model that knows all facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway.relay import readings
from gateway.relay.orders import Judged
from gateway.relay.readings import GONE, StoredOrder
from gateway.sdk.orders import OrderTree, Progress, Standing, Track
from schemas.orders import State
from schemas.orders.events import SupplierMessage
from schemas.orders.payloads import Tracked
from tests.unit.relay.readings import child, known, order, read, stated, track

WAITING, SENT, SIGNED, BACK = Progress.NOT_SHIPPED, Progress.SHIPPED, Progress.DELIVERED, Progress.REJECTED
ENDED = {SIGNED: "shipment.delivered", BACK: "shipment.rejected"}


@dataclass
class Leaf:
    """What bears goods at the supplier."""

    progress: Progress = WAITING
    cancelled: bool = False
    parcels: int = 0
    steps: int = 0


@dataclass
class Supplier:
    """An order as its supplier has it."""

    reserved: bool = False
    leaves: dict[str, Leaf] = field(default_factory=lambda: {"100": Leaf()})
    next_number: int = 1

    @property
    def split(self) -> bool:
        return "100" not in self.leaves

    def tree(self) -> OrderTree:
        if not self.split:
            leaf = self.leaves["100"]
            standing = Standing.RESERVED if self.reserved else Standing.PLACED
            return OrderTree(order("100", Standing.CANCELLED if leaf.cancelled else standing, progress=leaf.progress))
        children = tuple(
            child(number, leaf.progress, standing=Standing.CANCELLED if leaf.cancelled else Standing.PLACED)
            for number, leaf in self.leaves.items()
        )
        return OrderTree(order("100", stated=stated(len(children))), children)

    def tracks(self) -> dict[str, Track]:
        return {
            number: track(
                *(f"step {step} of {number}" for step in range(leaf.steps)),
                waybills=[f"W{number}-{parcel}" for parcel in range(leaf.parcels)],
            )
            for number, leaf in self.leaves.items()
        }


Snapshot = tuple[OrderTree, dict[str, Track]]


class Histories(RuleBasedStateMachine):
    """The supplier moves its order, and what it shows is read: mostly as it is, at times as it was."""

    def __init__(self) -> None:
        super().__init__()
        self.supplier = Supplier()
        self.known: StoredOrder = known()
        self.snapshots: list[Snapshot] = []
        self.told: list[tuple[str, ...]] = []
        self.sets: list[tuple[str, ...]] = []
        self.readings = 0

    @initialize(reserved=st.booleans())
    def begin(self, reserved: bool) -> None:
        self.supplier.reserved = reserved
        self.known = known(State.RESERVED if reserved else State.CONFIRMED)

    def open(self) -> list[str]:
        return [n for n, leaf in self.supplier.leaves.items() if not leaf.cancelled and leaf.progress not in ENDED]

    @precondition(lambda self: self.supplier.reserved and self.open())
    @rule()
    def confirm(self) -> None:
        self.supplier.reserved = False

    @precondition(lambda self: not self.supplier.reserved and self.open() and len(self.supplier.leaves) < 6)
    @rule(data=st.data(), into=st.integers(1, 3))
    def split(self, data: st.DataObject, into: int) -> None:
        """An order, or one of its children, becomes several others."""
        supplier = self.supplier
        replaced = data.draw(st.sampled_from(self.open()))
        assume(supplier.leaves[replaced].progress is WAITING)
        del supplier.leaves[replaced]
        for _ in range(into):
            supplier.leaves[str(supplier.next_number)] = Leaf()
            supplier.next_number += 1

    @precondition(lambda self: not self.supplier.reserved and self.open())
    @rule(data=st.data(), to=st.sampled_from([SENT, SIGNED, BACK]))
    def move(self, data: st.DataObject, to: Progress) -> None:
        self.supplier.leaves[data.draw(st.sampled_from(self.open()))].progress = to

    @precondition(lambda self: self.open())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        leaf = self.supplier.leaves[data.draw(st.sampled_from(self.open()))]
        assume(leaf.progress is WAITING)
        leaf.cancelled = True

    @precondition(lambda self: not self.supplier.reserved)
    @rule(data=st.data(), parcels=st.integers(0, 2), steps=st.integers(0, 3))
    def carry(self, data: st.DataObject, parcels: int, steps: int) -> None:
        leaf = self.supplier.leaves[data.draw(st.sampled_from(sorted(self.supplier.leaves)))]
        leaf.parcels = max(leaf.parcels, parcels)
        leaf.steps += steps

    @rule()
    def look(self) -> None:
        """The order is read as it is; the same reading again tells nothing."""
        snapshot = self.supplier.tree(), self.supplier.tracks()
        self.snapshots.append(snapshot)
        self.take(snapshot)
        before = self.known
        assert self.take(snapshot) == []
        assert self.known == before

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        """A reading comes late, and out of order."""
        self.take(data.draw(st.sampled_from(self.snapshots)))

    def take(self, snapshot: Snapshot) -> Sequence[Judged]:
        over = self.known.order.status.state in GONE
        self.readings += 1
        message = SupplierMessage(type="5", id=str(self.readings))
        after, judged = read(self.known, *snapshot, cause=message)
        if over:
            assert after.order.status == self.known.order.status
            assert not [each for each in judged if not each.late and each.news.fact is not None]
        self.known = after
        for each in judged:
            self.tell(each)
        return judged

    def tell(self, judged: Judged) -> None:
        event = judged.news.event
        assert event is not None
        payload: Any = event.payload
        if event.event == "order.split":
            numbers = tuple(sorted(each.supplier_order_no for each in payload.children))
            assert self.sets[-1:] != [numbers]
            self.sets.append(numbers)
            return
        if isinstance(payload, Tracked):
            self.told += [(event.event, payload.delivery_no, step.text) for step in payload.steps]
            return
        if event.event == "order.cancelled":
            self.told += [(event.event, number) for number in payload.children or ("100",)]
            return
        number = getattr(payload, "delivery_no", "100")
        self.told.append((event.event, number, str(getattr(payload, "waybill", ""))))

    @invariant()
    def every_fact_is_told_once(self) -> None:
        assert [each for each, times in Counter(self.told).items() if times > 1] == []

    def teardown(self) -> None:
        """After a last look all is told that is so, and the order stands where its goods are."""
        self.look()
        self.look()
        told = {each[:2] for each in self.told}
        live = self.known.order.status.state not in GONE
        for number, leaf in self.supplier.leaves.items():
            if leaf.progress in (SENT, SIGNED, BACK):
                assert ("shipment.created", number) in told
            if leaf.progress in ENDED:
                assert (ENDED[leaf.progress], number) in told
            if leaf.cancelled and live and self.supplier.split:
                assert ("order.cancelled", number) in told
        if self.supplier.split:
            assert self.sets[-1] == tuple(sorted(self.supplier.leaves))
        if all(leaf.cancelled for leaf in self.supplier.leaves.values()):
            assert not live or self.arrived(self.known.order.status.state)
        elif live and all(leaf.cancelled or leaf.progress is SIGNED for leaf in self.supplier.leaves.values()):
            assert self.known.order.status.state is State.DELIVERED

    @staticmethod
    def arrived(state: State) -> bool:
        return state in (State.PARTIALLY_DELIVERED, State.DELIVERED, State.REJECTED)


BUDGET = settings(max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_any_history_is_told_once_and_ends_where_the_goods_are():
    run_state_machine_as_test(Histories, settings=BUDGET)


def _forgets_children(comparison: readings._Comparison) -> None:
    comparison.numbers = {n: replace(each, superseded=False) for n, each in comparison.numbers.items()}


def _forgets_what_was_told(comparison: readings._Comparison) -> None:
    comparison.numbers = {n: replace(each, reported=frozenset()) for n, each in comparison.numbers.items()}


MUTANTS: Iterable[Callable[[readings._Comparison], None]] = (_forgets_children, _forgets_what_was_told)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.__name__)
def test_a_comparison_with_a_bug_is_found_out(
    mutant: Callable[[readings._Comparison], None], monkeypatch: pytest.MonkeyPatch
):
    sound = readings._Comparison.all

    def all_with_a_bug(comparison: readings._Comparison) -> None:
        mutant(comparison)
        sound(comparison)

    monkeypatch.setattr(readings._Comparison, "all", all_with_a_bug)
    searched = settings(BUDGET, max_examples=300, phases=(Phase.generate,), database=None)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Histories, settings=searched)
