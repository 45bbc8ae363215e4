"""One attempt at a call to a supplier: let through, sent, judged, and accounted for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from gateway.calls.breaker import CallVerdict, Permit
from gateway.calls.exchange import Observer, exchange_of
from gateway.calls.limiter import Priority
from gateway.calls.state import CallState
from gateway.outbound import AddressBlockedError, Credential, HttpLimits, Prepared, SupplierClient, prepare
from gateway.sdk.adapter import Adapter
from gateway.sdk.errors import (
    AuthError,
    ContractError,
    OutcomeUnknownError,
    RateLimitError,
    RejectedError,
    SupplierError,
    TransientError,
    UnavailableError,
)
from gateway.sdk.http import Reply, Request
from gateway.sdk.manifest import Operation
from gateway.sdk.status import may_have_taken_effect, raise_for_fault
from gateway.telemetry import metrics


class CallsEndedError(UnavailableError):
    """The supplier is called no more for now: its settings changed, or it is paused or handed over."""


class TooLateError(TransientError):
    """The time in which the call might be made is over; nothing was sent."""


@dataclass(frozen=True, slots=True)
class CallTerms:
    """How one call is made.

    suspect: that it finds the supplier away may be the fault of what it asks about alone; until: it does not leave any
    more from then on; observe: is told what went over the wire, None: nobody is.
    """

    priority: Priority
    credential: Credential | None = None
    suspect: bool = False
    until: datetime | None = None
    observe: Observer | None = None

    def refuse_when_late(self, operation: str) -> None:
        """Raise TooLateError where the time is over."""
        if self.until is not None and datetime.now(UTC) >= self.until:
            raise TooLateError(operation=operation)


FAULTS: Sequence[tuple[type[BaseException], str, CallVerdict]] = (
    (AddressBlockedError, "blocked", CallVerdict.AWAY),
    (UnavailableError, "unavailable", CallVerdict.AWAY),
    (RateLimitError, "rate_limited", CallVerdict.UNKNOWN),
    (RejectedError, "rejected", CallVerdict.ANSWERED),
    (AuthError, "auth", CallVerdict.UNKNOWN),  # a new token may do; where it does not, the breaker is tripped
    (ContractError, "contract", CallVerdict.ANSWERED),
    (OutcomeUnknownError, "unknown", CallVerdict.ANSWERED),
    (SupplierError, "failed", CallVerdict.UNKNOWN),
    (Exception, "bug", CallVerdict.UNKNOWN),
    (BaseException, "cancelled", CallVerdict.UNKNOWN),
)
"""What an attempt that raised is counted as, and what it says to the breaker; the first that fits."""


Ended: TypeAlias = Callable[[datetime, Reply | None, BaseException | None], None]
"""Told when an attempt was sent, its reply, and what was raised."""


class Attempts:
    """Attempts at calls to one supplier.

    base_url: its operations stand below it; owned: returns once the supplier is this process's, and raises
    LeaseLostError once it is another's.
    """

    def __init__(
        self,
        state: CallState,
        adapter: Adapter,
        operations: Mapping[str, Operation],
        client: SupplierClient,
        *,
        base_url: str,
        owned: Callable[[], Awaitable[None]],
    ) -> None:
        self.adapter = adapter
        self.limiter = state.limiter
        self.breakers = state.breakers
        self.retries = state.retries
        self.order_retries = state.order_retries
        self._state = state
        self._supplier = state.supplier
        self._operations = operations
        self._client = client
        self.address = f"{state.adapter} {base_url}"
        self._base_url = base_url
        self._owned = owned
        self._ending = False
        self._under_way: set[asyncio.Task[Reply]] = set()

    def operation(self, name: str) -> Operation:
        """What an operation is. Raises ValueError for one that the manifest does not name."""
        if name not in self._operations:
            raise ValueError(f"{name} is not among the operations of the manifest")
        return self._operations[name]

    def configure(self, limits: HttpLimits) -> None:
        """Take other limits over; calls under way keep the time-out that they began with."""
        self._client.limits = limits
        self._state.configure(limits)
        self._report_rate()

    async def end(self) -> None:
        """Send nothing more, and return once what was sent is answered or timed out: no call is cut off.

        Whoever waits for a turn goes on waiting; it may be cancelled then.
        """
        self._ending = True
        if self._under_way:
            await asyncio.wait(self._under_way)

    # The order of it: what cannot be sent is refused first, and an open breaker costs no wait. A turn is a place among
    # the calls under way and a token of the rate, had together, urgent calls first. However long that took, lease and
    # breaker have the last word. The status, then the adapter say what a reply is; breaker, rate and metrics are told.
    # What was sent is let end even where whoever asked is cancelled: it keeps its place until then, and its answer is
    # lost. Credentials and retries are the caller's, see `calls`: one that is repeated comes here as often.
    async def ask(self, request: Request, terms: CallTerms) -> Reply:
        """Ask once.

        Raises the SupplierError that it came to, OutcomeUnknownError where a change may have been made; LeaseLostError,
        CallsEndedError and TooLateError before anything is sent.
        """
        name = request.operation
        prepared = prepare(request, self.operation(name), self._base_url, terms.credential)
        observe = terms.observe and partial(_observe, terms, prepare(request, self.operation(name), self._base_url))
        while True:
            self._refuse_when_ending(name)
            await self.breakers.ready(name)
            async with AsyncExitStack() as turn:
                await turn.enter_async_context(self.limiter.turn(terms.priority, name))
                await self._owned()
                terms.refuse_when_late(name)
                self._refuse_when_ending(name)
                permit = self.breakers.admit(name)
                if permit is not None:
                    attempt = asyncio.create_task(
                        self._attempt(prepared, permit, turn.pop_all(), observe, suspect=terms.suspect)
                    )
                    self._under_way.add(attempt)
                    attempt.add_done_callback(self._under_way.discard)
                    return await asyncio.shield(attempt)
                self.limiter.rate.give_back()  # another call probes: it is waited for without a place

    def _refuse_when_ending(self, operation: str) -> None:
        if self._ending:
            raise CallsEndedError(operation=operation)

    async def _attempt(
        self,
        prepared: Prepared,
        permit: Permit,
        turn: AbstractAsyncContextManager[object],
        observe: Ended | None,
        *,
        suspect: bool,
    ) -> Reply:
        """turn: held until the attempt is over. Raises as `ask`."""
        async with turn:
            try:
                return await self._settled(prepared, permit, observe, suspect=suspect)
            except UnavailableError as error:
                if self.operation(prepared.operation).reads or not may_have_taken_effect(error):
                    raise
                raise _unknown(error) from error

    async def _settled(self, prepared: Prepared, permit: Permit, observe: Ended | None, *, suspect: bool) -> Reply:
        verdict, reason = CallVerdict.ANSWERED, ""
        try:
            return await self._counted(prepared, observe)
        except BaseException as error:
            verdict, reason = _row(error)[2], self._reason(prepared.operation, error)
            if isinstance(error, SupplierError):
                error.probe = permit.probe
            if suspect and verdict is CallVerdict.AWAY:
                verdict = CallVerdict.UNKNOWN
            raise
        finally:
            self.breakers.settle(prepared.operation, permit, verdict, reason)

    def _reason(self, operation: str, error: BaseException) -> str:
        """Why a breaker may open, for operators. A supplier's words may name people, those about a read of an order
        too: what it is, and its code, say enough.
        """
        code, status = getattr(error, "supplier_code", ""), getattr(error, "status", None)
        if self.operation(operation).reads and not code and status is None:
            return str(error)  # the supplier said nothing
        kind = (type(error).__doc__ or type(error).__name__).split("\n", 1)[0]
        return f"{kind} (code {code})" if code else f"{kind} (status {status})" if status is not None else kind

    async def _counted(self, prepared: Prepared, observe: Ended | None) -> Reply:
        sent_at, outcome = time.monotonic(), "answered"
        try:
            reply = await self._sent(prepared, observe)
            await asyncio.sleep(0)  # whoever asked reads it once more: a long one in a turn of the loop of its own
        except BaseException as error:
            outcome = _row(error)[1]
            if isinstance(error, SupplierError):
                error.operation = error.operation or prepared.operation
            if isinstance(error, RateLimitError):
                self.limiter.rate.refused(time.monotonic(), sent_at, error.retry_after)
            raise
        else:
            now = time.monotonic()
            self.limiter.rate.answered(now, now - sent_at)
            return reply
        finally:
            self._report_rate()
            labels = {"supplier": self._supplier, "operation": prepared.operation, "outcome": outcome}
            metrics.supplier_calls_total.labels(**labels).inc()

    async def _sent(self, prepared: Prepared, observe: Ended | None) -> Reply:
        """Send, and judge the reply; whoever observes is told of both."""
        began, reply, fault = datetime.now(UTC), None, None
        try:
            reply = await self._client.send(prepared)
            self._judge(reply)
        except BaseException as error:
            fault = error
            raise
        finally:
            if observe is not None:
                observe(began, reply, fault)
        return reply

    def _judge(self, reply: Reply) -> None:
        try:
            raise_for_fault(reply, self.adapter.judge, datetime.now(UTC))
        except SupplierError as error:
            error.status = error.status or reply.status
            if isinstance(error, ContractError):
                error.reply = error.reply or reply.body
            raise

    def _report_rate(self) -> None:
        metrics.supplier_rate.labels(supplier=self._supplier).set(self.limiter.rate.current)


def _observe(
    terms: CallTerms, request: Prepared, began: datetime, reply: Reply | None, fault: BaseException | None
) -> None:
    if terms.observe is not None:
        terms.observe(exchange_of(request, terms.credential, (began, datetime.now(UTC)), reply, fault))


def _unknown(error: UnavailableError) -> OutcomeUnknownError:
    unknown = OutcomeUnknownError(
        f"{OutcomeUnknownError()} ({error})",
        operation=error.operation,
        supplier_code=error.supplier_code,
        status=error.status,
    )
    unknown.sent, unknown.probe = error.sent, error.probe
    return unknown


def _row(error: BaseException) -> tuple[type[BaseException], str, CallVerdict]:
    return next(row for row in FAULTS if isinstance(error, row[0]))
