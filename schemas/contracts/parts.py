"""What commands and events of contracts are made of: the fields of an announcement, amounts, and the document.

The fields are those of a contract announcement (合同公告); each can be withheld from publication by its name, for a
state or trade secret. Amounts are yuan and say so, because announcements elsewhere state 万元.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, Strict, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import CONTROLS, Line, Model, Personal
from schemas.catalog import Label
from schemas.orders.parts import MAX_LINES, OrderNo, PersonalLine, PhoneNumber, PlainAmount, PlainQuantity

ContractNo = OrderNo
"""The mall's number of a contract, and the key of its records; written as numbers of orders are, and none of them."""

MOST_DOCUMENT_BYTES = 50 * 1024 * 1024
"""Of a document."""


def _two_places(amount: Decimal) -> Decimal:
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -2 or amount >= Decimal(10) ** 12:
        raise PydanticCustomError("amount_of_contract", "at most 12 digits before and 2 behind the point")
    return amount


def _fetchable(url: str) -> str:
    """The gateway calls it, so that it is checked again there, and its host must be one that the operator allows."""
    try:
        split = urlsplit(url)
    except ValueError as error:
        raise PydanticCustomError("document_url", "an https URL") from error
    if split.scheme not in ("https", "http") or not split.hostname or "@" in split.netloc or split.fragment:
        raise PydanticCustomError("document_url", "an https URL without user, password and fragment")
    return url


Revision = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""Revision of a contract: 1 as it is issued, higher with each amendment."""

Date = Annotated[date, Strict(False), Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]
"""A calendar day in the mall's zone, `2026-11-23`."""

Url = Annotated[
    str,
    StringConstraints(pattern=rf"^https?://[^\s{CONTROLS}\\]+$", max_length=2000),
    AfterValidator(_fetchable),
]
"""An address on the web."""


class ContractAmount(Model):
    """An amount of a contract with its unit, so that nobody reads 万元 for 元."""

    amount: Annotated[PlainAmount, AfterValidator(_two_places)] = Field(
        description="The amount with tax, at most 2 decimals. Source: core."
    )
    unit: Literal["yuan"] = Field("yuan", description="Its unit: 元, never 万元. Source: core.")


class ContractPrice(Model):
    """The price of one sales unit in a contract, with its unit."""

    amount: PlainAmount = Field(description="With tax, per sales unit. Source: core.")
    unit: Literal["yuan"] = Field("yuan", description="Its unit: 元, never 万元. Source: core.")


class ContractParty(Model):
    """One side of a contract."""

    name: Line = Field(description="Name of the organisation. Source: core.")
    address: Line = Field(description="Its address. Source: core.")
    contact: PersonalLine = Field(description="Whom to ask, a person or an office. Source: core.")
    phone: Annotated[PhoneNumber, Personal()] = Field(description="Number to call. Source: core.")


class Subject(Model):
    """One main subject of a contract: goods or a service."""

    name: Line = Field(description="主要标的名称. Source: core.")
    specification: Line = Field(description="规格型号或服务要求. Source: core.")
    quantity: Annotated[PlainQuantity, Field(gt=0)] = Field(description="主要标的数量, sales units. Source: core.")
    unit_price: ContractPrice = Field(description="主要标的单价. Source: core.")


class Performance(Model):
    """How a contract is performed, in short."""

    term: Line = Field(description="履约期限. Source: core.")
    place: Annotated[Line, Personal()] = Field(description="履约地点, which may be where a person works. Source: core.")
    summary: Line | None = Field(None, description="Else, in short: way of payment, acceptance. Source: core.")


class ProcurementMethod(StrEnum):
    """采购方式, how the goods were bought."""

    ONLINE_MALL = "online_mall"
    OPEN_TENDER = "open_tender"
    INVITED_TENDER = "invited_tender"
    COMPETITIVE_NEGOTIATION = "competitive_negotiation"
    COMPETITIVE_CONSULTATION = "competitive_consultation"
    INQUIRY = "inquiry"
    SINGLE_SOURCE = "single_source"
    FRAMEWORK_AGREEMENT = "framework_agreement"
    OTHER = "other"


