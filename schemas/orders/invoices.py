"""Invoices of an order: what the core asks for, what the supplier makes out, and what events about them carry.

An application is known by its mark_id, under which the supplier makes out one invoice or several. All amounts are as
they were stated; what a red invoice says it takes back, so that no amount is below 0.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, Strict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Line, Model, Personal
from schemas.catalog import Label, WebAddress
from schemas.orders.parts import (
    MAX_LINES,
    Address,
    Invoice,
    PlainAmount,
    PlainPercent,
    Receiver,
    Reference,
)
from schemas.orders.sums import SUM_MISMATCH

MAX_INVOICES = 1000
"""Invoices of one application."""

MarkId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
"""The mall's number of an application: ASCII letters, digits, `.`, `_`, `-`, at most 64; one for each application."""


class InvoiceState(StrEnum):
    """Where an application stands.

    draft: not with the supplier yet; mailed: all is made out and on its way; red: some of it is taken back by red
    invoices; held: what was made out does not add up, a person has to speak with the supplier.
    """

    DRAFT = "draft"
    REQUESTED = "requested"
    PARTLY_ISSUED = "partly_issued"
    ISSUED = "issued"
    MAILED = "mailed"
    RED = "red"
    VOIDED = "voided"
    REFUSED = "refused"
    HELD = "held"


class InvoiceStanding(StrEnum):
    """What an invoice is. void: it never counts; red: it takes back one that was made out before."""

    NORMAL = "normal"
    VOID = "void"
    RED = "red"


class InvoiceAmounts(Model):
    """What is invoiced; the three add up."""

    net: PlainAmount = Field(description="Without tax, yuan. Source: core.")
    tax: PlainAmount = Field(description="Tax, yuan. Source: core.")
    gross: Annotated[PlainAmount, Field(gt=0)] = Field(description="With tax, yuan. Source: core.")

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.net + self.tax != self.gross:
            words = {"gross": self.gross, "sum": self.net + self.tax}
            raise PydanticCustomError(SUM_MISMATCH, "gross {gross} where net and tax are {sum}", words)
        return self


class InvoiceApplication(Model):
    """What `invoice.request` carries."""

    mark_id: MarkId = Field(description="The mall's number of the application; a repeat has the same. Source: core.")
    children: Annotated[tuple[Reference, ...], Field(max_length=MAX_LINES)] = Field(
        (),
        description="The supplier's numbers of children or deliveries; empty: the whole order. Source: supplier.",
    )
    invoice: Invoice = Field(description="Kind, title, tax number and bank of the buyer. Source: core.")
    amounts: InvoiceAmounts = Field(description="What is to be invoiced. Source: core.")
    receiver: Receiver = Field(description="Who takes the invoice. Source: core.")
    address: Address | None = Field(
        None, description="Where paper goes; always there but for electronic invoices. Source: core."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if len(set(self.children)) < len(self.children):
            raise PydanticCustomError("children", "every child once")
        if self.address is None and self.invoice.kind.is_paper:
            raise PydanticCustomError("address_missing", "address, which an invoice on paper needs")
        return self


class InvoiceKey(Model):
    """What an invoice is known by."""

    code: Reference | None = Field(None, description="Code of its series; null: it has none. Source: supplier.")
    number: Reference = Field(description="Its number. Source: supplier.")

    @property
    def key(self) -> tuple[str | None, str]:
        """What tells it from others."""
        return self.code, self.number


class IssuedInvoice(InvoiceKey):
    """One invoice as the supplier states it; its sums are compared by `invoice_mismatches`, not here."""

    issued_on: Annotated[dt.date, Strict(False)] = Field(description="Its date. Source: supplier.")
    standing: InvoiceStanding = Field(InvoiceStanding.NORMAL, description="What it is. Source: supplier.")
    net: PlainAmount = Field(description="Without tax, yuan; of a red one what it takes back. Source: supplier.")
    rate: PlainPercent | None = Field(
        None, description="Value added tax, percent: 13 is 13 %; null: several, or not stated. Source: supplier."
    )
    tax: PlainAmount = Field(description="Tax, yuan. Source: supplier.")
    gross: PlainAmount = Field(description="With tax, yuan. Source: supplier.")
    original: InvoiceKey | None = Field(
        None, description="Of a red one: what it takes back; null: not stated. Source: supplier."
    )
    url: Annotated[WebAddress, Personal()] | None = Field(
        None, description="Where an electronic invoice can be had; it shows the buyer. Source: supplier."
    )


IssuedInvoices = Annotated[tuple[IssuedInvoice, ...], Field(max_length=MAX_INVOICES)]


class InvoiceRequested(Model):
    """The supplier took the application."""

    mark_id: MarkId = Field(description="The application. Source: core.")


class InvoiceProgress(Model):
    """How far an application has come; a later one has all that an earlier one had."""

    mark_id: MarkId = Field(description="The application. Source: core.")
    invoices: IssuedInvoices = Field((), description="All invoices of it so far. Source: supplier.")
    carrier: Label | None = Field(None, description="Who carries paper. Source: supplier.")
    waybill: Reference | None = Field(None, description="The carrier's number. Source: supplier.")


class InvoiceMismatch(Model):
    """The application is held: what was made out is not what was asked for, or does not add up."""

    mark_id: MarkId = Field(description="The application. Source: core.")
    told: InvoiceState = Field(description="What the supplier said of it. Source: supplier.")
    expected: InvoiceAmounts | None = Field(None, description="What was asked for. Source: core.")
    invoices: IssuedInvoices = Field((), description="All invoices of it, as stated. Source: supplier.")
    differences: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)] = Field(
        description="What does not hold, in words. Source: gateway."
    )
