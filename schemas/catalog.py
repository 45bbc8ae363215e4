"""The four catalog messages, and the facts of which adapters make them.

Facts are what a supplier said of one key, in the mall's words. The gateway adds who said it, the version that orders
the states of the key, and until when the word holds; the result is the message on the topic of the facet. A consumer
takes a message unless its `version` is lower than the one it has for the key; a null value withdraws the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import (
    CONTROLS,
    LINE_PATTERN,
    Amount,
    AreaId,
    Instant,
    Line,
    Markup,
    Model,
    Percent,
    Quantity,
    Sku,
    SupplierId,
)

EVERYWHERE = "*"
"""The area of a price or stock that holds wherever the supplier delivers."""


class Facet(StrEnum):
    """The four kinds of facts a supplier feeds; each has its own topic and its own versions."""

    PRODUCT = "product"
    PRICE = "price"
    STOCK = "stock"
    LISTING = "listing"


class Quote(StrEnum):
    """Whether there is a price at all: −1, 0, an empty string, null and a missing price are all `no_quote`."""

    QUOTED = "quoted"
    NO_QUOTE = "no_quote"


class PriceBasis(StrEnum):
    """Which of the two prices the agreement fixes; the other one is derived by the supplier, never by the gateway."""

    GROSS = "gross"
    NET = "net"


class StockState(StrEnum):
    """Availability, from the strongest promise to none."""

    IN_STOCK = "in_stock"
    IN_TRANSIT = "in_transit"
    ALLOCATABLE = "allocatable"
    PRESALE = "presale"
    BOOKABLE = "bookable"
    OUT = "out"
    UNKNOWN = "unknown"


class Shelf(StrEnum):
    """Whether the supplier offers the article in the mall."""

    ON = "on"
    OFF = "off"


class BarcodeCheck(StrEnum):
    """What the check digit of a barcode says."""

    VALID = "valid"
    INVALID = "invalid"
    ABSENT = "absent"


class NoDirectoryReason(StrEnum):
    """Why a product carries no directory item."""

    NO_CATEGORY = "no_category"
    NO_MATCH = "no_match"
    AMBIGUOUS = "ambiguous"


WEB_ADDRESS_PATTERN = rf"^https?://[^\s{CONTROLS}]+$"
PURCHASE_CODE_PATTERN = r"^[ABC][0-9]{2,8}$"
EDITION_PATTERN = r"^[0-9]{4}$"
BARCODE_PATTERN = r"^[0-9]{8,14}$"
TAX_CODE_PATTERN = r"^[0-9]{1,19}$"

Label = Annotated[str, StringConstraints(pattern=LINE_PATTERN, max_length=200)]
"""A short line, 1 to 200 characters, no control characters."""

WebAddress = Annotated[str, StringConstraints(pattern=WEB_ADDRESS_PATTERN, max_length=2000)]
"""An absolute http or https address, at most 2,000 characters."""


class Attribute(Model):
    """One property of a product as the supplier words it."""

    name: Label = Field(description="Name of the property. Source: supplier.")
    value: Annotated[Markup, Field(max_length=2000)] = Field(
        description="Its value; may hold HTML, sanitised by the gateway. Source: supplier."
    )


class PurchaseCode(Model):
    """A code of the government-procurement article list; without its edition the code is ambiguous."""

    code: Annotated[str, StringConstraints(pattern=PURCHASE_CODE_PATTERN)] = Field(
        description="品目 code. Source: supplier."
    )
    edition: Annotated[str, StringConstraints(pattern=EDITION_PATTERN)] = Field(
        description="Year of the edition of the list. Source: supplier."
    )


class DirectoryItem(Model):
    """A row of a purchasing directory; its identity is directory, version and row, never its printed number."""

    directory: Literal["mandatory", "encouraged"] = Field(description="Which directory. Source: the directory.")
    version: Label = Field(description="Number of the document that put the directory into force.")
    row: Annotated[int, Field(ge=1)] = Field(description="Position in that version, from 1.")
    name: Label = Field(description="Name as printed there.")


class ProductFacts(Model):
    """Master data of one article as the supplier gave it, in the mall's words."""

    facet: ClassVar[Facet] = Facet.PRODUCT
    sku: Sku = Field(description="Article number. Source: supplier.")
    name: Line = Field(description="Trade name. Source: supplier.")
    brand_raw: Line | None = Field(None, description="Brand as the supplier writes it. Source: supplier.")
    model: Line | None = Field(None, description="Model. Source: supplier.")
    unit: Label | None = Field(None, description="Sales unit, e.g. 台. Source: supplier.")
    category_path: Annotated[tuple[Label, ...], Field(max_length=10)] = Field(
        (), description="Category in the supplier's own tree, root first. Source: supplier."
    )
    purchase_code: PurchaseCode | None = Field(None, description="品目 code with its edition. Source: supplier.")
    attributes: Annotated[tuple[Attribute, ...], Field(max_length=500)] = Field(
        (), description="Properties in the supplier's order. Source: supplier."
    )
    images: Annotated[tuple[WebAddress, ...], Field(max_length=100)] = Field(
        (), description="Addresses of images, main image first. Source: supplier."
    )
    description: Markup | None = Field(
        None, description="Introduction as HTML, sanitised by the gateway in the message. Source: supplier."
    )
    barcode: Annotated[str, StringConstraints(pattern=BARCODE_PATTERN)] | None = Field(
        None, description="GTIN (EAN, UPC) as given, right or wrong. Source: supplier."
    )
    tax_code: Annotated[str, StringConstraints(pattern=TAX_CODE_PATTERN)] | None = Field(
        None, description="税收分类编码 as given. Source: supplier."
    )
    origin: Line | None = Field(None, description="Place of origin. Source: supplier.")
    warranty: Markup | None = Field(
        None, description="Warranty terms; may hold HTML, sanitised by the gateway. Source: supplier."
    )
    packing_list: Markup | None = Field(
        None, description="What is in the box; may hold HTML, sanitised by the gateway. Source: supplier."
    )
    minimum_order_quantity: Annotated[Quantity, Field(gt=0)] = Field(
        Decimal(1), description="Smallest quantity of an order, in sales units. Source: supplier, else 1."
    )


