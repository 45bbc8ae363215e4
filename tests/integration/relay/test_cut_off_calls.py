"""A call that is cut off while its supplier stays owned: its order goes on, and the work of the owner can end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import cast

import pytest

from gateway.calls.budget import ORDER_FLOOR, RetryBudget
from gateway.calls.calls import Calls, CallStatus
from gateway.calls.exchange import Observer
from gateway.registry import Registry
from gateway.relay.context import RelayContext
from gateway.relay.inbox import Inbox
from gateway.relay.relay import Relay
from gateway.sdk.adapter import Adapter, Options
from gateway.sdk.http import Http, Reply, Request
from gateway.sdk.manifest import Idempotency
from gateway.sdk.orders import Standing, SupplierOrder
from gateway.store import Lease, Pool
from gateway.suppliers import State, Supplier, SupplierConfig, Suppliers, lease_of
from schemas.orders import SubmitOrder
from schemas.orders.examples import SUPPLIER
from schemas.orders.parts import StatedLine
from schemas.orders.payloads import StatedOrder
from tests.eventually import eventually
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]

SUBMIT, LOOK_UP = "submit_order", "select_jd_order_id_by_third_order"


class Line:
    """The way to a supplier: these calls are cut off, once each, as what they wait for is cancelled. asked: in turn."""

    def __init__(self, *cut_off: str) -> None:
        self.cut_off = set(cut_off)
        self.order_retries = RetryBudget(ORDER_FLOOR)
        self.asked: list[str] = []

    address = "jd_vop https://api.example.com"

    def until(self, _: datetime) -> Line:
        return self

    def observed(self, _: Observer) -> Line:
        return self

    def status(self) -> CallStatus:
        return CallStatus(1.0, 1.0, 0, {})

    async def call(self, request: Request) -> Reply:
        self.asked.append(request.operation)
        if request.operation in self.cut_off:
            self.cut_off.remove(request.operation)
            answer = asyncio.get_running_loop().create_future()
            answer.cancel()
            await answer
        return Reply(request.operation, 200, {}, b"")


class Willing(Adapter):
    """Its supplier takes every order as it is, whether its answer arrives or not."""

    def __init__(self) -> None:
        super().__init__(Options())
        self.orders: dict[str, SupplierOrder] = {}

    async def submit_order(self, http: Http, order: SubmitOrder) -> SupplierOrder:
        goods = order.payload
        lines = tuple(
            StatedLine(line_no=each.line_no, sku=each.sku, quantity=each.quantity, price=each.price)
            for each in goods.lines
        )
        stated = StatedOrder(lines=lines, totals=goods.totals, price_basis=goods.price_basis)
        taken = self.orders[order.order_no] = SupplierOrder("JD-1", Standing.RESERVED, stated)
        await http.call(Request(SUBMIT))
        return taken

    async def find_order(self, http: Http, order_no: str) -> SupplierOrder | None:
        await http.call(Request(LOOK_UP))
        return self.orders.get(order_no)


async def owned_supplier(pool: Pool) -> tuple[Lease, Supplier]:
    """A supplier with orders whose lease is ours."""
    row = {"supplier": SUPPLIER, "name": "Acme", "adapter": "jd_vop", "facets": ["price"]}
    config = SupplierConfig.model_validate(row)
    await Suppliers(pool, BOX).apply([config], "tests")
    lease = Lease(pool, lease_of(SUPPLIER), "tests")
    assert await lease.take()
    return lease, Supplier(SUPPLIER, 1, State.ACTIVE, config)


@pytest.mark.parametrize(
    ("idempotency", "cut_off", "asked"),
    [
        (Idempotency.NATURAL, [SUBMIT], [SUBMIT, SUBMIT]),
        (Idempotency.QUERY, [SUBMIT], [SUBMIT, LOOK_UP]),
        (Idempotency.QUERY, [SUBMIT, LOOK_UP], [SUBMIT, LOOK_UP, LOOK_UP]),
    ],
)
async def test_an_order_whose_call_is_cut_off_goes_on_under_the_same_owner(
    inbox: Inbox, pool: Pool, idempotency: Idempotency, cut_off: list[str], asked: list[str]
) -> None:
    desk, line, draining = Desk(pool, inbox), Line(*cut_off), asyncio.Event()
    manifest = Registry().load("jd_vop").manifest
    submit = manifest.orders["submit"].model_copy(update={"idempotency": idempotency})
    lease, supplier = await owned_supplier(pool)
    context = RelayContext(
        supplier=lambda: supplier,
        adapter=Willing(),
        manifest=manifest.model_copy(update={"orders": {**manifest.orders, "submit": submit}}),
        calls=cast(Calls, line),
        lease=lease,
        box=BOX,
        draining=draining.is_set,
        report_health=lambda _: None,
    )
    command = await desk.comes(1, deadline=(datetime.now(UTC) + DAY).isoformat())

    async def is_done() -> bool:
        return await desk.states() == [(command, "confirmed")]

    async with asyncio.TaskGroup() as group:
        group.create_task(Relay(context).run())
        await eventually(is_done)
        draining.set()
    assert line.asked == asked
    assert await desk.told() == [("order.accepted", command)]
