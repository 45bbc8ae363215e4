"""Dead letters of pulling coming back: the question is asked again, the message read by the adapter of today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from gateway.deadletters import DeadLetterRow, Handler, Predictor, ReplayResult, refuse_patch
from gateway.pulls import queries
from gateway.pulls.pool import STAGE as POOL
from gateway.pulls.pool import Understood, ask_invoices, ask_orders, ask_rereads, understand
from gateway.pulls.reading import STAGE as PULL
from gateway.registry import Registry
from gateway.sdk.adapter import Message, PollsMessages
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import shown
from gateway.store import Connection
from gateway.suppliers import SupplierCache

ASKED_AGAIN = "requeued"
"""What follows is on its way: its outcome is that of the feed it becomes."""


class PullReplays:
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
        """Have the sku reread; a list that was not understood is reread with its whole facet."""
        refuse_patch(letter)
        if letter.sku is not None:
            await ask_rereads(connection, letter.supplier or "", [(letter.facet or "", letter.sku)])
        else:
            await connection.execute(queries.PULL_NOW, letter.supplier, [letter.facet])
        return ReplayResult(ASKED_AGAIN)

    async def predict(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """It is always asked again."""
        refuse_patch(letter)
        return ReplayResult(ASKED_AGAIN)

    async def read_again(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Read the message, and have done what follows from it."""
        result, found = await self._understood(letter)
        if found is not None:
            await ask_rereads(connection, letter.supplier or "", found.subjects)
            await ask_orders(connection, letter.supplier or "", found.orders)
            await ask_invoices(connection, letter.supplier or "", found.invoices)
        return result

    async def predict_reading(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """What `read_again` would come to."""
        result, _ = await self._understood(letter)
        return result

    async def _understood(self, letter: DeadLetterRow) -> tuple[ReplayResult, Understood | None]:
        """What the message comes to, and what it asks for. A patch has nothing else read than an original does."""
        adapter, supplier = await self._adapter(letter), letter.supplier or ""
        found = understand(adapter, [_message(letter)], supplier)
        if letters := [*found.letters, *found.unknown.values()]:
            return ReplayResult("rejected", letters[0].issues), None
        if letter.patched is None:
            return ReplayResult(ASKED_AGAIN), found
        original = understand(adapter, [_message(replace(letter, patched=None))], supplier)
        if original.letters or original.unknown:
            detail = f"The original is not understood; the patch has read anew: {_words(found.asked)}."
            return ReplayResult(ASKED_AGAIN, detail=detail), found
        if found.asked <= original.asked:
            return ReplayResult(ASKED_AGAIN), found
        issue = Issue("patch_other_key", actual=_words(found.asked), expected=_words(original.asked))
        return ReplayResult("rejected", (issue,)), None

    async def _adapter(self, letter: DeadLetterRow) -> PollsMessages:
        config = (await self._suppliers.get(letter.supplier or "")).config
        adapter = self._registry.adapter(config.adapter, config.options)
        if not isinstance(adapter, PollsMessages):
            raise InvalidMessageError(Issue("processing_failed", actual=f"adapter {config.adapter} polls no messages"))
        return cast(PollsMessages, adapter)


def _words(subjects: Iterable[tuple[str, str]]) -> str:
    return shown(", ".join(f"{subject} {name}" for subject, name in sorted(subjects)) or "nothing")


def _message(letter: DeadLetterRow) -> Message:
    """The message as it was; its type and id are the letter's key."""
    type_, _, id_ = (letter.key or b"").decode().partition(":")
    return Message(id_, type_, letter.content)
