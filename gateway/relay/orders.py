"""What becomes of orders at suppliers: each piece of news is judged against where the order stands, then told.

News is a fact (a command left, an answer came, a message was read), and mostly an event for the mall core. Out of an
order that is over no news leads: what a supplier says of it then is kept as a dead letter, never told as if it were
new; the answer to a command is told whatever the order is, because the core waits for it. Only a submit that is sent
again begins it again, under numbers that are yet to be told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import orjson

from gateway.deadletters import DeadLetter
from gateway.deadletters.record import record as record_letters
from gateway.evidence import body_of
from gateway.outbox import OutboxMessage, enqueue
from gateway.relay import order_queries as queries
from gateway.relay.after_sales import move_services
from gateway.relay.contract_news import ContractNews, publish_contract_news
from gateway.relay.goods import forget_goods, keep_goods
from gateway.relay.invoice_store import note_answers
from gateway.relay.received import event_message
from gateway.relay.steps import Kind, Step, write_steps
from gateway.sdk.errors import Issue
from gateway.store import Connection, Row
from gateway.suppliers import SecretBox
from schemas.catalog import PriceBasis
from schemas.orders import OrderEvent, event_id
from schemas.orders.events import OrderPriceMismatch, SupplierEvent, SupplierMessage
from schemas.orders.states import RESTARTABLE, OrderFact, OrderJudgement, OrderStatus, State, StateVerdict, judge

LATE_STAGE = "order_events"
"""Stage of the dead letters of what came too late."""

Key: TypeAlias = tuple[str, str]
"""A supplier and the mall's number of an order."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as the gateway knows it. supplier_order_no: of the whole order, None until it is known."""

    supplier: str
    order_no: str
    status: OrderStatus
    tenant: str | None = None
    supplier_order_no: str | None = None
    price_basis: PriceBasis = PriceBasis.GROSS

    @property
    def key(self) -> Key:
        """Its key."""
        return self.supplier, self.order_no


@dataclass(frozen=True, slots=True)
class News:
    """Something about an order.

    fact: what it means for where the order stands, None: nothing; event: for the core, None: it is not told;
    supplier_order_no, price_basis: where they were learnt. contract: it is about the order's contract, and says nothing
    of the order.
    """

    supplier: str
    order_no: str
    fact: OrderFact | None
    event: OrderEvent | None = None
    tenant: str | None = None
    supplier_order_no: str | None = None
    price_basis: PriceBasis | None = None
    traceparent: str | None = None
    contract: ContractNews | None = None

    @property
    def key(self) -> Key:
        """Of its order."""
        return self.supplier, self.order_no

    @property
    def message(self) -> SupplierMessage | None:
        """The supplier's message by which it says so by itself; None: it answers a command."""
        return None if self.event is None else self.event.cause.message

    @property
    def event_name(self) -> str:
        """Kind of the event, "" without one."""
        return "" if self.event is None else self.event.event


@dataclass(frozen=True, slots=True)
class Judged:
    """News and what it is to its order; judgement: None where it moves nothing. late: it is told nobody.

    restarts: the order was over, and is submitted again.
    """

    news: News
    order: Order
    judgement: OrderJudgement | None

    restarts: bool = False

    @property
    def late(self) -> bool:
        """Whether it is a success of an order that is over."""
        return (
            self.news.message is not None and self.judgement is not None and self.judgement.verdict is StateVerdict.LATE
        )


def judge_news(order: Order, news: News) -> Judged:
    """What news does to an order. `order` of the result is the order afterwards. Pure."""
    judgement = None if news.fact is None else judge(order.status, news.fact)
    moves = judgement is not None and judgement.verdict is StateVerdict.MOVES
    restarts = moves and order.status.state in RESTARTABLE
    number = None if restarts else order.supplier_order_no
    after = replace(
        order,
        status=order.status if judgement is None else judgement.status,
        tenant=order.tenant or news.tenant,
        supplier_order_no=number or news.supplier_order_no,
        price_basis=news.price_basis or order.price_basis,
    )
    return Judged(news, after, judgement, restarts)


def still_submitted(supplier: str, order_no: str, tenant: str | None) -> News:
    """That a supplier has another submit of the order: where an earlier one ended it, it starts again by this one."""
    return News(supplier, order_no, OrderFact.SUBMIT, tenant=tenant)


async def lock_orders(connection: Connection, met: Iterable[tuple[Key, str | None]]) -> Mapping[Key, Order]:
    """The orders of these keys, locked; those that are met for the first time are drafts. met: keys and tenants."""
    wanted = dict(met)
    if not wanted:
        return {}
    suppliers, numbers = zip(*wanted, strict=True)
    rows = await connection.fetch(queries.INSERT, suppliers, numbers, list(wanted.values()))
    if len(rows) < len(wanted):
        rows = await connection.fetch(queries.INSERT, suppliers, numbers, list(wanted.values()))
    return {(row["supplier"], row["order_no"]): _order(row) for row in rows}


