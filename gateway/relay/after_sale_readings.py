"""What reading an order's after-sale services at their supplier tells that was not told before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.relay.after_sale_events import progress_event, refund_event
from gateway.relay.after_sales import Service, judge_event, report_key
from gateway.relay.orders import News
from gateway.relay.readings import Reading, StoredOrder
from gateway.sdk.after_sales import HandlesAfterSales, SupplierAfterSale
from gateway.sdk.http import Http
from schemas.orders import AfterSaleEvent, ServiceKind, ServiceState, StateVerdict
from schemas.orders.aftersales import ENDED
from schemas.orders.events import AfterSaleProgress, Cause


async def read_services(
    adapter: object, calls: Http, known: StoredOrder, root: str
) -> Mapping[str, Sequence[SupplierAfterSale]]:
    """The services of those children of which something may be told, by child; root: the number of the whole order."""
    if not isinstance(adapter, HandlesAfterSales):
        return {}
    wanted = {each.child or root for each in known.services if _is_reportable(each)}
    return {child: await adapter.read_after_sales(calls, child) for child in sorted(wanted)}


def service_news(known: StoredOrder, reading: Reading) -> Iterator[News]:
    """What a reading tells of services that was not told before. Pure. Those of other buyers' systems tell nothing."""
    root = reading.tree.order.supplier_order_no
    for service in known.services:
        child = service.child or root
        there = [each for each in reading.services.get(child, ()) if each.service_no == service.service_no]
        for each in there:
            for event in _events(known, service, each, child, reading):
                yield News(event.supplier, event.order_no, None, event, event.tenant)


def _events(
    known: StoredOrder, service: Service, there: SupplierAfterSale, child: str, reading: Reading
) -> Iterator[AfterSaleEvent]:
    common: dict[str, Any] = {
        "order_no": known.order.order_no,
        "tenant": known.order.tenant,
        "cause": Cause(message=reading.cause),
        "occurred_at": reading.at,
        "supplier": known.order.supplier,
        "supplier_order_nos": (child,),
    }
    moved = progress_event(service.service_no, there, common)
    if report_key(moved.payload) not in service.reported and not _is_behind(service, moved):
        yield moved
    for refund in there.refunds:
        made = refund_event(service.service_no, there, refund, common)
        if report_key(made.payload) not in service.reported:
            yield made


def _is_behind(service: Service, event: AfterSaleProgress) -> bool:
    judgement = judge_event(service, event)
    known = judgement is not None and judgement.verdict is StateVerdict.KNOWN
    return known and event.payload.state is not service.state


def _is_reportable(service: Service) -> bool:
    """One that is over tells nothing more, but for the money of goods that went back."""
    owed = service.state is ServiceState.DONE and service.kind in (ServiceKind.RETURN, ServiceKind.REFUND)
    return service.state not in ENDED or (owed and not any(name.startswith("refund:") for name in service.reported))
