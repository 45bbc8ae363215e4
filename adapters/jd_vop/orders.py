"""Orders as VOP states them: one alone, or a parent with the children that it was split into."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError

from adapters.jd_vop import order_codes, replies
from adapters.jd_vop.pulls import SKU
from adapters.jd_vop.rows import Row
from gateway import sdk
from schemas.catalog import PriceBasis
from schemas.orders import RefusalClass
from schemas.orders.parts import LineKind, StatedLine, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder

NUMBER = re.compile(r"[1-9][0-9]{0,19}")
"""A number of VOP's orders."""

KINDS: Mapping[str, LineKind] = {
    "0": LineKind.GOODS,
    "1": LineKind.ACCESSORY,
    "2": LineKind.GIFT,
    "3": LineKind.WARRANTY,
}
"""`type` of a line."""

STANDINGS: Mapping[tuple[str | None, str | None], sdk.Standing] = {
    ("0", "0"): sdk.Standing.CANCELLED,
    ("0", "1"): sdk.Standing.CANCELLED,
    ("1", "0"): sdk.Standing.RESERVED,
    ("1", "1"): sdk.Standing.PLACED,
}
"""What `orderState` and `submitState` come to."""

STATES: Mapping[str, sdk.Progress] = {
    "0": sdk.Progress.NOT_SHIPPED,
    "1": sdk.Progress.DELIVERED,
    "2": sdk.Progress.REJECTED,
}
"""`state` of an order."""

ON_THE_WAY = frozenset({"10", "11", "12", "13", "14", "16", "17"})
"""`jdOrderState` of goods that have left: shipped, waiting to be collected, awaiting receipt, on the way back."""

EXTRAS = "jdOrderState,name,mobile"
"""What is asked for beside an order."""

_OURS = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_HIDDEN = re.compile(r"(?:[0-9A-Fa-f]{16})+")


class Asked(NamedTuple):
    """What an answer of a submit does not repeat, since it was asked for. price_basis: of the contract."""

    price_basis: PriceBasis
    standing: sdk.Standing | None = None


async def find(http: sdk.Http, order_no: str, basis: PriceBasis) -> sdk.SupplierOrder | None:
    """The order under our number. None where VOP says that there is none, and for nothing else."""
    reply = await http.call(sdk.Request(order_codes.FIND, form={"thirdOrder": order_no}))
    answer = replies.read(reply)
    if answer.code == order_codes.ABSENT[order_codes.FIND]:
        return None
    tree = await read(http, _number(reply, answer.result), basis)
    repeated = tree.order.order_no
    if repeated not in (None, order_no):
        raise replies.unpromised(reply, "the number of an order that has another number of ours")
    return tree.order


async def read(http: sdk.Http, number: str, basis: PriceBasis) -> sdk.OrderTree:
    """An order or child as it stands, with every child that there is now."""
    reply = await http.call(sdk.Request(order_codes.SELECT, form={"jdOrderId": valid(number), "queryExts": EXTRAS}))
    members = replies.read(reply).result
    if not isinstance(members, dict):
        raise replies.unpromised(reply, "no order")
    asked = Asked(basis)
    if not isinstance(members.get("pOrder"), dict):
        tree = sdk.OrderTree(order_of(reply, members, asked))
    else:
        tree = _tree(reply, members, asked)
    if tree.order.supplier_order_no == number:
        return tree
    child = next((each for each in tree.children if each.supplier_order_no == number), None)
    if child is None:
        raise replies.unpromised(reply, "another order than the one that was asked about")
    return sdk.OrderTree(child)


def valid(number: str) -> str:
    """A number of VOP's. Raises OrderRefusedError for what cannot be one."""
    if not NUMBER.fullmatch(number):
        raise sdk.OrderRefusedError("VOP's numbers of orders are digits.", code_class=RefusalClass.NO_SUCH_ORDER)
    return number


def _tree(reply: sdk.Reply, members: Mapping[str, Any], asked: Asked) -> sdk.OrderTree:
    """A parent that was not split is listed as its own child; children of an earlier split are not listed any more."""
    given = members.get("cOrder")
    listed = [] if given in (None, "", {}) else [given] if isinstance(given, dict) else given
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise replies.unpromised(reply, "no list of children")
    states = {name: members[name] for name in ("orderState", "submitState") if name in members}
    parent = order_of(reply, {**states, **members["pOrder"]}, asked)
    number = parent.supplier_order_no
    children = [order_of(reply, each, asked) for each in listed]
    others = tuple(each for each in children if each.supplier_order_no != number)
    if len({each.supplier_order_no for each in children}) != len(children):
        raise replies.unpromised(reply, "a child twice")
    if any(each.parent_no not in (None, number) for each in others):
        raise replies.unpromised(reply, "a child of another order")
    own = next((each for each in children if each.supplier_order_no == number), None)
    if own is not None and own.progress is not None:  # goods are followed by what is listed as the child
        parent = replace(parent, progress=own.progress)
    return sdk.OrderTree(parent, others)