class PriceFacts(Model):
    """The price of one article in one area, every amount as given and none recomputed."""

    facet: ClassVar[Facet] = Facet.PRICE
    sku: Sku = Field(description="Article number. Source: supplier.")
    area: AreaId = Field(
        EVERYWHERE, description="Area of the supplier's own tree, `*` for everywhere. Source: supplier."
    )
    quote: Quote = Field(description="no_quote: the article is not sellable. Source: the supplier's price.")
    agreement_price: Amount | None = Field(
        None, description="Agreement price with tax, yuan per sales unit. Source: supplier."
    )
    net_price: Amount | None = Field(
        None, description="Agreement price without tax, yuan per sales unit. Source: supplier."
    )
    tax_rate: Percent | None = Field(None, description="Value added tax, percent: 13 is 13 %. Source: supplier.")
    tax_amount: Amount | None = Field(None, description="Tax, yuan per sales unit. Source: supplier.")
    market_price: Amount | None = Field(None, description="Market price, yuan per sales unit. Source: supplier.")
    public_price: Amount | None = Field(
        None, description="The supplier's own public price, yuan per sales unit. Source: supplier."
    )
    currency: Literal["CNY"] = Field("CNY", description="ISO 4217 code of every amount here. Source: gateway.")
    basis: PriceBasis = Field(PriceBasis.GROSS, description="Which price the agreement fixes. Source: supplier.")


class StockFacts(Model):
    """The availability of one article in one area."""

    facet: ClassVar[Facet] = Facet.STOCK
    sku: Sku = Field(description="Article number. Source: supplier.")
    area: AreaId = Field(
        EVERYWHERE, description="Area of the supplier's own tree, `*` for everywhere. Source: supplier."
    )
    state: StockState = Field(description="Availability. Source: the supplier's code.")
    quantity: Quantity | None = Field(None, description="Sales units on hand; null is unknown. Source: supplier.")
    asked_quantity: Quantity | None = Field(
        None, description="Sales units the answer is about, where a quantity was asked. Source: the question."
    )
    lead_days: Annotated[int, Field(ge=0, le=3650)] | None = Field(
        None, description="Days until delivery; null is unknown. Source: supplier."
    )


class ListingFacts(Model):
    """Whether one article is offered."""

    facet: ClassVar[Facet] = Facet.LISTING
    sku: Sku = Field(description="Article number. Source: supplier.")
    shelf: Shelf = Field(description="on or off. Source: the supplier's code.")
    reason: Line | None = Field(None, description="Why, in the supplier's words. Source: supplier.")
    at: Instant | None = Field(None, description="Since when. Source: the supplier's clock.")


class Stamped(Model):
    """What the gateway adds to the facts of every facet."""

    supplier: SupplierId = Field(description="Who said it. Source: the supplier's credential.")
    version: Annotated[int, Field(ge=0, le=2**63 - 1)] = Field(
        description="Orders the states of one key; higher is newer. Source: gateway."
    )
    observed_at: Instant = Field(description="When it was so. Source: supplier, else the gateway's receipt.")


class Perishable(Stamped):
    """Facts that count as unconfirmed after a while."""

    expires_at: Instant | None = Field(
        None, description="Past it the facts are unconfirmed; null: the supplier declared no period. Source: gateway."
    )


class Product(ProductFacts, Stamped):
    """Value of the products topic."""

    brand: Line | None = Field(None, description="brand_raw with width, case and brackets folded. Source: gateway.")
    directory_item: DirectoryItem | None = Field(
        None, description="Directory row it falls under, by category and name. Source: gateway."
    )
    no_directory_reason: NoDirectoryReason | None = Field(
        None, description="Set exactly when directory_item is null. Source: gateway."
    )
    barcode_check: BarcodeCheck = Field(description="What the check digit says. Source: gateway.")

    @model_validator(mode="after")
    def _item_or_reason(self) -> Self:
        if (self.directory_item is None) == (self.no_directory_reason is None):
            raise ValueError("either a directory item or the reason why there is none")
        return self


class Price(PriceFacts, Perishable):
    """Value of the prices topic."""


class Stock(StockFacts, Perishable):
    """Value of the stocks topic."""


class Listing(ListingFacts, Stamped):
    """Value of the listings topic."""


Facts = ProductFacts | PriceFacts | StockFacts | ListingFacts
"""What an adapter yields of one key."""

CatalogMessage = Product | Price | Stock | Listing
"""What a catalog topic carries."""

MESSAGES: Mapping[Facet, type[CatalogMessage]] = {
    Facet.PRODUCT: Product,
    Facet.PRICE: Price,
    Facet.STOCK: Stock,
    Facet.LISTING: Listing,
}
"""The message of each facet."""
