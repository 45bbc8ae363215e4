"""Whose a supplier's numbers are: what is said of one order is never taken for, nor done to, another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from gateway.sdk.errors import ContractError
from gateway.sdk.orders import OrderTree, SupplierOrder
from gateway.sdk.storable import storable
from gateway.store import Connection

# Of an order of which no number is known any number may be one that nobody else has.
FOREIGN_NUMBERS = """
    SELECT named.number
      FROM unnest($3::text[]) AS named (number)
      LEFT JOIN order_numbers n ON n.supplier = $1 AND n.supplier_order_no = named.number
     WHERE n.order_no <> $2
        OR (n.order_no IS NULL AND EXISTS (SELECT FROM order_numbers WHERE supplier = $1 AND order_no = $2))
"""

FindForeignNumbers: TypeAlias = Callable[[str, Collection[str]], Awaitable[Collection[str]]]
"""Those of these numbers that are not of an order of ours, as far as the gateway knows."""

Begin: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]
"""Begins a transaction."""


async def no_foreign_numbers(_: str, __: Collection[str]) -> Collection[str]:
    """Where no number is known."""
    return ()


def foreign_number_lookup(begin: Begin, supplier: str) -> FindForeignNumbers:
    """Asks the known state of the numbers of a supplier."""

    async def found(order_no: str, named: Collection[str]) -> Collection[str]:
        async with begin() as connection:
            numbers = sorted({storable(each) for each in named})
            return [row["number"] for row in await connection.fetch(FOREIGN_NUMBERS, supplier, order_no, numbers)]

    return found


def numbers_in(order: SupplierOrder | None) -> Iterator[str]:
    """The numbers under which a supplier speaks of an order."""
    if order is not None:
        yield order.supplier_order_no
        if order.parent_no is not None:
            yield order.parent_no


def order_with_number(tree: OrderTree, number: str) -> SupplierOrder:
    """The order, or child, that bears a number. Raises ContractError where a supplier answers with another one."""
    for each in (tree.order, *tree.children):
        if each.supplier_order_no == number:
            return each
    raise ContractError("another order than the one that was asked about")


def other_order(tree: OrderTree, order_no: str, owned: Mapping[str, str]) -> str | None:
    """What in a reading is of another order, in words that name numbers alone; None: nothing. owned: of each number."""
    for each in (tree.order, *tree.children):
        if each.order_no not in (None, order_no):
            return f"{each.supplier_order_no}, which has the number {each.order_no}"
        for number in numbers_in(each):
            if owned.get(number, order_no) != order_no:
                return f"{number}, which is of {owned[number]}"
    return None
