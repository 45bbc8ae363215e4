"""After-sale services in PostgreSQL: opened with their request, moved by what is told of them, and what stands against
a command about one. All that writes `after_sales` is here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import orjson

from gateway.relay import after_sale_queries as queries
from gateway.relay.after_sale_calls import Preconditions
from gateway.relay.after_sale_rules import Delivery, OrderFacts, StoredService, refusal_of
from gateway.relay.goods import Quantities, goods_of, quantities, summed
from gateway.relay.order_number_owners import Begin
from gateway.relay.store import submitted
from gateway.sdk.errors import AfterSaleRefusedError
from gateway.store import Connection, Row
from gateway.suppliers import SecretBox
from schemas.base import Model
from schemas.orders import (
    AfterSaleCommand,
    AfterSaleEvent,
    AfterSaleRefusal,
    OrderEvent,
    OrderStatus,
    RequestAfterSale,
    ServiceKind,
    ServiceState,
    State,
    StateVerdict,
    judge_refund,
    judge_service,
)
from schemas.orders.aftersales import AfterSaleMoved, RefundMade, ServiceJudgement
from schemas.orders.events import (
    AfterSaleAccepted,
    AfterSaleProgress,
    AfterSaleRefunded,
    AfterSaleRefused,
)

REFUSALS: Mapping[AfterSaleRefusal, str] = {
    AfterSaleRefusal.NOT_CONFIRMED: "The order is not confirmed.",
    AfterSaleRefusal.NOT_DELIVERED: "Nothing of it was delivered.",
    AfterSaleRefusal.QUANTITY: "It is more than was delivered, less what earlier services took.",
    AfterSaleRefusal.NOT_OF_ORDER: "The number is not that of a child of the order.",
    AfterSaleRefusal.ORDER_OVER: "The order is over.",
    AfterSaleRefusal.NUMBER_USED: "Another command has the number of the service.",
    AfterSaleRefusal.NO_SUCH_SERVICE: "No such service was asked for.",
    AfterSaleRefusal.TOO_LATE: "The service is over.",
}
"""What each precondition says, in words."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it is kept. reported: names of what was told of it."""

    service_no: str
    command_id: str
    kind: ServiceKind
    child: str
    lines: Quantities
    state: ServiceState
    supplier_service_no: str | None = None
    reported: frozenset[str] = field(default_factory=frozenset)


async def open_services(connection: Connection, commands: Iterable[AfterSaleCommand]) -> None:
    """Keep that these are asked for, before anything of them leaves; what is kept already stays as it is."""
    rows = [_opened(each) for each in commands if isinstance(each, RequestAfterSale)]
    if rows:
        await connection.execute(queries.OPEN, *map(list, zip(*rows, strict=True)))


async def lock_services(connection: Connection, supplier: str, order_no: str) -> Mapping[str, Service]:
    """The services of an order by the mall's number, locked."""
    rows = await connection.fetch(queries.LOCK, supplier, order_no)
    return {row["service_no"]: _service(row) for row in rows}


async def services_of(connection: Connection, supplier: str, order_no: str) -> Sequence[Service]:
    """The services of an order."""
    return [_service(row) for row in await connection.fetch(queries.OF_ORDER, supplier, order_no)]


def report_key(payload: Model) -> str:
    """The name by which it is known that something was told of a service; "" of what is told each time.

    A refund is told from another by its credit note, where it has one.
    """
    match payload:
        case RefundMade(credit_note=note) if note is not None:
            return f"refund:{note}"
        case RefundMade():
            return f"refund:{payload.amount.normalize():f}|{payload.at.isoformat() if payload.at else ''}"
        case AfterSaleMoved(state=state):
            content = payload.model_dump_json(exclude_defaults=True)
            return f"{state}:{hashlib.sha256(content.encode()).hexdigest()[:16]}"
        case _:
            return ""