class Attachment(Model):
    """附件: a file that is published with the announcement."""

    name: Line = Field(description="Its title. Source: core.")
    url: Url = Field(description="Where it is published. Source: core.")


class AnnouncedField(StrEnum):
    """Every field of an announcement, by the name under which it can be withheld."""

    CONTRACT_NO = "contract_no"
    NAME = "name"
    PROJECT_NO = "project_no"
    PROJECT_NAME = "project_name"
    BUYER_NAME = "buyer.name"
    BUYER_ADDRESS = "buyer.address"
    BUYER_CONTACT = "buyer.contact"
    BUYER_PHONE = "buyer.phone"
    SELLER_NAME = "seller.name"
    SELLER_ADDRESS = "seller.address"
    SELLER_CONTACT = "seller.contact"
    SELLER_PHONE = "seller.phone"
    SUBJECT_NAME = "subjects.name"
    SUBJECT_SPECIFICATION = "subjects.specification"
    SUBJECT_QUANTITY = "subjects.quantity"
    SUBJECT_UNIT_PRICE = "subjects.unit_price"
    AMOUNT = "amount"
    TERM = "performance.term"
    PLACE = "performance.place"
    SUMMARY = "performance.summary"
    METHOD = "procurement_method"
    SIGNED_ON = "signed_on"
    ANNOUNCED_ON = "announced_on"
    SUPPLEMENT = "supplement"
    ATTACHMENTS = "attachments"


def _every_field_once(withheld: tuple[AnnouncedField, ...]) -> tuple[AnnouncedField, ...]:
    if len(set(withheld)) < len(withheld):
        raise PydanticCustomError("withheld", "every field once")
    return withheld


Withheld = Annotated[
    tuple[AnnouncedField, ...], Field(max_length=len(AnnouncedField)), AfterValidator(_every_field_once)
]
"""Fields that are not to be published, by name."""


class Announcement(Model):
    """What is published of a contract; the number of the contract stands beside it.

    `withheld` is the flag of each field: those named there are in the contract and are not published.
    """

    name: Line = Field(description="合同名称. Source: core.")
    project_no: Label = Field(description="项目编号. Source: core.")
    project_name: Line = Field(description="项目名称. Source: core.")
    buyer: ContractParty = Field(description="采购人（甲方）, its address and how to reach it. Source: core.")
    seller: ContractParty = Field(description="供应商（乙方）, its address and how to reach it. Source: core.")
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=MAX_LINES)] = Field(
        description="主要标的. Source: core."
    )
    amount: ContractAmount = Field(description="合同金额, freight included. Source: core.")
    performance: Performance = Field(description="履约期限、地点等简要信息. Source: core.")
    procurement_method: ProcurementMethod = Field(description="采购方式. Source: core.")
    signed_on: Date = Field(description="合同签订日期. Source: core.")
    announced_on: Date | None = Field(None, description="合同公告日期; null: not announced yet. Source: core.")
    supplement: Line | None = Field(None, description="其他补充事宜. Source: core.")
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=50)] = Field((), description="附件. Source: core.")
    withheld: Withheld = Field((), description="Fields that are not to be published. Source: core.")

    @model_validator(mode="after")
    def _announced_after_signing(self) -> Self:
        if self.announced_on is not None and self.announced_on < self.signed_on:
            raise PydanticCustomError("announced_on", "a day not before signed_on")
        return self


class ContractDocument(Model):
    """The document of a contract. It travels as a link: what is behind it has to be these very bytes."""

    url: Url = Field(
        description="Where it is. From the core: where the gateway fetches it, at a host that the gateway allows. To "
        "the vendor: a signed address of the gateway that expires. Source: core, else gateway."
    )
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(
        description="SHA-256 of the document, hexadecimal, lower case. Source: core."
    )
    size: Annotated[int, Field(ge=1, le=MOST_DOCUMENT_BYTES)] = Field(description="Its bytes. Source: core.")
    media_type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.+-]{0,63}/[a-z0-9][a-z0-9.+-]{0,63}$")] = (
        Field("application/pdf", description="What it is. Source: core.")
    )
    name: Line | None = Field(None, description="Its title. Source: core.")
