"""An `Http` that answers from a golden case, as the gateway would hand the answers on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.sdk.errors import SupplierError, UnavailableError
from gateway.sdk.http import Reply, Request
from gateway.sdk.status import raise_for_fault
from gateway.sdk.testing.calls import CaseExchange, CaseReply, CaseRequest, case_request

MANY = 1_000
"""Requests, after which an adapter is taken to go on for ever."""

Answer = CaseReply | SupplierError
"""What a call ends with: a reply, or what the gateway found on the way."""


class EndlessError(BaseException):
    """The adapter asks on and on; no `except Exception` of it stops this."""


def _same(expected: CaseRequest, asked: CaseRequest) -> bool:
    return expected == asked


@dataclass(slots=True)
class RecordedHttp:
    """Answers each request of a case once, in whatever order they come.

    judge: the adapter's; answers: replies in place of the recorded ones, by their index; alike: which request is taken
    for which; reverse: requests under way at once are answered last first.

    asked: every request made; strayed: those for which nothing was left.
    """

    exchanges: Sequence[CaseExchange]
    judge: Callable[[Reply], None]
    answers: dict[int, Answer] = field(default_factory=dict)
    alike: Callable[[CaseRequest, CaseRequest], bool] = _same
    reverse: bool = False
    asked: list[Request] = field(default_factory=list)
    strayed: list[CaseRequest] = field(default_factory=list)
    used: set[int] = field(default_factory=set)

    async def call(self, request: Request) -> Reply:
        """As `Http.call`: raises what a reply amounts to; UnavailableError where nothing was recorded."""
        self.asked.append(request)
        if len(self.asked) > MANY:
            raise EndlessError
        index = self._match(request)
        for _ in range(self._turns()):
            await asyncio.sleep(0)
        if index is None:
            raise UnavailableError("Nothing is recorded for this request.", operation=request.operation)
        answer = self.answers.get(index, self.exchanges[index].reply)
        if isinstance(answer, SupplierError):
            raise answer
        reply = answer.reply(request.operation)
        raise_for_fault(reply, self.judge)
        return reply

    @property
    def unused(self) -> list[CaseRequest]:
        """Recorded requests that were not made."""
        return [each.request for index, each in enumerate(self.exchanges) if index not in self.used]

    def _match(self, request: Request) -> int | None:
        """The index of the recorded exchange that answers, marked as used."""
        asked = case_request(request)
        for index, each in enumerate(self.exchanges):
            if index not in self.used and self.alike(each.request, asked):
                self.used.add(index)
                return index
        self.strayed.append(asked)
        return None

    def _turns(self) -> int:
        """How often others may go first: at least once, as with any real call."""
        return 1 + 2 * max(len(self.exchanges) - len(self.asked), 0) if self.reverse else 1
