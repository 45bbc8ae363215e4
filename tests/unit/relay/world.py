"""A relay without I/O: the pure core, a virtual clock, calls in flight, and a supplier. It checks each step by itself.

What it knows of orders it takes from the supplier's ledger and from what it did, never from the core's own facts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from gateway.calls.breaker import Breaker, CallVerdict, Permit
from gateway.calls.budget import ORDER_FLOOR, RetryBudget
from gateway.relay import commands, lanes, outcomes, policy, transitions
from gateway.relay.commands import Command, Receipt, Role
from gateway.relay.lanes import Lane
from gateway.relay.outcomes import AdapterAnswer, AttemptOutcome, LookUpOutcome, Write
from gateway.relay.policy import LOOK_UP, MOST_SPENT, Availability, LookUp, Profile
from gateway.relay.states import BUSY, ENDED, NEXT_STATES, STOPPED, State
from gateway.relay.transitions import Claim, Resolution, ResolutionRefused
from gateway.sdk.errors import RateLimitError, RejectedError, Sent, UnavailableError
from gateway.sdk.manifest import Idempotency
from tests.unit.relay.commands import LEASE_TERM, NOON, TIMEOUT, seconds
from tests.unit.relay.faults import ARRIVED, FAULTS, UNSENT, UNSURE, error
from tests.unit.relay.supplier import Supplier

SETTLE = LEASE_TERM + TIMEOUT
"""Within it whatever was noted has arrived at the supplier or never will."""

OPERATIONS = frozenset({"submit", "confirm", "cancel"})
UNTOUCHED = frozenset({State.REFUSED, State.EXPIRED, State.UNSUPPORTED, State.CANCELLED_UNSENT})
"""Ends of commands that had no effect."""


@dataclass(frozen=True, eq=False)
class Flight:
    """A call under way. command: as it was noted; found: what a look-up sees."""

    command: Command
    claim: Claim
    operation: str
    begun_at: datetime
    permit: Permit
    found: bool = False

    @property
    def looks_up(self) -> bool:
        return self.operation == LOOK_UP


class World:
    """One supplier and its owner, then its next owner."""

    def __init__(self, profile: Profile, places: int, seed: int) -> None:
        self.profile = profile
        self.places = places
        self.random = Random(seed)
        self.now = NOON
        self.epoch = 1
        self.paused = False
        self.address = "here"
        self.went: dict[str, str] = {}
        self.inbox: dict[str, Command] = {}
        self.flights: list[Flight] = []
        self.network: list[tuple[datetime, Command]] = []
        self.supplier = Supplier(profile.idempotency, profile.key_life or timedelta(days=999))
        self.breakers = defaultdict[str, Breaker](lambda: Breaker(self.random.random))
        self.budget = RetryBudget(ORDER_FLOOR)
        self.notes: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self.ambiguous: dict[str, datetime] = {}
        self.absences: defaultdict[str, list[datetime]] = defaultdict(list)
        self.asked_until: dict[str, datetime] = {}

    @property
    def clock(self) -> float:
        return (self.now - NOON).total_seconds()

    # what comes from the mall core

    def receive(self, command: Command) -> Receipt:
        receipt = commands.receive(self.inbox.get(command.command_id), command)
        if receipt is Receipt.NEW:
            self.store(commands.first_facts(command, OPERATIONS))
        return receipt

    def store(self, command: Command) -> None:
        """Every change of a row comes through here."""
        known = self.inbox.get(command.command_id)
        if known is not None and known != command:
            assert known.state not in ENDED, f"{known.state} is over"
            assert command.state in NEXT_STATES[known.state], f"{known.state} → {command.state}"
        self.inbox[command.command_id] = command

    # the shell

    def lane(self, order_no: str) -> Lane:
        mine = [command for command in self.inbox.values() if command.order_no == order_no]
        live = sorted((each for each in mine if each.state not in ENDED), key=lambda each: each.place)
        ended = [each for each in mine if each.role is Role.MAKES and each.state in ENDED]
        ordered = any(lanes.leaves_order(each) for each in ended)
        return Lane(live, ordered, submitted=min((each.place for each in ended), default=None))

    def reach(self) -> Availability:
        waits = {name: breaker.remaining(self.clock) for name, breaker in self.breakers.items()}
        shut = {name: self.now + seconds(wait) for name, wait in waits.items() if wait}
        return Availability(self.paused, shut, self.address)

    def work(self) -> None:
        steps = []
        for order_no in sorted({command.order_no for command in self.inbox.values()}):
            steps += self.planned(order_no)
        places = lanes.room(sum(command.state in BUSY for command in self.inbox.values()), self.places)
        for step in lanes.startable(steps, places, lambda: self.budget.spend(self.clock)):
            self.begin(step)

    def planned(self, order_no: str) -> list[lanes.Step]:
        while True:
            steps = lanes.plan(self.lane(order_no), self.profile, self.reach(), self.now)
            moves = [step for step in steps if isinstance(step.decision, policy.Finish | policy.Die | policy.Park)]
            for step in moves:
                self.store(transitions.carry_out(step.command, step.decision, epoch=self.epoch, now=self.now))
            if not moves:
                return list(steps)

    def begin(self, step: lanes.Step) -> None:
        operation = LOOK_UP if isinstance(step.decision, LookUp) else step.command.operation
        assert not self.paused, "called while paused"
        assert not self.breakers[operation].remaining(self.clock), "called while the breaker is open"
        permit = self.breakers[operation].admit(self.clock)
        if permit is None:
            return
        noted = transitions.carry_out(step.command, step.decision, epoch=self.epoch, now=self.now)
        if noted.command_id in self.ambiguous:
            assert self.went[noted.command_id] == self.address, "in doubt, and sent or looked up somewhere else"
        if operation != LOOK_UP:
            self.went[noted.command_id] = self.address
            self.check_send(noted)
            if noted.attempt == 1:
                self.budget.call(self.clock)
        self.store(noted)
        found = bool(self.supplier.effects(noted.command_id))
        self.flights.append(Flight(noted, transitions.claim_of(noted), operation, self.now, permit, found))
        assert sum(command.state in BUSY for command in self.inbox.values()) <= self.places, "more calls than places"

    def check_send(self, noted: Command) -> None:
        known = self.inbox[noted.command_id]
        assert known.state not in ENDED | STOPPED, f"sent though {known.state}"
        before = [each for each in self.inbox.values() if each.order_no == noted.order_no and each.place < noted.place]
        assert all(each.state in ENDED for each in before), "overtook"
        made = [each for each in before if each.role is Role.MAKES]
        assert noted.role is Role.MAKES or not made or any(map(lanes.leaves_order, made)), "about a refused order"
        assert self.now < noted.deadline, "sent past its deadline"
        assert self.now >= self.asked_until.get(noted.command_id, self.now), "sent before Retry-After"
        assert known.spent < MOST_SPENT, "sent though spent"
        notes = self.notes[noted.command_id]
        notes.append((noted.attempt, noted.idempotency_key))
        assert notes == [(index, notes[0][1]) for index in range(1, len(notes) + 1)], "attempts with gaps"
        if (since := self.ambiguous.get(noted.command_id)) is not None:
            assert self.profile.idempotency in (Idempotency.KEY, Idempotency.NATURAL), "resent blindly"
            life = self.profile.key_life
            assert life is None or self.now + SETTLE < since + life + seconds(1), "key forgotten"
        self.absences[noted.command_id].clear()

    # what becomes of calls

    def answer(self, flight: Flight, how: str) -> None:
        """The supplier, or what lies before it, answers a write."""
        self.flights.remove(flight)
        command_id = flight.command.command_id
        came_to = self.came_to(flight, how)
        refused = isinstance(came_to, RejectedError) and not came_to.operation
        if self.is_alive(flight) and how in UNSURE and not refused:
            self.ambiguous.setdefault(command_id, flight.begun_at)
        if self.is_alive(flight) and isinstance(came_to, RateLimitError):
            self.asked_until[command_id] = self.now + seconds(120)
        self.take(flight, came_to, Write(flight.command.operation, Sent.NOTHING if how in UNSENT else Sent.ALL))

    def came_to(self, flight: Flight, how: str) -> AdapterAnswer | BaseException:
        """What the adapter returns or raises, after the supplier did what it does."""
        if how == "late":
            self.send_later(flight)
        accepted = how in ARRIVED and self.supplier.take(flight.command, self.now, refuse=how == "refused")
        if fault := FAULTS.get(how):
            return fault()
        if not accepted:
            return RejectedError(supplier_code="3008")
        return AdapterAnswer("Z" if how == "foreign" else flight.command.order_no, "lines" if how == "differs" else "")

    def take(self, flight: Flight, came_to: AdapterAnswer | BaseException, write: Write) -> None:
        self.settle(flight, came_to)
        classified = outcomes.classify(came_to, write, flight.command.order_no)
        known = self.inbox[flight.command.command_id]
        taken = transitions.take_outcome(
            known,
            flight.claim,
            classified,
            self.profile,
            now=self.now,
            dice=self.random.random,
            probe=flight.permit.probe,
        )
        if taken is not None:
            assert self.is_alive(flight), "a zombie was believed"
            assert classified.outcome is AttemptOutcome.UNKNOWN or taken.spent == known.spent, "spent for nothing"
            self.store(taken)

    def answer_look_up(self, flight: Flight, found: LookUpOutcome) -> None:
        self.flights.remove(flight)
        command_id = flight.command.command_id
        if self.is_alive(flight) and found is LookUpOutcome.ABSENT:
            self.note_absence(command_id, flight.begun_at)
        self.settle(flight, error(UnavailableError, Sent.ALL) if found is LookUpOutcome.FAILED else None)
        taken = transitions.take_look_up(
            self.inbox[command_id],
            flight.claim,
            found,
            self.profile,
            asked_at=flight.begun_at,
            now=self.now,
            dice=self.random.random,
        )
        if taken is not None:
            assert self.is_alive(flight), "a zombie was believed"
            self.store(taken)

    def note_absence(self, command_id: str, asked_at: datetime) -> None:
        absences = self.absences[command_id]
        absences.append(asked_at)
        if asked_at - absences[0] >= SETTLE:
            self.ambiguous.pop(command_id, None)

    def settle(self, flight: Flight, came_to: object) -> None:
        if self.is_alive(flight):
            verdict = CallVerdict.AWAY if isinstance(came_to, UnavailableError) else CallVerdict.ANSWERED
            self.breakers[flight.operation].settle(flight.permit, verdict, self.clock)

    def is_alive(self, flight: Flight) -> bool:
        return flight.claim.epoch == self.epoch

    def send_later(self, flight: Flight) -> None:
        """It lies in the network; it arrives within the settle time."""
        left = flight.begun_at + SETTLE - self.now
        self.network.append((self.now + left * self.random.random(), flight.command))

    # what happens to processes, and what a person does

    def lose_lease(self) -> None:
        """Another process takes over; the one that was frozen may still hear of its calls, and send what it noted."""
        for flight in self.flights:
            if self.is_alive(flight) and not flight.looks_up:
                self.ambiguous.setdefault(flight.command.command_id, flight.begun_at)
        self.epoch += 1
        self.breakers.clear()
        for command in list(self.inbox.values()):
            self.store(transitions.recover(command, self.epoch, self.now))

    def crash(self) -> None:
        """The process dies; what it sent may arrive."""
        for flight in self.flights:
            if not flight.looks_up and self.random.random() < 0.5:
                self.send_later(flight)
        self.lose_lease()
        self.flights.clear()

    def resolve(self, command_id: str) -> None:
        """A person looks at the supplier and says what is there."""
        self.take_word(command_id, Resolution.DONE if self.supplier.effects(command_id) else Resolution.NOT_DONE)

    def take_word(self, command_id: str, word: Resolution) -> None:
        """A person says something of a command, true or not."""
        resolved = transitions.resolve(self.inbox[command_id], word, self.profile, self.now)
        if not isinstance(resolved, ResolutionRefused):
            self.ambiguous.pop(command_id, None)
            self.store(resolved)

    def park(self, command_id: str) -> None:
        """An operator stops a command."""
        parked = transitions.park(self.inbox[command_id])
        if not isinstance(parked, ResolutionRefused):
            self.store(parked)

    def release(self, command_id: str) -> None:
        """An operator takes that back."""
        released = transitions.release(self.inbox[command_id])
        if not isinstance(released, ResolutionRefused):
            self.store(released)

    def advance(self, by: timedelta) -> None:
        """Time passes: what lies in the network arrives, calls time out, and those of zombies end too."""
        until = self.now + by
        while True:
            ends = [(self.ends_at(flight), index) for index, flight in enumerate(self.flights)]
            arrival = min((at for at, _ in self.network), default=until)
            end, index = min(ends, default=(until, -1))
            if arrival <= min(end, until) and self.network:
                self.arrive(arrival)
            elif index >= 0 and end <= until:
                self.now = max(self.now, end)
                self.time_out(self.flights[index])
            else:
                self.now = until
                return

    def ends_at(self, flight: Flight) -> datetime:
        return flight.begun_at + (TIMEOUT if self.is_alive(flight) else SETTLE)

    def arrive(self, at: datetime) -> None:
        arriving = next(each for each in self.network if each[0] == at)
        self.network.remove(arriving)
        self.now = max(self.now, at)
        self.supplier.take(arriving[1], self.now, refuse=False)

    def time_out(self, flight: Flight) -> None:
        if flight.looks_up:
            self.answer_look_up(flight, LookUpOutcome.FAILED)
        else:
            self.answer(flight, self.random.choice(["lost_before", "lost_after"]))

    # what must hold at any time

    def check(self) -> None:
        places: defaultdict[str, list[int]] = defaultdict(list)
        for effect in self.supplier.ledger:
            places[effect.order_no].append(effect.place)
        for order_no, order in places.items():
            assert order == sorted(set(order)), f"effects of {order_no}: {order}"
        for command in self.inbox.values():
            effects = self.supplier.effects(command.command_id)
            assert command.state is not State.CONFIRMED or effects == 1, f"{command} has {effects} effects"
            assert command.state not in UNTOUCHED or not effects, f"{command} has {effects} effects"
            assert command.state is not State.EXPIRED or self.now >= command.deadline
            unsent = command.state is State.CANCELLED_UNSENT and command.role is Role.CANCELS
            assert not unsent or not any(
                effect.order_no == command.order_no and effect.role is Role.MAKES and effect.place < command.place
                for effect in self.supplier.ledger
            ), f"{command} left an order standing"

    def outage(self, how: str, length: timedelta) -> None:
        """Nobody can reach the supplier: nothing is spent, and nothing is a dead letter but what is past its time."""
        before = dict(self.inbox)
        until = self.now + length
        while self.now < until:
            self.work()
            for flight in list(self.flights):
                if flight.looks_up:
                    self.answer_look_up(flight, LookUpOutcome.FAILED)
                else:
                    self.answer(flight, how)
            self.advance(seconds(1800))
        for command_id, command in self.inbox.items():
            known = before[command_id]
            assert command.spent == known.spent, "an outage was spent"
            died = command.state is State.DEAD and known.state is not State.DEAD
            assert not died or self.now >= command.deadline or known.spent >= MOST_SPENT, "an outage killed it"

    def quiet(self) -> None:
        """Faults stop and people answer: everything ends, what had its time by being done."""
        self.paused = False
        for _ in range(200):
            self.work()
            for flight in list(self.flights):
                if flight.looks_up:
                    self.answer_look_up(flight, LookUpOutcome.FOUND if flight.found else LookUpOutcome.ABSENT)
                else:
                    self.answer(flight, "done")
            for command in list(self.inbox.values()):
                if command.state in STOPPED:
                    self.release(command.command_id)
                    self.resolve(command.command_id)
            self.check()
            if all(command.state in ENDED for command in self.inbox.values()) and not self.network:
                return
            self.advance(seconds(600))
        left = [command for command in self.inbox.values() if command.state not in ENDED]
        raise AssertionError(f"never ends: {left}")
