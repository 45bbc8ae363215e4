"""What reading an order tells: each fact once, the whole set of children, nothing that a command is answered with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.relay.readings import Number, tracks_wanted
from gateway.sdk.orders import OrderTree, Progress, Standing
from schemas.orders import Operation, Party, State, SubmitOrder, event_id
from schemas.orders.events import SupplierMessage
from schemas.orders.examples import COMMAND_EXAMPLES
from tests.unit.relay.readings import child, children_of, events, kinds, known, order, read, split, stated, track

SHIPPED, DELIVERED, REJECTED = Progress.SHIPPED, Progress.DELIVERED, Progress.REJECTED
CANCELLED = Standing.CANCELLED


def test_an_order_that_is_as_it_was_told_tells_nothing():
    assert kinds(read(known(), OrderTree(order()))[1]) == []
    assert kinds(read(known(State.RESERVED), OrderTree(order(standing=Standing.RESERVED)))[1]) == []


def test_goods_of_an_order_that_is_not_split_are_shipped_tracked_and_delivered_once():
    tracks = {"100": track("left the store", waybills=["W1"])}
    now, judged = read(known(), OrderTree(order(progress=SHIPPED)), tracks)
    assert kinds(judged) == ["shipment.created", "shipment.tracked"]
    shipped = events(judged)[0].payload
    assert (shipped.delivery_no, shipped.supplier_order_no, shipped.waybill) == ("100", None, "W1")
    assert now.order.status.state is State.IN_FULFILMENT
    assert kinds(read(now, OrderTree(order(progress=SHIPPED)), tracks)[1]) == []
    more = {"100": track("left the store", "arrived", waybills=["W1", "W2"])}
    now, judged = read(now, OrderTree(order(progress=DELIVERED)), more)
    assert kinds(judged) == ["shipment.created", "shipment.tracked", "shipment.delivered"]
    assert [step.text for step in events(judged)[1].payload.steps] == ["arrived"]
    assert now.order.status.state is State.DELIVERED
    assert kinds(read(now, OrderTree(order(progress=DELIVERED)), more)[1]) == []


def test_what_was_delivered_before_anybody_said_that_it_left_was_shipped_too():
    now, judged = read(known(), OrderTree(order(progress=DELIVERED)))
    assert kinds(judged) == ["shipment.created", "shipment.delivered"]
    assert now.order.status.state is State.DELIVERED


def test_a_waybill_that_comes_later_is_told_of_the_same_delivery():
    now, judged = read(known(), OrderTree(order(progress=SHIPPED)))
    assert [event.payload.waybill for event in events(judged)] == [None]
    _, judged = read(now, OrderTree(order(progress=SHIPPED)), {"100": track(waybills=["W1"])})
    assert [(event.payload.delivery_no, event.payload.waybill) for event in events(judged)] == [("100", "W1")]


def test_a_split_names_every_child_and_a_later_one_what_is_gone():
    now, judged = read(known(), split(child("1"), child("2")))
    assert kinds(judged) == ["order.split"]
    assert now.order.status.state is State.IN_FULFILMENT
    now, judged = read(now, split(child("2"), child("3"), child("4")))
    [told] = events(judged)
    assert [each.supplier_order_no for each in told.payload.children] == ["2", "3", "4"]
    assert told.payload.superseded == ("1",)
    assert children_of(now)["1"].superseded
    assert kinds(read(now, split(child("4"), child("3"), child("2")))[1]) == []


def test_an_order_is_as_far_as_its_children_together():
    now, _ = read(known(), split(child("1"), child("2")))
    now, judged = read(now, split(child("1", DELIVERED), child("2")))
    assert (kinds(judged)[-1], now.order.status.state) == ("shipment.delivered", State.PARTIALLY_DELIVERED)
    assert events(judged)[-1].payload.supplier_order_no == "1"
    now, judged = read(now, split(child("1", DELIVERED), child("2", DELIVERED)))
    assert now.order.status.state is State.DELIVERED


def test_an_order_whose_last_open_child_is_cancelled_has_arrived():
    now, _ = read(known(), split(child("1", DELIVERED), child("2")))
    now, judged = read(now, split(child("1", DELIVERED), child("2", standing=CANCELLED)))
    [told] = events(judged)
    assert (told.payload.scope, told.payload.children, told.payload.by) == ("children", ("2",), Party.SUPPLIER)
    assert now.order.status.state is State.DELIVERED


def test_an_order_all_of_whose_children_are_cancelled_is():
    now, _ = read(known(), split(child("1"), child("2")))
    now, judged = read(now, split(child("1", standing=CANCELLED), child("2", standing=CANCELLED)))
    [told] = events(judged)
    assert (told.event, told.payload.scope) == ("order.cancelled", "order")
    assert now.order.status.state is State.CANCELLED
    assert read(now, split(child("1", standing=CANCELLED), child("2", standing=CANCELLED)))[1] == []


def test_children_that_a_command_cancelled_are_not_told_again():
    now, _ = read(known(), split(child("1"), child("2")))
    numbers = {**now.numbers, "2": replace(now.numbers["2"], state=State.CANCELLED)}
    _, judged = read(replace(now, numbers=numbers), split(child("1"), child("2", standing=CANCELLED)))
    assert kinds(judged) == []


def test_a_child_whose_number_alone_was_known_is_told_as_a_child():
    now = replace(known(), numbers={"100": Number("100"), "1": Number("1")})
    assert kinds(read(now, split(child("1")))[1]) == ["order.split"]


@pytest.mark.parametrize(
    ("state", "before", "by", "after"),
    [
        (State.RESERVED, None, Party.TIME_OUT, State.EXPIRED),
        (State.HELD, None, Party.TIME_OUT, State.EXPIRED),
        (State.CONFIRMING, State.RESERVED, Party.TIME_OUT, State.CANCELLED),
        (State.CONFIRMED, None, Party.SUPPLIER, State.CANCELLED),
        (State.IN_FULFILMENT, None, Party.SUPPLIER, State.CANCELLED),
        (State.CANCEL_PENDING, State.RESERVED, Party.MALL, State.CANCELLED),
    ],
)
def test_who_cancelled_follows_from_where_the_order_stood(state: State, before: State | None, by: Party, after: State):
    now, judged = read(known(state, before), OrderTree(order(standing=CANCELLED)))
    [told] = events(judged)
    assert (told.event, told.payload.by, now.order.status.state) == ("order.cancelled", by, after)
    assert kinds(read(now, OrderTree(order(standing=CANCELLED)))[1]) == []


@pytest.mark.parametrize("state", [State.CANCELLED, State.REFUSED, State.EXPIRED, State.ABANDONED])
@pytest.mark.parametrize("tree", [OrderTree(order(standing=Standing.RESERVED)), split(child("1", DELIVERED))])
def test_an_order_that_is_over_and_there_all_the_same_is_late_and_stays_over(state: State, tree: OrderTree):
    now, judged = read(known(state), tree)
    assert judged
    assert all(each.late for each in judged)
    assert now.order.status.state is state
    assert read(now, tree)[1] == []


def test_a_supplier_that_confirms_by_itself_is_told():
    now, judged = read(known(State.RESERVED), OrderTree(order()))
    assert (kinds(judged), now.order.status.state) == (["order.confirmed"], State.CONFIRMED)


@pytest.mark.parametrize("state", [State.DRAFT, State.SUBMITTING, State.UNKNOWN, State.HELD])
def test_no_reading_confirms_an_order_whose_submit_is_undecided(state: State):
    assert kinds(read(known(state), OrderTree(order()))[1]) == []
    assert kinds(read(known(state), OrderTree(order(standing=Standing.RESERVED)))[1]) == []


def test_goods_of_an_order_whose_submit_is_undecided_are_told_all_the_same():
    now, judged = read(known(State.UNKNOWN), OrderTree(order(progress=DELIVERED)))
    assert (kinds(judged), now.order.status.state) == (["shipment.created", "shipment.delivered"], State.DELIVERED)


def test_sums_that_do_not_hold_are_told_once_until_they_are_others():
    whole = order("100", stated=stated(2))
    tree = OrderTree(whole, (child("1"), child("2", stated=stated(1, gross="11.00"))))
    now, judged = read(known(), tree)
    assert kinds(judged) == ["order.split", "order.price_mismatch"]
    assert "children" in " ".join(events(judged)[1].payload.differences)
    assert kinds(read(now, tree)[1]) == []
    other = OrderTree(whole, (child("1"), child("2", stated=stated(1, gross="12.00"))))
    assert kinds(read(now, other)[1]) == ["order.price_mismatch"]


def test_a_reservation_at_another_price_than_was_sent_is_held():
    submit = COMMAND_EXAMPLES[Operation.SUBMIT]
    assert isinstance(submit, SubmitOrder)
    now, judged = read(replace(known(State.RESERVED), submit=submit), OrderTree(order(standing=Standing.RESERVED)))
    [told] = events(judged)
    assert (told.event, told.payload.expected) == ("order.price_mismatch", submit.payload.totals)
    assert now.order.status.state is State.HELD


def test_an_order_that_is_held_already_is_not_told_to_be():
    tree = OrderTree(order(standing=Standing.RESERVED, stated=stated(1, gross="11.00")))
    assert kinds(read(known(State.HELD), tree)[1]) == []


def test_goods_that_were_delivered_and_then_come_back_contradict_and_change_nothing():
    now, _ = read(known(), OrderTree(order(progress=DELIVERED)))
    now, judged = read(now, OrderTree(order(progress=REJECTED)))
    assert (kinds(judged), now.order.status.state) == (["shipment.rejected"], State.DELIVERED)
    assert kinds(read(now, OrderTree(order(progress=DELIVERED)))[1]) == []


def test_tracks_are_read_of_what_is_on_its_way_or_asked_about():
    tree = split(child("1"), child("2", SHIPPED), child("3", DELIVERED), child("4", standing=CANCELLED))
    now, _ = read(known(), tree)
    assert tracks_wanted(known(), tree, frozenset()) == ["2", "3"]
    assert tracks_wanted(now, tree, frozenset()) == ["2"]
    assert tracks_wanted(now, tree, frozenset({"3"})) == ["2", "3"]


def test_the_same_fact_for_another_message_is_another_event():
    tree = OrderTree(order(progress=SHIPPED))
    told = [
        event_id(events(read(known(), tree, cause=SupplierMessage(type="18", id=each))[1])[0])
        for each in ("1", "2", "1")
    ]
    assert told[0] != told[1]
    assert told[0] == told[2]
