"""What the mall core asks suppliers to do with an order, on `mall.orders.commands.v1`.

The core writes these records: key the order's number, `ce_type` from `COMMAND_TYPE`, `ce_id` of its own making. A
repeat with the same command_id and the same content is the same command; with other content it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import SUMS_HOLD, Line, Model, Personal, Sku, SupplierId
from schemas.catalog import PriceBasis
from schemas.orders.aftersales import AfterSaleCancellation, AfterSaleRequested
from schemas.orders.invoices import InvoiceApplication
from schemas.orders.parts import (
    MAX_LINES,
    Address,
    CommandId,
    Invoice,
    LineNo,
    OrderNo,
    PersonalLine,
    PlainAmount,
    PlainQuantity,
    Receiver,
    Reference,
    Tenant,
    Totals,
    UnitPrice,
    WrittenInstant,
)
from schemas.orders.sums import SUM_MISMATCH, order_mismatches


class Operation(StrEnum):
    """What a command asks for."""

    SUBMIT = "order.submit"
    CONFIRM = "order.confirm"
    CANCEL = "order.cancel"
    REQUEST_INVOICE = "invoice.request"
    REQUEST_AFTER_SALE = "aftersale.request"
    CANCEL_AFTER_SALE = "aftersale.cancel"


OF_ORDERS = (Operation.SUBMIT, Operation.CONFIRM, Operation.CANCEL)
"""Operations that make, change or end an order; the others serve one and leave it as it is."""


def _of_orders(operation: Operation) -> Operation:
    if operation not in OF_ORDERS:
        raise PydanticCustomError("operation", "an operation that makes, changes or ends an order")
    return operation


OrderOperation = Annotated[
    Operation,
    AfterValidator(_of_orders),
    WithJsonSchema({"enum": [operation.value for operation in OF_ORDERS], "type": "string"}),
]
"""One of `OF_ORDERS`: the events of orders speak of no other, and readers of v1 know no other there."""


class SubmitMode(StrEnum):
    """reserve: the supplier holds the goods until a confirm; direct: the order is placed at once."""

    RESERVE = "reserve"
    DIRECT = "direct"


class PriceMode(StrEnum):
    """What the supplier does when its price is no longer that of the snapshot."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class PaymentKind(StrEnum):
    """How the buyer pays."""

    ON_DELIVERY = "on_delivery"
    BALANCE = "balance"
    TRANSFER = "transfer"
    CREDIT = "credit"
    ACCOUNT_PERIOD = "account_period"
    ONLINE = "online"
    CHEQUE = "cheque"
    CENTRAL = "central"
    MIXED = "mixed"


class PriceSnapshot(UnitPrice):
    """The price that the buyer saw; the price with tax is always there and never 0, which would be no quote."""

    gross: Annotated[PlainAmount, Field(gt=0)] = Field(description="With tax, yuan per sales unit. Source: core.")


