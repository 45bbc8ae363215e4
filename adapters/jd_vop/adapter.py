"""The adapter of JD VOP: what it can do, each in a module of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import JsonValue

from adapters.jd_vop import (
    after_sales,
    areas,
    confirming,
    invoices,
    messages,
    offers,
    ordering,
    orders,
    product,
    pulls,
    replies,
    settling,
    tokens,
    tracks,
)
from adapters.jd_vop.options import Options
from gateway import sdk
from schemas.catalog import Facet
from schemas.orders import (
    CancelAfterSale,
    CancelOrder,
    ConfirmOrder,
    RequestAfterSale,
    RequestInvoice,
    SubmitOrder,
)


class Adapter(sdk.Adapter):
    """Pulls four facets, polls one pool, reads the tree of areas, places and follows orders."""

    options_model = Options
    options: Options

    def judge(self, reply: sdk.Reply) -> None:
        """Faults inside answers that came with a status of success."""
        replies.judge(reply)

    def normalise(self, record: sdk.Record) -> Iterable[sdk.Item | sdk.Refusal]:
        """What an exchange says of each of its skus."""
        exchange = sdk.decode_exchange(record.raw)
        if not all(map(pulls.SKU.fullmatch, exchange.skus)):
            raise sdk.InvalidMessageError(sdk.Issue("validation_failed", "/skus", expected="numbers"))
        match record.facet:
            case Facet.PRODUCT:
                return list(product.products(exchange, self.options.image_host))
            case Facet.PRICE:
                return list(offers.prices(exchange, self.options.price_basis))
            case Facet.STOCK:
                return list(offers.stock(exchange))
            case Facet.LISTING:
                return list(offers.listing(exchange))

    async def list_skus(self, http: sdk.Http, cursor: JsonValue) -> sdk.SkuPage:
        """One page of one pool."""
        return await pulls.list_skus(http, cursor, self.options)

    def areas(self, facet: Facet) -> Sequence[str]:
        """Those of the contract, for stock."""
        return self.options.areas if facet is Facet.STOCK else ("",)

    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        """One exchange for all skus of a facet, for each sku of products."""
        return await pulls.read(http, facet, skus, area)

    async def still_sold(self, http: sdk.Http, skus: Sequence[str]) -> Collection[str]:
        """Those that may be sold under this contract."""
        return await confirming.still_sold(http, skus)

    async def fetch(self, http: sdk.Http, pool: str) -> Sequence[sdk.Message]:
        """What the pool holds for feeds."""
        return await messages.fetch(http)

    def follow_ups(self, message: sdk.Message) -> Sequence[sdk.FollowUp]:
        """What has to be reread."""
        return messages.follow_ups(message, self.options.areas)

    async def acknowledge(self, http: sdk.Http, pool: str, messages_: Sequence[sdk.Message]) -> None:
        """Delete messages."""
        await messages.acknowledge(http, messages_)

    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        """Areas right below one."""
        return await areas.read_areas(http, parent)

    async def submit_order(self, http: sdk.Http, order: SubmitOrder) -> sdk.SupplierOrder:
        """Place an order."""
        return await ordering.submit(http, order, self.options)

    async def find_order(self, http: sdk.Http, order_no: str) -> sdk.SupplierOrder | None:
        """The order under our number."""
        return await orders.find(http, order_no, self.options.price_basis)

    async def confirm_order(self, http: sdk.Http, order: ConfirmOrder, supplier_order_no: str) -> None:
        """Confirm a reservation."""
        await settling.confirm(http, supplier_order_no)

    async def cancel_order(self, http: sdk.Http, order: CancelOrder, supplier_order_no: str) -> None:
        """Cancel an order or a child."""
        await settling.cancel(http, supplier_order_no)

    async def request_invoice(
        self, http: sdk.Http, request: RequestInvoice, supplier_order_nos: tuple[str, ...]
    ) -> None:
        """Apply for invoices."""
        await invoices.request(http, request, supplier_order_nos, self.options)

    async def read_invoices(self, http: sdk.Http, mark_id: str) -> sdk.StatedInvoices | None:
        """An application as it stands."""
        return await invoices.read(http, mark_id)

    async def read_order(self, http: sdk.Http, supplier_order_no: str) -> sdk.OrderTree:
        """An order and its children."""
        return await orders.read(http, supplier_order_no, self.options.price_basis)

    async def read_track(self, http: sdk.Http, supplier_order_no: str) -> sdk.Track:
        """Where its goods are."""
        return await tracks.read(http, supplier_order_no)

    async def apply_after_sale(self, http: sdk.Http, request: RequestAfterSale, supplier_order_no: str) -> None:
        """Apply for a service."""
        await after_sales.apply(http, request, supplier_order_no)

    async def cancel_after_sale(self, http: sdk.Http, cancel: CancelAfterSale, service: sdk.SupplierAfterSale) -> None:
        """Take a service back."""
        await after_sales.cancel(http, cancel.payload.reason, service.supplier_service_no)

    async def read_after_sales(self, http: sdk.Http, supplier_order_no: str) -> Sequence[sdk.SupplierAfterSale]:
        """Services of an order or child."""
        return await after_sales.read(http, supplier_order_no)

    async def obtain_token(
        self, http: sdk.Http, secrets: Mapping[str, str], held: sdk.Token | None, now: datetime
    ) -> sdk.Token:
        """A token, refreshed or new."""
        return await tokens.obtain(http, secrets, held, now)
