"""One attempt at a call to a supplier: let through, sent, judged, and accounted for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from gateway.outbound import AddressBlockedError, Credential, Prepared, SupplierClient, prepare
from gateway.sdk.adapter import Adapter
from gateway.sdk.errors import (
    AuthError,
    ContractError,
    OutcomeUnknownError,
    RateLimitError,
    RejectedError,
    SupplierError,
    UnavailableError,
)
from gateway.sdk.http import Reply, Request
from gateway.sdk.manifest import Operation
from gateway.sdk.status import raise_for_fault
from gateway.sessions.breaker import Permit, Verdict
from gateway.sessions.breakers import Breakers
from gateway.sessions.limiter import Limiter, Priority
from gateway.store import LeaseLostError
from gateway.telemetry import metrics

FAULTS: Sequence[tuple[type[BaseException], str, Verdict]] = (
    (AddressBlockedError, "blocked", Verdict.AWAY),
    (UnavailableError, "unavailable", Verdict.AWAY),
    (RateLimitError, "rate_limited", Verdict.UNKNOWN),
    (RejectedError, "rejected", Verdict.ANSWERED),
    (AuthError, "auth", Verdict.UNKNOWN),  # a new token may do; where it does not, the breaker is tripped
    (ContractError, "contract", Verdict.ANSWERED),
    (OutcomeUnknownError, "unknown", Verdict.ANSWERED),
    (SupplierError, "failed", Verdict.UNKNOWN),
    (Exception, "bug", Verdict.UNKNOWN),
    (BaseException, "cancelled", Verdict.UNKNOWN),
)
"""What an attempt that raised is counted as, and what it says to the breaker; the first that fits."""


class Attempts:
    """Attempts at calls to one supplier.

    base_url: its operations stand below it; owned: whether the supplier is still this process's.
    """

    def __init__(
        self,
        supplier: str,
        adapter: Adapter,
        operations: Mapping[str, Operation],
        client: SupplierClient,
        *,
        base_url: str,
        limiter: Limiter,
        breakers: Breakers,
        owned: Callable[[], bool],
    ) -> None:
        self.limiter = limiter
        self.breakers = breakers
        self._supplier = supplier
        self._adapter = adapter
        self._operations = operations
        self._client = client
        self._base_url = base_url
        self._owned = owned
        self._tell_rate()

    def operation(self, name: str) -> Operation:
        """What an operation is. Raises ValueError for one that the manifest does not name."""
        if name not in self._operations:
            raise ValueError(f"{name} is not among the operations of the manifest")
        return self._operations[name]

    # The order of it: what cannot be sent is refused first, and an open breaker costs no wait. A turn is a place among
    # the calls under way and a token of the rate, had together, urgent calls first. However long that took, lease and
    # breaker have the last word. The status, then the adapter say what a reply is; breaker, rate and metrics are told.
    # Credentials and retries are the caller's, see `calls`: one that is repeated comes here as often.
    async def ask(
        self, request: Request, priority: Priority, credential: Credential | None = None, *, suspect: bool = False
    ) -> Reply:
        """Ask once. suspect: that it finds the supplier away may be the fault of what it asks about alone.

        Raises the SupplierError that it came to, and LeaseLostError before anything is sent.
        """
        name = request.operation
        prepared = prepare(request, self.operation(name), self._base_url, credential)
        while True:
            await self.breakers.ready(name)
            async with self.limiter.turn(priority, name):
                if not self._owned():
                    raise LeaseLostError(f"supplier {self._supplier} was lost")
                permit = self.breakers.admit(name)
                if permit is not None:
                    return await self._settled(prepared, permit, suspect=suspect)
                self.limiter.rate.give_back()  # another call probes: it is waited for without a place

    async def _settled(self, prepared: Prepared, permit: Permit, *, suspect: bool) -> Reply:
        verdict, reason = Verdict.ANSWERED, ""
        try:
            return await self._counted(prepared)
        except BaseException as error:
            verdict, reason = _row(error)[2], str(error)
            if suspect and verdict is Verdict.AWAY:
                verdict = Verdict.UNKNOWN
            raise
        finally:
            self.breakers.settle(prepared.operation, permit, verdict, reason)

    async def _counted(self, prepared: Prepared) -> Reply:
        sent_at, outcome = time.monotonic(), "answered"
        try:
            reply = await self._client.send(prepared)
            self._judge(reply)
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
            self._tell_rate()
            labels = {"supplier": self._supplier, "operation": prepared.operation, "outcome": outcome}
            metrics.supplier_calls_total.labels(**labels).inc()

    def _judge(self, reply: Reply) -> None:
        try:
            raise_for_fault(reply, self._adapter.judge, datetime.now(UTC))
        except SupplierError as error:
            error.status = error.status or reply.status
            if isinstance(error, ContractError):
                error.reply = error.reply or reply.body
            raise

    def _tell_rate(self) -> None:
        metrics.supplier_rate.labels(supplier=self._supplier).set(self.limiter.rate.current)

    def close(self) -> None:
        """The supplier is another process's now: this one says no more of it."""
        metrics.supplier_rate.remove(self._supplier)
        self.breakers.close()


def _row(error: BaseException) -> tuple[type[BaseException], str, Verdict]:
    return next(row for row in FAULTS if isinstance(error, row[0]))
