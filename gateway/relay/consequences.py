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
from gateway.relay.after_sales import open_services
from gateway.relay.command_events import CommandEnd, cancelled_children, news_of, sent_news
from gateway.relay.commands import Origin
from gateway.relay.ends import ending_news
from gateway.relay.orders import News, publish_news
from gateway.relay.reread_store import note_cancelled_children
from gateway.relay.started_calls import CallResult, StartedCall, letter_of, result_step, settled_step, started_step
from gateway.relay.states import ENDED
from gateway.relay.steps import Step, exchange_step
from gateway.relay.store import OpenedCommand
from gateway.relay.turn import Move
from gateway.store import Connection
from gateway.suppliers import SecretBox
from schemas.orders import AfterSaleCommand


@dataclass(slots=True)
class Consequences:
    """Of one turn, in the order in which they came."""

    steps: list[Step] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    services: list[AfterSaleCommand] = field(default_factory=list)

    @property
    def numbers(self) -> Mapping[str, str]:
        """The supplier's numbers of orders that were learnt in this turn."""
        return {each.order_no: each.supplier_order_no for each in self.news if each.supplier_order_no is not None}

    def add_exchanges(self, call: StartedCall) -> None:
        """A call is over: what went over the wire is kept, whoever has its command now."""
        command = call.command
        self.steps += [
            exchange_step(command.supplier, command.order_no, command.command_id, each) for each in call.exchanges
        ]

    def add_result(self, result: CallResult) -> None:
        """A call is over, and its command was still as it stood when the call began."""
        if result.after is None:
            return
        self.steps.append(result_step(result, result.after))
        self.news += [] if result.news is None else [result.news]
        self._add_letter(letter_of(result.after))

    def add_move(self, move: Move, asked: OpenedCommand, now: datetime) -> None:
        """A command ended or stopped without a call. What is not alone says nothing of where its order stands."""
        self.steps.append(settled_step(move.now))
        if move.now.state in ENDED:
            origin = Origin(asked.command.tenant, asked.traceparent)
            self.news += ending_news(move.now, origin, now, alone=move.alone, asked=asked.command)
        elif (news := news_of(asked.command, move.was.state, move.now, CommandEnd(), now)) is not None:
            self.news.append(replace(news, traceparent=asked.traceparent))
        self._add_letter(letter_of(move.now))

    def add_started(self, call: StartedCall, operation: str) -> None:
        """A call was noted."""
        self.steps.append(started_step(call, operation))
        if call.command.attempt == 1 and not call.looks_up:
            self.news.append(sent_news(call.asked))
            if isinstance(call.asked, AfterSaleCommand):
                self.services.append(call.asked)

    async def write(self, connection: Connection, box: SecretBox, supplier: str) -> None:
        """Keep and tell everything, in the transaction of the turn."""
        await publish_news(connection, box, self.news, steps=self.steps)
        await open_services(connection, self.services)
        if children := [(each.order_no, child) for each in self.news for child in cancelled_children(each)]:
            await note_cancelled_children(connection, supplier, children)
        await record_letters(connection, self.letters)

    def _add_letter(self, letter: DeadLetter | None) -> None:
        if letter is not None:
            self.letters.append(letter)