def judge_event(service: Service, event: AfterSaleEvent) -> ServiceJudgement | None:
    """What an event means for the service that it is about; None: nothing. Pure."""
    match event:
        case AfterSaleAccepted():
            return judge_service(service.state, ServiceState.REQUESTED)
        case AfterSaleRefused(payload=payload, cause=cause) if payload.operation == "aftersale.request":
            own = cause.command_id in (None, service.command_id)
            return judge_service(service.state, ServiceState.REFUSED) if own else None
        case AfterSaleProgress(payload=payload):
            return judge_service(service.state, payload.state)
        case AfterSaleRefunded():
            return judge_refund(service.state)
        case _:
            return None


async def move_services(connection: Connection, events: Sequence[OrderEvent]) -> Mapping[int, StateVerdict]:
    """Move services by what is told of them; what it is to each, by the place of its event. Others have none.

    The caller holds the orders' locks.
    """
    found: dict[int, StateVerdict] = {}
    for place, event in enumerate(events):
        if not isinstance(event, AfterSaleEvent) or event.payload.service_no is None:
            continue
        service = (await lock_services(connection, event.supplier, event.order_no)).get(event.payload.service_no)
        judgement = None if service is None else judge_event(service, event)
        if judgement is None:
            continue
        found[place] = judgement.verdict
        if judgement.verdict is not StateVerdict.LATE:
            number = getattr(event.payload, "supplier_service_no", None)
            whose = (event.supplier, event.order_no, event.payload.service_no)
            await connection.execute(queries.MOVE, *whose, judgement.state.value, number, report_key(event.payload))
    return found


async def refused(connection: Connection, box: SecretBox, command: AfterSaleCommand) -> AfterSaleRefusal | None:
    """Why a command is refused before anything is sent; None: nothing stands against it."""
    return refusal_of(command, await _facts(connection, box, command.supplier, command.order_no))


def preconditions(begin: Begin, box: SecretBox) -> Preconditions:
    """Looks at what is known each time it is asked."""

    async def check(command: AfterSaleCommand) -> None:
        async with begin() as connection:
            refusal = await refused(connection, box, command)
        if refusal is not None:
            raise AfterSaleRefusedError(REFUSALS[refusal], refusal=refusal)

    return check


async def _facts(connection: Connection, box: SecretBox, supplier: str, order_no: str) -> OrderFacts:
    whose = (supplier, order_no)
    row = await connection.fetchrow(queries.ORDER, *whose)
    if row is None:
        return OrderFacts(OrderStatus(State.DRAFT))
    held, arrived = await goods_of(connection, *whose)
    numbers = [each["supplier_order_no"] for each in await connection.fetch(queries.CHILDREN, *whose)]
    root = row["supplier_order_no"]
    deliveries = [Delivery("" if child == root else child, lines) for child, lines in arrived]
    ordered = (await submitted(connection, box, supplier, [order_no])).get(order_no)
    return OrderFacts(
        OrderStatus(State(row["state"]), State(row["before"]) if row["before"] else None),
        ordered=_less_cut(None if ordered is None else summed(ordered.payload.lines), held.get("")),
        root=root,
        children={number: held.get(number, {}) for number in numbers},
        deliveries=deliveries,
        services=[
            StoredService(each.service_no, each.command_id, each.child, each.lines, each.state, each.kind)
            for each in await services_of(connection, *whose)
        ],
    )


def _less_cut(ordered: Quantities | None, accepted: Quantities | None) -> Quantities | None:
    """What was ordered, less what the supplier cut: he accepts no more than that. accepted: None: he cut nothing."""
    if ordered is None or not accepted:
        return accepted or ordered
    return {sku: min(quantity, accepted.get(sku, Decimal(0))) for sku, quantity in ordered.items()}


def _opened(command: RequestAfterSale) -> tuple[str, ...]:
    wanted = command.payload
    lines = {line.sku: f"{line.quantity:f}" for line in wanted.lines}
    return (
        command.supplier,
        command.order_no,
        wanted.service_no,
        command.command_id,
        wanted.kind.value,
        wanted.supplier_order_no or "",
        orjson.dumps(lines).decode(),
    )


def _service(row: Row) -> Service:
    return Service(
        row["service_no"],
        row["command_id"],
        ServiceKind(row["kind"]),
        row["supplier_order_no"],
        quantities(row["lines"]),
        ServiceState(row["state"]),
        row["supplier_service_no"],
        frozenset(row["told"]),
    )
