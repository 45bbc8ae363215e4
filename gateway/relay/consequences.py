"""What a turn of the relay comes to beside the commands that it moves: steps, news, dead letters.

They are written together at the end of the turn. Orders are locked after commands, by everybody; and a turn of many
answers costs no more statements than one of a single answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.relay.asked import note_cancelled_children
from gateway.relay.flights import Flight, Landed, begun_step, landed_step, letter_of, settled_step
from gateway.relay.orders import News, tell
from gateway.relay.steps import Step, write_steps
from gateway.relay.store import Asked
from gateway.relay.telling import End, cancelled_children, news_of, sent_news
from gateway.relay.turn import Move
from gateway.store import Connection
from gateway.suppliers import SecretBox


@dataclass(slots=True)
class Consequences:
    """Of one turn, in the order in which they came."""

    steps: list[Step] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def numbers(self) -> Mapping[str, str]:
        """The supplier's numbers of orders that were learnt in this turn."""
        return {each.order_no: each.supplier_order_no for each in self.news if each.supplier_order_no is not None}

    def add_landed(self, landed: Landed) -> None:
        """A call is over, and its command was still as it stood when the call began."""
        if landed.after is None:
            return
        self.steps.append(landed_step(landed, landed.after))
        self.news += [] if landed.news is None else [landed.news]
        self._add_letter(letter_of(landed.after))

    def add_move(self, move: Move, asked: Asked, now: datetime) -> None:
        """A command ended or stopped without a call. What is not alone says nothing of where its order stands."""
        self.steps.append(settled_step(move.now))
        if not move.was.attempt and move.alone:
            self.news.append(sent_news(asked.command))
        told = news_of(asked.command, move.was.state, move.now, End(), now)
        if told is not None:
            fact = told.fact if move.alone or move.was.attempt else None
            self.news.append(replace(told, fact=fact, traceparent=asked.traceparent))
        self._add_letter(letter_of(move.now))

    def add_begun(self, flight: Flight, call: str) -> None:
        """A call was noted."""
        self.steps.append(begun_step(flight, call))
        if flight.command.attempt == 1 and not flight.looks_up:
            self.news.append(sent_news(flight.asked))

    async def write(self, connection: Connection, box: SecretBox, supplier: str) -> None:
        """Keep and tell everything, in the transaction of the turn."""
        await write_steps(connection, box, self.steps)
        await tell(connection, box, self.news)
        if children := [child for each in self.news for child in cancelled_children(each)]:
            await note_cancelled_children(connection, supplier, children)
        await record_letters(connection, self.letters)

    def _add_letter(self, letter: DeadLetter | None) -> None:
        if letter is not None:
            self.letters.append(letter)
