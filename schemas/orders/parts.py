"""What commands and events of orders are made of: numbers, amounts, lines, people and places.

Amounts are yuan, as whoever states them wrote them; none is computed by the gateway. A *part* of an amount is `gross`
(with tax), `net` (without) or `tax`.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, Strict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import CONTROLS, SKU_PATTERN, Amount, Line, Model, Percent, Personal, Quantity, Sku, in_shanghai
from schemas.catalog import Label
from schemas.money import InvalidDecimalError, NumberOutOfRangeError, parse_decimal
from schemas.visible import is_deceptive

MAX_LINES = 1000
"""Lines of one order."""

_DATED = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}[Tt ]")


def _plain(value: object) -> Decimal:
    """A decimal written plainly: texts like 1e3, +1 or １, and JSON numbers, are refused as the schema refuses them."""
    if not isinstance(value, str | Decimal):
        raise PydanticCustomError("plain_decimal", "a number as a string in plain notation")
    try:
        return parse_decimal(str(value), places=6)
    except (InvalidDecimalError, NumberOutOfRangeError) as error:
        raise PydanticCustomError(
            "invalid_decimal", "a number as a string in plain notation, at most {places} decimals", {"places": 6}
        ) from error


def _dated(value: object) -> object:
    """Refuses seconds since 1970, as a number or written as text, and years that no database and no zone can hold."""
    if (isinstance(value, datetime) and 2000 <= value.year < 3000) or (isinstance(value, str) and _DATED.match(value)):
        return value
    raise PydanticCustomError("instant", "a date and time with offset, ISO 8601, from 2000 on")


def _legible(text: str) -> str:
    if not text.isascii() and any(map(is_deceptive, text)):
        raise PydanticCustomError("invalid_text", "no invisible characters, and no blanks but spaces")
    return text


PlainAmount = Annotated[Amount, BeforeValidator(_plain)]
"""An amount in yuan, a string in plain notation, at most 12 digits before and 6 behind the point."""

PlainQuantity = Annotated[Quantity, BeforeValidator(_plain)]
"""A number of sales units, a string in plain notation, at most 3 decimals."""

PlainPercent = Annotated[Percent, BeforeValidator(_plain)]
"""A rate in percent, a string in plain notation: 13 is 13 %, never 0.13."""

WrittenInstant = Annotated[AwareDatetime, Strict(False), BeforeValidator(_dated)]
"""A point in time with its offset, ISO 8601, in the years 2000 to 2999, as whoever sent it wrote it."""

SupplierInstant = Annotated[WrittenInstant, AfterValidator(in_shanghai)]
"""The same as the gateway tells it, in the mall's zone."""

OrderNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
"""The mall's number of an order, and the key of its records: ASCII letters, digits, `.`, `_`, `-`, at most 64."""

CommandId = Annotated[
    str,
    StringConstraints(
        pattern=r"^([0-7][0-9A-HJKMNP-TV-Z]{25}"
        r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$"
    ),
]
"""A ULID in upper case or a UUID in lower case; one spelling each, or one command could be taken for two."""

Reference = Annotated[str, StringConstraints(pattern=SKU_PATTERN, max_length=128), AfterValidator(_legible)]
"""A number that a supplier gave something, exactly as given: 1 to 128 characters, none of them invisible."""

Tenant = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}([0-9]{3}|[0-9]{6})?$")]
"""Jurisdiction that buys: its code of administrative divisions (GB/T 2260), 6, 9 or 12 digits."""

LineNo = Annotated[int, Field(ge=1, le=9999)]
"""Number of a line in the order as the core wrote it."""

AreaCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
"""Code of one area; not `*`, for nothing is delivered everywhere."""

PhoneNumber = Annotated[str, StringConstraints(pattern=r"^[0-9+(][0-9 ()#*-]{4,39}$")]
"""A telephone number as people write it, 5 to 40 characters."""

Email = Annotated[str, StringConstraints(pattern=rf"^[^\s@{CONTROLS}]+@[^\s@{CONTROLS}]+$", max_length=254)]
"""An address of electronic mail."""

PersonalLine = Annotated[Line, Personal()]
"""One line of text that may tell who a person is."""

RawText = Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]*$", max_length=2000), Personal()]
"""Words of a supplier as they came; they may repeat what was sent, a telephone number for instance."""


class LineKind(StrEnum):
    """What a line of a supplier's order is; all but goods come with an article and may cost nothing."""

    GOODS = "goods"
    ACCESSORY = "accessory"
    GIFT = "gift"
    WARRANTY = "warranty"


class UnitPrice(Model):
    """The price of one sales unit, each part as stated."""

    gross: PlainAmount | None = Field(
        None, description="With tax, yuan per sales unit. Source: whoever states the price."
    )
    net: PlainAmount | None = Field(
        None, description="Without tax, yuan per sales unit. Source: whoever states the price."
    )
    tax_rate: PlainPercent | None = Field(
        None, description="Value added tax, percent: 13 is 13 %. Source: as the price."
    )
    tax: PlainAmount | None = Field(None, description="Tax, yuan per sales unit. Source: as the price.")


