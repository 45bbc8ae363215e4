"""Dead letters of pulling coming back: the question is asked again, the message read by the adapter of today."""

from __future__ import annotations

from typing import cast

from gateway.deadletters import DeadLetterRow, Handler, Predictor, ReplayResult
from gateway.registry import Registry
from gateway.sdk.adapter import Message, PollsMessages
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sessions import queries
from gateway.sessions.pool import STAGE as POOL
from gateway.sessions.pool import ask_rereads, understand
from gateway.sessions.reading import STAGE as PULL
from gateway.store import Connection
from gateway.suppliers import SupplierCache

ASKED_AGAIN = "requeued"
"""What follows is on its way: its outcome is that of the feed it becomes."""


class SessionReplays:
    """Takes dead letters of the stages `pull` and `pool` back. The supplier's owner does what they ask for."""

    def __init__(self, suppliers: SupplierCache, registry: Registry) -> None:
        self._suppliers = suppliers
        self._registry = registry

    def handlers(self) -> dict[str, Handler]:
        """What replays, by stage."""
        return {PULL: self.ask_again, POOL: self.read_again}

    def predictors(self) -> dict[str, Predictor]:
        """What foretells, by stage."""
        return {PULL: self.predict, POOL: self.predict_reading}

    async def ask_again(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Have the sku read anew; a list that was not understood is read anew with its whole facet."""
        if letter.sku is not None:
            await ask_rereads(connection, letter.supplier or "", [(letter.facet or "", letter.sku)])
        else:
            await connection.execute(queries.PULL_NOW, letter.supplier, [letter.facet])
        return ReplayResult(ASKED_AGAIN)

    async def predict(self, connection: Connection, letter: DeadLetterRow) -> str:
        """It is always asked again."""
        return ASKED_AGAIN

    async def read_again(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Read the message, and have done what follows from it."""
        understood = understand(await self._adapter(letter), [_message(letter)], letter.supplier or "")
        if letters := [*understood.letters, *understood.unknown.values()]:
            return ReplayResult("rejected", letters[0].issues)
        await ask_rereads(connection, letter.supplier or "", understood.subjects)
        return ReplayResult(ASKED_AGAIN)

    async def predict_reading(self, connection: Connection, letter: DeadLetterRow) -> str:
        """What `read_again` would come to."""
        understood = understand(await self._adapter(letter), [_message(letter)], letter.supplier or "")
        return "rejected" if understood.letters or understood.unknown else ASKED_AGAIN

    async def _adapter(self, letter: DeadLetterRow) -> PollsMessages:
        config = (await self._suppliers.get(letter.supplier or "")).config
        adapter = self._registry.adapter(config.adapter, config.options)
        if not isinstance(adapter, PollsMessages):
            raise InvalidMessageError(Issue("processing_failed", actual=f"adapter {config.adapter} polls no messages"))
        return cast(PollsMessages, adapter)


def _message(letter: DeadLetterRow) -> Message:
    """The message as it was; its type and id are the letter's key."""
    type_, _, id_ = (letter.key or b"").decode().partition(":")
    return Message(id_, type_, letter.content)