def order_of(reply: sdk.Reply, members: Mapping[str, Any], asked: Asked) -> sdk.SupplierOrder:
    """One order. Raises ContractError where it is not what the interface promises."""
    row = Row(members, ())
    standing = asked.standing or STANDINGS.get(
        (replies.plain_text(row.get("orderState")), replies.plain_text(row.get("submitState")))
    )
    if standing is None:
        raise replies.unpromised(reply, "an order without its states")
    try:
        order = sdk.SupplierOrder(
            supplier_order_no=_number(reply, row.get("jdOrderId")),
            standing=standing,
            stated=_stated(reply, row, asked.price_basis),
            order_no=_our_number(reply, row.get("thirdOrder")),
            parent_no=_parent(reply, row.get("pOrder")),
            receiver=_receiver(row),
            progress=_progress(reply, row),
        )
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise replies.unpromised(reply, f"an order with {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    return order


def _number(reply: sdk.Reply, given: Any) -> str:
    number = replies.plain_text(given) or ""
    if not NUMBER.fullmatch(number):
        raise replies.unpromised(reply, "no number of an order")
    return number


def _our_number(reply: sdk.Reply, given: Any) -> str | None:
    number = replies.plain_text(given)
    if number is not None and not _OURS.fullmatch(number):
        raise replies.unpromised(reply, "no number of ours")
    return number


def _parent(reply: sdk.Reply, given: Any) -> str | None:
    """The parent's number; VOP writes 0, or nothing, where there is none."""
    return None if replies.plain_text(given) in (None, "0") else _number(reply, given)


def _progress(reply: sdk.Reply, row: Row) -> sdk.Progress | None:
    state, finer = replies.plain_text(row.get("state")), replies.plain_text(row.get("jdOrderState"))
    if state is None:
        return None
    if state not in STATES:
        raise replies.unpromised(reply, f"the state {sdk.legible(state)}")
    return sdk.Progress.SHIPPED if state == "0" and finer in ON_THE_WAY else STATES[state]


def _receiver(row: Row) -> sdk.StatedReceiver | None:
    name, mobile = _clear(row.get("name")), _clear(row.get("mobile"))
    return sdk.StatedReceiver(name, mobile) if name or mobile else None


def _clear(given: Any) -> str | None:
    """What is told of a person in clear: VOP masks some of it with asterisks, and writes some of it enciphered."""
    text = replies.plain_text(given) or ""
    hidden = not text or len(text) > 100 or not text.isprintable() or "*" in text or _HIDDEN.fullmatch(text)
    return None if hidden else text


def _stated(reply: sdk.Reply, row: Row, basis: PriceBasis) -> StatedOrder:
    totals = Totals(
        gross=_amount(reply, row, "orderPrice", needed=True),
        net=_amount(reply, row, "orderNakedPrice"),
        tax=_amount(reply, row, "orderTaxPrice"),
        freight=_amount(reply, row, "freight"),
    )
    return StatedOrder(lines=_lines(reply, row.get("sku"), basis), totals=totals, price_basis=basis)


def _lines(reply: sdk.Reply, given: Any, basis: PriceBasis) -> tuple[StatedLine, ...]:
    listed: Sequence[Any] = [given] if isinstance(given, dict) else given if isinstance(given, list) else []
    if not listed or not all(isinstance(each, dict) for each in listed):
        raise replies.unpromised(reply, "no list of lines")
    return tuple(_line(reply, Row(each, ()), basis) for each in listed)


def _line(reply: sdk.Reply, row: Row, basis: PriceBasis) -> StatedLine:
    kind = KINDS.get(replies.plain_text(row.get("type")) or "0")
    quantity, main = row.count("num"), replies.plain_text(row.get("oid"))
    if kind is None or not SKU.fullmatch(row.sku) or not quantity or row.issues:
        raise replies.unpromised(reply, "a line without its article, kind or number of pieces")
    price = _amount(reply, row, "price", needed=True)
    net, tax = _amount(reply, row, "nakedPrice"), _amount(reply, row, "taxPrice")
    rate = row.percent("tax")
    if rate is None and row.get("tax") not in (None, ""):
        raise replies.unpromised(reply, "a rate of tax that is none in percent")
    name = row.line("name")  # one that cannot be taken costs no order
    stated = (
        UnitPrice(net=price, tax_rate=rate, tax=tax)
        if basis is PriceBasis.NET
        else UnitPrice(gross=price, net=net, tax_rate=rate, tax=tax)
    )
    return StatedLine(
        sku=row.sku,
        quantity=quantity,
        name=name,
        kind=kind,
        main_sku=main if kind is not LineKind.GOODS and main and main != "0" else None,
        price=stated,
    )


def _amount(reply: sdk.Reply, row: Row, name: str, *, needed: bool = False) -> Decimal | None:
    """An amount as it is given. One that is no amount, as −1, is no fact of an order."""
    amount = row.amount(name)
    if amount is None and (needed or row.get(name) not in (None, "")):
        raise replies.unpromised(reply, f"{name} is no amount")
    return amount
