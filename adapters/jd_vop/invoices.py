"""Invoices: what VOP is sent when it is applied for them, and what it then states of an application.

The number of an application is ours, `markId`, and VOP knows it permanently. Rates are fractions here, percent
elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from adapters.jd_vop import order_codes, orders, replies
from adapters.jd_vop.options import AREA_PATH, Options
from adapters.jd_vop.rows import Row
from gateway import sdk
from schemas.base import SHANGHAI
from schemas.money import InvalidDecimalError, NumberOutOfRangeError, parse_decimal
from schemas.orders import InvoiceState, RefusalClass, RequestInvoice
from schemas.orders.invoices import InvoiceApplication, InvoiceStanding, IssuedInvoice
from schemas.orders.parts import InvoiceKind

KINDS: Mapping[InvoiceKind, str] = {InvoiceKind.PLAIN: "1", InvoiceKind.SPECIAL: "2", InvoiceKind.ELECTRONIC: "3"}
"""`invoiceType`."""

ON_PAPER = frozenset({KINDS[kind] for kind in InvoiceKind if kind.is_paper})
"""Types that are mailed."""

STANDINGS: Mapping[str, InvoiceStanding] = {
    "1": InvoiceStanding.NORMAL,
    "2": InvoiceStanding.VOID,
    "3": InvoiceStanding.RED,
}
"""`state` of an invoice; one without it is a normal one."""

DETAIL, TOGETHER, MERGED, ONLY_BATCH = "1", "1", "1", "1"
"""`bizInvoiceContent`, `billingType` and `isMerge` as contracts have them as a rule; every application is one batch."""

MAILED = "1"
"""`state` of a parcel that is on its way; 2 is one that was taken back."""

MOST_ORDERS = 1000

PLACES = 6

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


async def request(http: sdk.Http, asked: RequestInvoice, numbers: tuple[str, ...], options: Options) -> None:
    """Apply for invoices. What VOP says that it has had before is looked up."""
    reply = await http.call(sdk.Request(order_codes.INVOICE, form=form_of(asked, numbers, options)))
    answer = replies.read(reply)
    if answer.code == order_codes.DONE_BEFORE[order_codes.INVOICE]:
        if await read(http, asked.payload.mark_id) is None:
            raise replies.unpromised(reply, "applied for before, and not there")
        return
    result = (replies.plain_text(answer.result) or str(answer.result)).lower()
    if result not in ("true", "1", asked.payload.mark_id.lower()) and not answer.empty:
        raise replies.unpromised(reply, "neither taken nor refused")


async def read(http: sdk.Http, mark_id: str) -> sdk.StatedInvoices | None:
    """An application as it stands. None where VOP says that it has none under the number."""
    reply = await http.call(sdk.Request(order_codes.INVOICES, form={"markId": mark_id}))
    answer = replies.read(reply)
    if answer.code == order_codes.ABSENT[order_codes.INVOICES]:
        return None
    state = order_codes.APPLICATIONS[answer.code]
    rows = [row for row in _rows(reply, answer.result) if str(row.get("success")).lower() != "false"]
    if not rows and state in (InvoiceState.ISSUED, InvoiceState.PARTLY_ISSUED):
        raise replies.unpromised(reply, "invoices are made out, and none is listed")
    invoices = tuple(_invoice(reply, row) for row in rows)
    if len({each.key for each in invoices}) < len(invoices):
        raise replies.unpromised(reply, "an invoice twice")
    on_paper = any(replies.plain_text(row.get("invoiceType")) in ON_PAPER for row in rows)
    if state is InvoiceState.ISSUED and on_paper and (mailed := await _mailed(http, mark_id)) is not None:
        return sdk.StatedInvoices(mark_id, InvoiceState.MAILED, invoices, *mailed)
    return sdk.StatedInvoices(mark_id, state, invoices)


def form_of(asked: RequestInvoice, numbers: tuple[str, ...], options: Options) -> Mapping[str, str]:
    """The fields of an application. Raises OrderRefusedError where VOP has no form for it."""
    wanted = asked.payload
    if options.invoice_org is None:
        raise _refused("The contract names no office that makes invoices out (invoice_org).")
    if len(numbers) > MOST_ORDERS:
        raise _refused(f"More than {MOST_ORDERS} orders.")
    net, tax, gross = (f"{amount:f}" for amount in (wanted.amounts.net, wanted.amounts.tax, wanted.amounts.gross))
    form = {
        "supplierOrder": ",".join(orders.valid(number) for number in numbers),
        "markId": wanted.mark_id,
        "settlementId": wanted.mark_id,
        "invoiceType": KINDS[wanted.invoice.kind],
        "invoiceOrg": options.invoice_org,
        "bizInvoiceContent": DETAIL,
        "invoiceDate": asked.issued_at.astimezone(SHANGHAI).date().isoformat(),
        "title": wanted.invoice.title,
        "enterpriseTaxpayer": wanted.invoice.tax_no or "",
        "billToParty": wanted.invoice.title,
        "billToer": wanted.receiver.name,
        "billToContact": wanted.receiver.mobile or wanted.receiver.phone or "",
        **_address(wanted),
        "invoiceNum": str(len(numbers)),
        "invoiceNakedPrice": net,
        "invoiceTaxPrice": tax,
        "invoicePrice": gross,
        "currentBatch": ONLY_BATCH,
        "totalBatch": ONLY_BATCH,
        "totalBatchInvoiceNakedAmount": net,
        "totalBatchInvoiceTaxAmount": tax,
        "totalBatchInvoiceAmount": gross,
        "billingType": TOGETHER,
        "isMerge": MERGED,
        **_bank(wanted),
    }
    return {name: text for name, text in form.items() if text}


def _address(wanted: InvoiceApplication) -> Mapping[str, str]:
    if wanted.address is None:
        return {}
    area = wanted.address.supplier_area or ""
    if not re.fullmatch(AREA_PATH, area, re.ASCII):
        raise _refused("No area of VOP's tree, such as 7_412_3545.", RefusalClass.ADDRESS)
    province, city, county, *rest = area.split("_")
    places = {"billToProvince": province, "billToCity": city, "billToCounty": county}
    return {**places, "billToTown": rest[0] if rest else "0", "billToAddress": wanted.address.text}


def _bank(wanted: InvoiceApplication) -> Mapping[str, str]:
    bank = wanted.invoice.bank_data
    if bank is None:
        return {}
    return {
        "enterpriseRegAddress": bank.address or "",
        "enterpriseRegPhone": bank.phone or "",
        "enterpriseBankName": bank.bank,
        "enterpriseBankAccount": bank.account,
    }


async def _mailed(http: sdk.Http, mark_id: str) -> tuple[str | None, str | None] | None:
    """Carrier and waybill of what was mailed last; None: nothing was."""
    reply = await http.call(sdk.Request(order_codes.POSTED, form={"markId": mark_id}))
    answer = replies.read(reply)
    if answer.code == order_codes.ABSENT[order_codes.POSTED]:
        return None
    parcels = [row for row in _rows(reply, answer.result) if replies.plain_text(row.get("state")) == MAILED]
    if not parcels:
        return None
    carrier, waybill = parcels[-1].label("postCompany"), replies.plain_text(parcels[-1].get("deliveryId"))
    if parcels[-1].issues or (waybill is not None and (len(waybill) > 128 or not waybill.isprintable())):
        raise replies.unpromised(reply, "a parcel of no carrier or number")
    return carrier, waybill


def _rows(reply: sdk.Reply, given: Any) -> list[Row]:
    listed = [given] if isinstance(given, dict) and given else given or []
    if given is True or not isinstance(listed, list):
        listed = []
    if not all(isinstance(each, dict) for each in listed):
        raise replies.unpromised(reply, "no list of invoices or parcels")
    return [Row(each, ()) for each in listed]


def _invoice(reply: sdk.Reply, row: Row) -> IssuedInvoice:
    standing = STANDINGS.get(replies.plain_text(row.get("state")) or "1")
    if standing is None:
        raise replies.unpromised(reply, "an invoice in a state that is not known")
    net, tax, gross = (
        _amount(reply, row, name, standing) for name in ("invoiceNakedAmount", "invoiceTaxAmount", "invoiceAmount")
    )
    try:
        return IssuedInvoice(
            code=replies.plain_text(row.get("invoiceCode")),
            number=replies.plain_text(row.get("invoiceId")) or "",
            issued_on=_day(reply, row.get("invoiceDate")),
            standing=standing,
            net=net,
            rate=_rate(reply, row),
            tax=tax,
            gross=gross,
        )
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise replies.unpromised(reply, f"an invoice with {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


def _amount(reply: sdk.Reply, row: Row, name: str, standing: InvoiceStanding) -> Decimal:
    """An amount; of a red invoice what it takes back, which stands below 0 there."""
    text = _plain(row.get(name))
    if standing is InvoiceStanding.RED:
        text = text.removeprefix("-")
    try:
        return parse_decimal(text, places=PLACES)
    except (InvalidDecimalError, NumberOutOfRangeError):
        raise replies.unpromised(reply, f"{name} is no amount") from None


def _rate(reply: sdk.Reply, row: Row) -> Decimal | None:
    """A rate in percent, of the fraction that VOP states; one of 1 or more is no fraction."""
    text = _plain(row.get("invoiceTaxRate"))
    if not text:
        return None
    try:
        rate = parse_decimal(text, places=PLACES)
    except (InvalidDecimalError, NumberOutOfRangeError):
        rate = Decimal(1)
    if rate >= 1:
        raise replies.unpromised(reply, "a rate of tax that is no fraction")
    percent = (rate * 100).normalize()
    return percent.quantize(Decimal(1)) if percent == percent.to_integral_value() else percent


def _plain(given: Any) -> str:
    return "" if given is None or isinstance(given, bool | list | dict) else str(given).strip()


def _day(reply: sdk.Reply, given: Any) -> date:
    """The day of a date whose time stands right behind it at times, without a blank."""
    found = _DAY.match(replies.plain_text(given) or "")
    try:
        return date.fromisoformat(found[0] if found else "")
    except ValueError:
        raise replies.unpromised(reply, "no date of an invoice") from None


def _refused(why: str, code_class: RefusalClass = RefusalClass.INVALID_REQUEST) -> sdk.OrderRefusedError:
    """The refusal of an application that was not sent."""
    return sdk.OrderRefusedError(why, code_class=code_class)
