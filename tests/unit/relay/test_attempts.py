"""Whatever ends a call of an adapter is what the call came to; only its owner's own cancelling passes."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from gateway.relay.attempts import AttemptResult, LookUpResult, attempt, look_up
from gateway.relay.outcomes import AttemptOutcome, LookUpOutcome, classify, classify_look_up
from gateway.sdk.adapter import Adapter
from gateway.sdk.http import Http, Reply, Request
from gateway.sdk.orders import SupplierOrder
from schemas.orders import Operation, SubmitOrder
from schemas.orders.examples import COMMAND_EXAMPLES

SUBMIT = COMMAND_EXAMPLES[Operation.SUBMIT]


class Waiting:
    """A supplier whose every answer is waited for, on one and the same future."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answer = asyncio.get_running_loop().create_future()

    async def call(self, request: Request) -> Reply:
        self.asked.set()
        reply: Reply = await self.answer
        return reply

    async def submit_order(self, http: Http, order: SubmitOrder) -> SupplierOrder:
        await http.call(Request("submit_order"))
        raise AssertionError("it was answered")

    async def find_order(self, http: Http, order_no: str) -> SupplierOrder | None:
        await http.call(Request("find_order"))
        raise AssertionError("it was answered")

    async def write(self) -> AttemptResult:
        return await attempt(cast(Adapter, self), self, "submit_order", SUBMIT, None)

    async def read(self) -> LookUpResult:
        return await look_up(cast(Adapter, self), self, SUBMIT, None)


async def test_what_waits_for_something_that_is_cancelled_may_have_happened() -> None:
    supplier = Waiting()
    supplier.answer.cancel()
    came = await supplier.write()
    assert isinstance(came.answer, asyncio.CancelledError)
    assert classify(came.answer, came.write, SUBMIT.order_no).outcome is AttemptOutcome.UNKNOWN
    assert classify_look_up((await supplier.read()).answer, SUBMIT.order_no) is LookUpOutcome.FAILED


@pytest.mark.parametrize("writes", [True, False])
async def test_a_call_that_its_owner_cancels_ends_by_that(writes: bool) -> None:
    supplier = Waiting()
    call = asyncio.create_task(supplier.write() if writes else supplier.read())
    await supplier.asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