async def publish_news(
    connection: Connection, box: SecretBox, news: Sequence[News], *, readable: bool = True, steps: Sequence[Step] = ()
) -> Sequence[Judged]:
    """Judge news in this order, move the orders, and have the core told, all in the caller's transaction.

    steps: what came before the news, to be kept with it.

    What does not fit has its order read again at the supplier, where orders are readable there; what is late becomes a
    dead letter.
    """
    of_orders = [each for each in news if each.contract is None]
    orders = dict(await lock_orders(connection, ((each.key, each.tenant) for each in of_orders)))
    judged: list[Judged] = []
    for each in of_orders:
        found = judge_news(orders[each.key], each)
        orders[each.key] = found.order
        judged.append(found)
    judged = await _with_services(connection, judged)
    await _store(connection, orders.values(), judged, readable=readable)
    await keep_goods(connection, [each.news.event for each in judged if each.news.event and not each.late])
    await note_answers(connection, [each.event for each in news if each.event is not None])
    published = [(each, event_message(each.news.event, each.news.traceparent)) for each in judged if each.news.event]
    of_contracts = await publish_contract_news(connection, news)
    await enqueue(
        connection,
        [*(message for each, message in published if not each.late), *(each.message for each in of_contracts)],
    )
    all_steps = [*(_step(each, message) for each, message in published), *(each.step for each in of_contracts)]
    await write_steps(connection, box, [*steps, *all_steps])
    await record_letters(connection, [_letter(each) for each in judged if each.late])
    return judged


async def _with_services(connection: Connection, judged: Sequence[Judged]) -> list[Judged]:
    """The same; news of after-sale services is judged by where these stand, and moves them."""
    with_events = [each for each in judged if each.news.event is not None]
    verdicts = await move_services(connection, [each.news.event for each in with_events if each.news.event is not None])
    of_services = {id(with_events[place]): verdict for place, verdict in verdicts.items()}
    found = []
    for each in judged:
        verdict = of_services.get(id(each))
        found.append(each if verdict is None else replace(each, judgement=OrderJudgement(verdict, each.order.status)))
    return found


async def _store(
    connection: Connection, orders: Collection[Order], judged: Iterable[Judged], *, readable: bool
) -> None:
    if orders:
        await connection.execute(queries.MOVE, *zip(*map(_row, orders), strict=True))
    if restarted := {each.order.key for each in judged if each.restarts}:
        await connection.execute(queries.NUMBERS_OF_BEFORE, *zip(*sorted(restarted), strict=True))
        await forget_goods(connection, restarted)
    numbers = [(order.supplier, order.supplier_order_no, order.order_no) for order in orders if order.supplier_order_no]
    if numbers:
        await connection.execute(queries.NUMBERS, *zip(*numbers, strict=True))
    doubted = {
        (each.order.supplier, each.order.supplier_order_no)
        for each in judged
        if readable and each.judgement is not None and each.judgement.ask_again and each.order.supplier_order_no
    }
    if doubted:
        await connection.execute(queries.ASK_AGAIN, *zip(*sorted(doubted), strict=True))


def _order(row: Row) -> Order:
    return Order(
        supplier=row["supplier"],
        order_no=row["order_no"],
        status=OrderStatus(State(row["state"]), State(row["before"]) if row["before"] else None),
        tenant=row["tenant"],
        supplier_order_no=row["supplier_order_no"],
        price_basis=PriceBasis(row["price_basis"]),
    )


def _row(order: Order) -> tuple[object, ...]:
    before = order.status.before
    return (
        order.supplier,
        order.order_no,
        order.tenant,
        order.status.state.value,
        before.value if before else None,
        order.supplier_order_no,
        order.price_basis.value,
    )


def _step(judged: Judged, message: OutboxMessage) -> Step:
    news = judged.news
    event = news.event
    vendor_event = event if isinstance(event, SupplierEvent) else None
    facts: dict[str, object] = {
        "event": news.event_name,
        "id": event_id(event) if event else None,
        "state": judged.order.status.state.value,
        "verdict": judged.judgement.verdict.value if judged.judgement else None,
        "raw_code": vendor_event.raw_code if vendor_event else None,
    }
    if isinstance(event, OrderPriceMismatch):  # of what is there instead; no number of the order until it is accepted
        facts["supplier_order_nos"] = list(event.supplier_order_nos)
    return Step(
        news.supplier,
        news.order_no,
        Kind.LATE if judged.late else Kind.EVENT,
        event.cause.command_id if event else None,
        facts,
        (vendor_event.raw_message or "") if vendor_event else "",
        {"event": body_of(message.value)},
    )


def _letter(judged: Judged) -> DeadLetter:
    """Only what names the order and the message: the rest may name people."""
    news, message = judged.news, judged.news.message
    named = {"event": news.event_name, "supplier": news.supplier, "order_no": news.order_no}
    if message is not None:
        named |= {"message_type": message.type, "message_id": message.id}
    return DeadLetter(
        stage=LATE_STAGE,
        issues=(Issue("late_event", "", news.event_name, f"news of an order that is not {judged.order.status.state}"),),
        original=orjson.dumps(named),
        supplier=news.supplier,
        key="|".join(named.values()).encode(),
    )