class Sums(Model):
    """Sums over goods, each part as stated."""

    gross: PlainAmount | None = Field(None, description="With tax, yuan. Source: whoever states the sum.")
    net: PlainAmount | None = Field(None, description="Without tax, yuan. Source: whoever states the sum.")
    tax: PlainAmount | None = Field(None, description="Tax, yuan. Source: whoever states the sum.")


class Totals(Sums):
    """Sums over a whole order, and its freight."""

    freight: PlainAmount | None = Field(None, description="Freight with tax, yuan. Source: whoever states the sum.")
    freight_in_gross: bool = Field(
        False,
        description="Whether gross includes the freight, which some suppliers do. Source: the supplier's contract.",
    )

    @model_validator(mode="after")
    def _freight_is_stated(self) -> Self:
        if self.freight_in_gross and self.freight is None:
            raise PydanticCustomError("freight_missing", "freight, which has to be stated where gross includes it")
        return self


class LineQuantity(Model):
    """A quantity of one line of the order."""

    line_no: LineNo | None = Field(None, description="Line of the order; null: not one of the core's. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    quantity: Annotated[PlainQuantity, Field(gt=0)] = Field(description="Sales units. Source: supplier.")


class StatedLine(LineQuantity):
    """One line as the supplier has it in its order."""

    name: Line | None = Field(None, description="Name of the article. Source: supplier.")
    kind: LineKind = Field(LineKind.GOODS, description="What the line is. Source: the supplier's code.")
    main_sku: Sku | None = Field(None, description="Article that it comes with, of other kinds. Source: supplier.")
    price: UnitPrice = Field(UnitPrice(), description="Price of a sales unit. Source: supplier.")
    sums: Sums = Field(Sums(), description="Sums of the line, where the supplier states them. Source: supplier.")


Lines = Annotated[tuple[StatedLine, ...], Field(max_length=MAX_LINES)]


class Receiver(Model):
    """Who takes the goods; there is a number to call."""

    name: Annotated[Label, Personal()] = Field(description="Name of the person. Source: core.")
    mobile: Annotated[PhoneNumber, Personal()] | None = Field(None, description="Mobile number. Source: core.")
    phone: Annotated[PhoneNumber, Personal()] | None = Field(None, description="Fixed line. Source: core.")
    email: Annotated[Email, Personal()] | None = Field(None, description="Mail address. Source: core.")

    @model_validator(mode="after")
    def _can_be_called(self) -> Self:
        if self.mobile is None and self.phone is None:
            raise PydanticCustomError("no_phone", "a mobile number or a phone")
        return self


class Address(Model):
    """Where the goods go, in the mall's areas and in the supplier's."""

    mall_areas: Annotated[tuple[AreaCode, ...], Field(min_length=1, max_length=5)] = Field(
        description="Codes of the mall's areas, the largest first. Source: core."
    )
    supplier_area: AreaCode | None = Field(
        None, description="Area of the supplier's own tree; null: it uses the mall's. Source: core."
    )
    text: PersonalLine = Field(description="Street, house and room. Source: core.")
    zip: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$"), Personal()] | None = Field(
        None, description="Postal code. Source: core."
    )


class InvoiceKind(StrEnum):
    """Which invoice is asked for."""

    PLAIN = "plain"
    SPECIAL = "special"
    ELECTRONIC = "electronic"

    @property
    def is_paper(self) -> bool:
        """Whether it has to be sent to somebody."""
        return self is not InvoiceKind.ELECTRONIC


class BankData(Model):
    """What suppliers print on special invoices."""

    bank: Label = Field(description="Name of the bank. Source: core.")
    account: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z -]{5,40}$")] = Field(
        description="Account number. Source: core."
    )
    address: Line | None = Field(None, description="Registered address of the buyer. Source: core.")
    phone: PhoneNumber | None = Field(None, description="Registered telephone of the buyer. Source: core.")


class Invoice(Model):
    """The invoice that the buyer wants."""

    kind: InvoiceKind = Field(description="Which. Source: core.")
    title: PersonalLine = Field(description="Whom it is made out to; may be a person. Source: core.")
    tax_no: Annotated[str, StringConstraints(pattern=r"^[0-9A-Z]{15,20}$"), Personal()] | None = Field(
        None, description="Tax number of the buyer; always there for a special invoice. Source: core."
    )
    bank_data: Annotated[BankData, Personal()] | None = Field(None, description="Bank of the buyer. Source: core.")

    @model_validator(mode="after")
    def _special_names_the_buyer(self) -> Self:
        if self.kind is InvoiceKind.SPECIAL and self.tax_no is None:
            raise PydanticCustomError("tax_no_missing", "tax_no, which a special invoice has to name")
        return self
