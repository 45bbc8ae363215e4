"""What stands against a command about an after-sale service before it reaches a supplier."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.relay.after_sale_rules import Delivery, OrderFacts, StoredService, refusal_of
from schemas.orders import (
    AfterSaleRefusal,
    CancelAfterSale,
    Operation,
    OrderStatus,
    RequestAfterSale,
    ServiceKind,
    ServiceState,
    State,
)
from schemas.orders.aftersales import ServiceLine
from schemas.orders.examples import COMMAND_EXAMPLES, SERVICE_NO

REQUEST = COMMAND_EXAMPLES[Operation.REQUEST_AFTER_SALE]
CANCEL = COMMAND_EXAMPLES[Operation.CANCEL_AFTER_SALE]
assert isinstance(REQUEST, RequestAfterSale)
assert isinstance(CANCEL, CancelAfterSale)

THREE = {"SKU-1": Decimal(3)}
WHOLE = OrderFacts(OrderStatus(State.DELIVERED), ordered=THREE, root="A-1001", deliveries=[Delivery("", {})])
SPLIT = replace(
    WHOLE,
    children={"A-1002": {"SKU-1": Decimal(2)}, "A-1003": {"SKU-1": Decimal(1)}},
    deliveries=[Delivery("A-1002", {})],
    status=OrderStatus(State.PARTIALLY_DELIVERED),
)


def asked(pieces: int, child: str | None = None, **more: Any) -> RequestAfterSale:
    lines = (ServiceLine(sku="SKU-1", quantity=Decimal(pieces)),)
    payload = REQUEST.payload.model_copy(update={"lines": lines, "supplier_order_no": child, **more})
    return RequestAfterSale.model_validate(REQUEST.model_copy(update={"payload": payload}))


def earlier(pieces: int, state: ServiceState, child: str = "", **more: str) -> StoredService:
    facts: dict[str, Any] = {"service_no": "AS-0", "command_id": "another", **more}
    return StoredService(child=child, lines={"SKU-1": Decimal(pieces)}, state=state, **facts)


@pytest.mark.parametrize("state", State)
def test_only_what_was_confirmed_and_is_not_over_has_after_sale(state: State) -> None:
    before = {State.DRAFT, State.SUBMITTING, State.UNKNOWN, State.HELD, State.RESERVED, State.CONFIRMING}
    over = {State.CANCELLED, State.REFUSED, State.EXPIRED, State.ABANDONED, State.CLOSED}
    wanted = None
    if state in before | {State.PARTIALLY_CONFIRMED}:
        wanted = AfterSaleRefusal.NOT_CONFIRMED
    elif state in over:
        wanted = AfterSaleRefusal.ORDER_OVER
    if state is not State.CANCEL_PENDING:
        assert refusal_of(asked(1), replace(WHOLE, status=OrderStatus(state))) is wanted


def test_a_cancel_under_way_leaves_the_order_where_it_stood() -> None:
    for before, wanted in ((State.DELIVERED, None), (State.RESERVED, AfterSaleRefusal.NOT_CONFIRMED)):
        status = OrderStatus(State.CANCEL_PENDING, before)
        assert refusal_of(asked(1), replace(WHOLE, status=status)) is wanted


@pytest.mark.parametrize(
    ("command", "known", "refusal"),
    [
        (asked(3), WHOLE, None),
        (asked(3, "A-1001"), WHOLE, None),  # the order is its own child
        (asked(4), WHOLE, AfterSaleRefusal.QUANTITY),
        (asked(1), replace(WHOLE, deliveries=[]), AfterSaleRefusal.NOT_DELIVERED),
        (asked(1, "B-1"), WHOLE, AfterSaleRefusal.NOT_OF_ORDER),
        (asked(2, "A-1002"), SPLIT, None),
        (asked(3, "A-1002"), SPLIT, AfterSaleRefusal.QUANTITY),
        (asked(1, "A-1003"), SPLIT, AfterSaleRefusal.NOT_DELIVERED),
        (asked(1), SPLIT, AfterSaleRefusal.NOT_OF_ORDER),  # which child is it about?
        (asked(1, "A-1001"), SPLIT, AfterSaleRefusal.NOT_OF_ORDER),
    ],
)
def test_no_more_goes_back_than_arrived_of_the_child(
    command: RequestAfterSale, known: OrderFacts, refusal: AfterSaleRefusal | None
) -> None:
    assert refusal_of(command, known) is refusal


def test_parts_that_arrived_are_counted_together() -> None:
    parts = [Delivery("", {"SKU-1": Decimal(1)}), Delivery("", {"SKU-1": Decimal(1)})]
    assert refusal_of(asked(2), replace(WHOLE, deliveries=parts)) is None
    assert refusal_of(asked(3), replace(WHOLE, deliveries=parts)) is AfterSaleRefusal.QUANTITY


def test_where_the_order_cannot_be_read_what_was_told_counts() -> None:
    told = replace(WHOLE, ordered=None, deliveries=[Delivery("", {"SKU-1": Decimal(2)})])
    assert refusal_of(asked(2), told) is None
    assert refusal_of(asked(3), told) is AfterSaleRefusal.QUANTITY


@pytest.mark.parametrize("state", ServiceState)
def test_earlier_services_take_their_goods_unless_they_came_to_nothing(state: ServiceState) -> None:
    gives_back = state in (ServiceState.REFUSED, ServiceState.CANCELLED)
    known = replace(WHOLE, services=[earlier(2, state)])
    assert refusal_of(asked(2), known) is (None if gives_back else AfterSaleRefusal.QUANTITY)
    assert refusal_of(asked(1), known) is None


@pytest.mark.parametrize("held", [{}, {"SKU-1": Decimal(999)}], ids=["not told", "told too high"])
def test_children_together_take_back_no_more_than_was_ordered(held: dict[str, Decimal]) -> None:
    children = {"A-1002": held, "A-1003": held}
    known = replace(SPLIT, children=children, deliveries=[Delivery(child, {}) for child in children])
    assert refusal_of(asked(3, "A-1002"), known) is None
    assert refusal_of(asked(4, "A-1002"), known) is AfterSaleRefusal.QUANTITY
    known = replace(known, services=[earlier(2, ServiceState.REQUESTED, "A-1003")])
    assert refusal_of(asked(1, "A-1002"), known) is None
    assert refusal_of(asked(2, "A-1002"), known) is AfterSaleRefusal.QUANTITY


def test_what_an_order_gave_back_before_it_was_split_counts() -> None:
    known = replace(SPLIT, services=[earlier(3, ServiceState.DONE)])
    assert refusal_of(asked(1, "A-1002"), known) is AfterSaleRefusal.QUANTITY


@pytest.mark.parametrize("kind", ServiceKind)
def test_goods_that_were_repaired_can_go_back_again(kind: ServiceKind) -> None:
    under_way = replace(earlier(3, ServiceState.REPAIRING), kind=kind)
    over = replace(under_way, state=ServiceState.DONE)
    assert refusal_of(asked(3), replace(WHOLE, services=[under_way])) is AfterSaleRefusal.QUANTITY
    refusal = None if kind is ServiceKind.REPAIR else AfterSaleRefusal.QUANTITY
    assert refusal_of(asked(3), replace(WHOLE, services=[over])) is refusal


def test_a_number_is_of_one_service_and_a_repeat_of_its_command_is_itself() -> None:
    own = earlier(3, ServiceState.REQUESTED, service_no=SERVICE_NO, command_id=REQUEST.command_id)
    assert refusal_of(asked(3), replace(WHOLE, services=[own])) is None
    other = replace(own, command_id="another")
    assert refusal_of(asked(3), replace(WHOLE, services=[other])) is AfterSaleRefusal.NUMBER_USED


@pytest.mark.parametrize("state", ServiceState)
def test_what_is_over_or_was_never_asked_for_is_not_cancelled(state: ServiceState) -> None:
    over = state in (ServiceState.REFUSED, ServiceState.CANCELLED, ServiceState.DONE)
    known = replace(WHOLE, services=[earlier(1, state, "A-1002", service_no=SERVICE_NO)])
    assert isinstance(CANCEL, CancelAfterSale)
    assert refusal_of(CANCEL, known) is (AfterSaleRefusal.TOO_LATE if over else None)
    assert refusal_of(CANCEL, WHOLE) is AfterSaleRefusal.NO_SUCH_SERVICE


@pytest.mark.parametrize(
    ("child", "named", "refusal"),
    [
        ("", None, None),
        ("", "A-1001", None),  # the order is its own child
        ("", "B-1", AfterSaleRefusal.NOT_OF_ORDER),
        ("A-1002", None, AfterSaleRefusal.NOT_OF_ORDER),
        ("A-1002", "A-1002", None),
        ("A-1002", "A-1003", AfterSaleRefusal.NOT_OF_ORDER),
    ],
)
def test_a_service_is_cancelled_of_the_child_that_it_is_of(
    child: str, named: str | None, refusal: AfterSaleRefusal | None
) -> None:
    of = SPLIT if child else WHOLE
    known = replace(of, services=[earlier(1, ServiceState.AUDITING, child, service_no=SERVICE_NO)])
    assert isinstance(CANCEL, CancelAfterSale)
    payload = CANCEL.payload.model_copy(update={"supplier_order_no": named})
    command = CancelAfterSale.model_validate(CANCEL.model_copy(update={"payload": payload}))
    assert refusal_of(command, known) is refusal
