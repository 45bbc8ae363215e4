"""Messages of every published model: one with everything said, and any that the models allow."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from schemas.base import Model
from schemas.catalog import (
    Attribute,
    BarcodeCheck,
    DirectoryItem,
    Facet,
    Listing,
    NoDirectoryReason,
    Price,
    Product,
    PurchaseCode,
    Quote,
    Shelf,
    Stock,
    StockState,
)
from schemas.contracts import examples as of_contracts
from schemas.orders import schema_name
from schemas.orders.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES
from schemas.reports import FeedReport, TopProblem

AT = datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=8)))

EXAMPLES: dict[str, tuple[Model, ...]] = {
    "product": (
        Product(
            supplier="acme",
            version=16777216,
            observed_at=AT,
            sku="SKU-1",
            name="联想 启天 M650 台式计算机",
            brand_raw="Ｌenovo（联想）",
            brand="联想",
            model="M650",
            unit="台",
            category_path=("办公设备", "台式计算机"),
            purchase_code=PurchaseCode(code="A02010105", edition="2022"),
            attributes=(Attribute(name="内存", value="16 GB"),),
            images=("https://img.example/1.jpg",),
            description="<p>办公电脑</p>",
            barcode="6901234567892",
            barcode_check=BarcodeCheck.VALID,
            tax_code="1090511010000000000",
            origin="中国",
            warranty="三年",
            packing_list="主机、键盘、鼠标",
            minimum_order_quantity=Decimal("1.5"),
            directory_item=DirectoryItem(
                directory="mandatory", version="豫财购函（2017）1号", row=1, name="台式计算机"
            ),
        ),
        Product(
            supplier="acme",
            version=0,
            observed_at=AT,
            sku="2",
            name="x",
            barcode_check=BarcodeCheck.ABSENT,
            no_directory_reason=NoDirectoryReason.NO_CATEGORY,
        ),
    ),
    "price": (
        Price(
            supplier="acme",
            version=2**63 - 1,
            observed_at=AT,
            expires_at=AT + timedelta(days=2),
            sku="SKU-1",
            area="1_0_0",
            quote=Quote.QUOTED,
            agreement_price=Decimal("5299.00"),
            net_price=Decimal("4689.380531"),
            tax_rate=Decimal(13),
            tax_amount=Decimal("609.62"),
            market_price=Decimal("5999"),
            public_price=Decimal("5499"),
        ),
        Price(supplier="acme", version=1, observed_at=AT, sku="SKU-1", quote=Quote.NO_QUOTE),
    ),
    "stock": (
        Stock(
            supplier="acme",
            version=1,
            observed_at=AT,
            expires_at=AT,
            sku="SKU-1",
            state=StockState.IN_STOCK,
            quantity=Decimal("12"),
            asked_quantity=Decimal(1),
            lead_days=3,
        ),
        Stock(supplier="acme", version=1, observed_at=AT, sku="SKU-1", state=StockState.UNKNOWN),
    ),
    "listing": (
        Listing(supplier="acme", version=1, observed_at=AT, sku="SKU-1", shelf=Shelf.OFF, reason="停产", at=AT),
        Listing(supplier="acme", version=1, observed_at=AT, sku="SKU-1", shelf=Shelf.ON),
    ),
    "feed-report": (
        FeedReport(
            feed="7",
            supplier="acme",
            facet=Facet.PRICE,
            mode="upsert",
            state="done",
            received_at=AT,
            finished_at=AT,
            counts={"normalized": 5, "unchanged": 1, "stale": 1, "rejected": 1, "held": 0, "cancelled": 0},
            problems=(TopProblem(code="stale", message_en="Older.", message_zh="较旧。", count=1, skus=("SKU-1",)),),
        ),
        FeedReport(
            feed="8",
            supplier="acme",
            facet=Facet.PRODUCT,
            mode="validate",
            state="cancelled",
            received_at=AT,
            finished_at=AT,
            counts={},
        ),
    ),
    **{schema_name(operation): (command,) for operation, command in COMMAND_EXAMPLES.items()},
    **{schema_name(kind): (event,) for kind, event in EVENT_EXAMPLES.items()},
    **{schema_name(operation): (command,) for operation, command in of_contracts.COMMAND_EXAMPLES.items()},
    **{schema_name(kind): (event,) for kind, event in of_contracts.EVENT_EXAMPLES.items()},
}
"""By name of the published schema: the first says everything, the second as little as possible."""