class OrderedLine(Model):
    """One line of an order."""

    line_no: LineNo = Field(description="Number of the line, used in every answer. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    quantity: Annotated[PlainQuantity, Field(gt=0)] = Field(description="Sales units. Source: core.")
    price: PriceSnapshot = Field(description="Price of a sales unit as it was offered. Source: core.")
    name: Line = Field(description="Name of the article as the buyer saw it. Source: core.")


class Submission(Model):
    """What `order.submit` carries. Where the core states totals, they are the sums of its lines."""

    lines: Annotated[tuple[OrderedLine, ...], Field(min_length=1, max_length=MAX_LINES)] = Field(
        description="What is ordered. Source: core."
    )
    totals: Totals = Field(Totals(), description="Sums of the order, those that the core states. Source: core.")
    price_basis: PriceBasis = Field(PriceBasis.GROSS, description="Which price the agreement fixes. Source: core.")
    receiver: Receiver = Field(description="Who takes the goods. Source: core.")
    address: Address = Field(description="Where they go. Source: core.")
    invoice: Invoice | None = Field(None, description="The invoice that is wanted; null: none yet. Source: core.")
    payment: PaymentKind = Field(description="How the buyer pays. Source: core.")
    mode: SubmitMode = Field(description="reserve: hold the goods; direct: place the order at once. Source: core.")
    price_mode: PriceMode = Field(
        PriceMode.REFUSE,
        description="refuse: no order at another price; accept: at the price of the day. Source: core.",
    )
    remark: PersonalLine | None = Field(None, description="Words for the supplier. Source: core.")

    @model_validator(mode="after")
    def _lines_are_numbered(self) -> Self:
        if len({line.line_no for line in self.lines}) < len(self.lines):
            raise PydanticCustomError("line_no_repeated", "every line_no once")
        return self

    @model_validator(mode="after")
    def _sums_hold(self, info: ValidationInfo) -> Self:
        if info.context and info.context.get(SUMS_HOLD):
            return self
        found = order_mismatches(self.lines, self.totals, self.price_basis)
        if found:
            raise PydanticCustomError(SUM_MISMATCH, "{what}", {"what": "; ".join(map(str, found[:5]))})
        return self


class Confirmation(Model):
    """What `order.confirm` carries."""

    supplier_order_no: Reference | None = Field(
        None, description="The reservation's number; null: the one that was accepted. Source: supplier."
    )


class CancelScope(StrEnum):
    """order: all of it; children: some of those that the supplier split it into."""

    ORDER = "order"
    CHILDREN = "children"


class Scope(Model):
    """What is cancelled, wherever cancelling is spoken of."""

    scope: CancelScope = Field(description="order: all of it; children: those named. Source: core, else supplier.")
    children: Annotated[tuple[Reference, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="The supplier's numbers of the children; empty for a whole order. Source: supplier."
    )

    @model_validator(mode="after")
    def _children_fit_the_scope(self) -> Self:
        if (self.scope is CancelScope.CHILDREN) != bool(self.children):
            raise PydanticCustomError("children", "children exactly where the scope is children")
        if len(set(self.children)) < len(self.children):
            raise PydanticCustomError("children", "every child once")
        return self


class Cancellation(Scope):
    """What `order.cancel` carries."""

    reason: Annotated[Line, Personal()] = Field(description="Why, for the supplier. Source: core.")


class Command(Model):
    """What every command says."""

    command_id: CommandId = Field(description="Identity of the command, ULID or UUID. Source: core.")
    supplier: SupplierId = Field(description="Who shall act. Source: core.")
    tenant: Tenant = Field(description="Jurisdiction that buys, GB/T 2260. Source: core.")
    order_no: OrderNo = Field(description="The mall's number of the order, key of the record. Source: core.")
    revision: Annotated[int, Field(ge=1, le=2**31 - 1)] = Field(
        description="Revision of the order by the buyer; a higher one supersedes an order that is held. Source: core."
    )
    issued_at: WrittenInstant = Field(description="When the core wrote it, with offset. Source: core.")
    deadline: WrittenInstant = Field(description="Past it nothing is sent any more, with offset. Source: core.")


class SubmitOrder(Command):
    """Places an order at a supplier."""

    operation: Literal["order.submit"] = Field("order.submit", description="What is asked. Source: core.")
    payload: Submission = Field(description="The order. Source: core.")


class ConfirmOrder(Command):
    """Makes a reservation an order."""

    operation: Literal["order.confirm"] = Field("order.confirm", description="What is asked. Source: core.")
    payload: Confirmation = Field(Confirmation(), description="The reservation. Source: core.")


class CancelOrder(Command):
    """Takes an order back, or children of it."""

    operation: Literal["order.cancel"] = Field("order.cancel", description="What is asked. Source: core.")
    payload: Cancellation = Field(description="What and why. Source: core.")


class RequestInvoice(Command):
    """Asks for the invoices of an order, or of children of it; the order stays as it is."""

    operation: Literal["invoice.request"] = Field("invoice.request", description="What is asked. Source: core.")
    payload: InvoiceApplication = Field(description="What is to be invoiced, and to whom. Source: core.")


class RequestAfterSale(Command):
    """Asks for goods to be taken back, exchanged, repaired or refunded."""

    operation: Literal["aftersale.request"] = Field("aftersale.request", description="What is asked. Source: core.")
    payload: AfterSaleRequested = Field(description="Which goods, why, and how they go back. Source: core.")


class CancelAfterSale(Command):
    """Takes such a request back."""

    operation: Literal["aftersale.cancel"] = Field("aftersale.cancel", description="What is asked. Source: core.")
    payload: AfterSaleCancellation = Field(description="Which and why. Source: core.")


AfterSaleCommand = RequestAfterSale | CancelAfterSale

OrderCommand = SubmitOrder | ConfirmOrder | CancelOrder | RequestInvoice | AfterSaleCommand

COMMANDS: Mapping[Operation, type[OrderCommand]] = {
    Operation.SUBMIT: SubmitOrder,
    Operation.CONFIRM: ConfirmOrder,
    Operation.CANCEL: CancelOrder,
    Operation.REQUEST_INVOICE: RequestInvoice,
    Operation.REQUEST_AFTER_SALE: RequestAfterSale,
    Operation.CANCEL_AFTER_SALE: CancelAfterSale,
}
"""The command of each operation."""
