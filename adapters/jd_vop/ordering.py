"""Placing an order: what VOP is sent, what it cannot be sent, and what its answer says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from adapters.jd_vop import order_codes, orders, replies
from adapters.jd_vop.options import AREA_PATH, Options
from adapters.jd_vop.pulls import SKU
from gateway import sdk
from schemas.catalog import PriceBasis
from schemas.orders import PaymentKind, PriceMode, RefusalClass, SubmitMode, SubmitOrder
from schemas.orders.commands import OrderedLine, Submission
from schemas.orders.parts import Invoice, InvoiceKind, Receiver

MODES: Mapping[SubmitMode, tuple[str, sdk.Standing]] = {
    SubmitMode.RESERVE: ("0", sdk.Standing.RESERVED),
    SubmitMode.DIRECT: ("1", sdk.Standing.PLACED),
}
"""`submitState`, and what an order then is."""

PAYMENTS: Mapping[PaymentKind, str] = {
    PaymentKind.ON_DELIVERY: "1",
    PaymentKind.BALANCE: "4",
    PaymentKind.TRANSFER: "5",
    PaymentKind.MIXED: "20",
    PaymentKind.CREDIT: "101",
}
"""`paymentType`, where the contract has no other; what is missing, the documents do not promise."""

PREPAID = PAYMENTS[PaymentKind.BALANCE]

INVOICES: Mapping[InvoiceKind, str] = {InvoiceKind.SPECIAL: "2", InvoiceKind.ELECTRONIC: "3"}
"""`invoiceType`; the documents name no other."""

MOST_PIECES = 2**31 - 1

LONGEST: Mapping[str, int] = {"thirdOrder": 100, "name": 20, "address": 100, "remark": 99}
"""Characters of the fields that VOP limits."""

COMPANY, DETAIL = "5", "1"
"""`selectedInvoiceTitle` of what is made out to a company; `invoiceContent` that lists the goods."""


async def submit(http: sdk.Http, order: SubmitOrder, options: Options) -> sdk.SupplierOrder:
    """Place an order. What VOP had under the number before is read from it again, as it stands now."""
    reply = await _sent(http, order, options)
    answer = replies.read(reply)
    if answer.code != order_codes.DONE_BEFORE[order_codes.SUBMIT]:
        if not isinstance(answer.result, dict):
            raise replies.unpromised(reply, "no order")
        standing = MODES[order.payload.mode][1]
        placed = orders.order_of(reply, answer.result, orders.Asked(options.price_basis, standing))
        if placed.order_no not in (None, order.order_no):
            raise replies.unpromised(reply, "an order with another number of ours")
        return placed
    found = await orders.find(http, order.order_no, options.price_basis)
    number = replies.plain_text(answer.result.get("jdOrderId")) if isinstance(answer.result, dict) else None
    if found is None or number not in (None, found.supplier_order_no):
        raise replies.unpromised(reply, "submitted before, as another order than the one that is found")
    return found


async def _sent(http: sdk.Http, order: SubmitOrder, options: Options) -> sdk.Reply:
    """The answer to the order. A refusal tells which of its articles are the reason, where VOP's words name some."""
    try:
        return await http.call(sdk.Request(order_codes.SUBMIT, form=form_of(order, options)))
    except sdk.OrderRefusedError as error:
        named = set(error.skus)
        error.skus = tuple(dict.fromkeys(line.sku for line in order.payload.lines if line.sku in named))
        raise


def form_of(order: SubmitOrder, options: Options) -> Mapping[str, str]:
    """The fields of an order. Raises OrderRefusedError where VOP has no form for it."""
    wanted = order.payload
    if wanted.price_basis is not options.price_basis:
        raise _refused(f"The contract fixes {options.price_basis} prices.")
    form = {
        "thirdOrder": order.order_no,
        "sku": _json(_line(line, wanted.price_basis) for line in _lines(wanted, options)),
        **_receiver(wanted.receiver),
        **_address(wanted),
        "remark": wanted.remark or "",
        **_invoice(wanted.invoice, options),
        **_payment(wanted.payment, options),
        "submitState": MODES[wanted.mode][0],
        **_prices(wanted),
    }
    for name, most in LONGEST.items():
        if len(form[name]) > most:
            raise _refused(f"{name} is longer than {most} characters.")
    return {name: text for name, text in form.items() if text}


def _lines(wanted: Submission, options: Options) -> tuple[OrderedLine, ...]:
    if len(wanted.lines) > options.most_lines:
        raise _refused(f"More than {options.most_lines} lines.")
    for line in wanted.lines:
        if not SKU.fullmatch(line.sku) or line.sku.startswith("0"):
            raise _refused(f"{sdk.legible(line.sku)} is no article of VOP.", RefusalClass.NOT_SELLABLE)
        if line.quantity != line.quantity.to_integral_value() or line.quantity > MOST_PIECES:
            raise _refused(f"Line {line.line_no}: no whole number of pieces.")
    return wanted.lines


def _line(line: OrderedLine, basis: PriceBasis) -> str:
    return (
        f'{{"skuId":{line.sku},"num":{line.quantity.to_integral_value():f},"price":{_price(line, basis):f},'
        '"bNeedAnnex":true,"bNeedGift":true}'
    )


def _prices(wanted: Submission) -> Mapping[str, str]:
    """Whether the price of the day is taken, or the order refused once it is another than the buyer saw."""
    if wanted.price_mode is PriceMode.ACCEPT:
        return {"doOrderPriceMode": "0"}
    seen = (f'{{"skuId":{line.sku},"price":{_price(line, wanted.price_basis):f}}}' for line in wanted.lines)
    return {"doOrderPriceMode": "1", "orderPriceSnap": _json(dict.fromkeys(seen))}


def _price(line: OrderedLine, basis: PriceBasis) -> Decimal:
    price = line.price.net if basis is PriceBasis.NET else line.price.gross
    if price is None:
        raise _refused(f"Line {line.line_no}: the contract fixes net prices, and there is none.")
    return price


def _json(objects: Iterator[str] | Mapping[str, None]) -> str:
    """A JSON array: its numbers are decimals, written as they are."""
    return f"[{','.join(objects)}]"


def _receiver(receiver: Receiver) -> Mapping[str, str]:
    return {
        "name": receiver.name,
        "mobile": receiver.mobile or "",
        "phone": receiver.phone or "",
        "email": receiver.email or "",
    }


def _address(wanted: Submission) -> Mapping[str, str]:
    area = wanted.address.supplier_area or ""
    if not re.fullmatch(AREA_PATH, area, re.ASCII):
        raise _refused("No area of VOP's tree, such as 7_412_3545.", RefusalClass.ADDRESS)
    province, city, county, *rest = area.split("_")
    town = rest[0] if rest else "0"
    places = {"province": province, "city": city, "county": county, "town": town}
    return {**places, "address": wanted.address.text, "zip": wanted.address.zip or ""}


def _invoice(invoice: Invoice | None, options: Options) -> Mapping[str, str]:
    if invoice is None:
        return {"invoiceState": options.invoice_state}
    if invoice.kind not in INVOICES:
        raise _refused(f"VOP makes out no {invoice.kind} invoices.")
    return {
        "invoiceState": options.invoice_state,
        "invoiceType": INVOICES[invoice.kind],
        "selectedInvoiceTitle": COMPANY,
        "companyName": invoice.title,
        "regCode": invoice.tax_no or "",
        "invoiceContent": DETAIL,
    }


def _payment(kind: PaymentKind, options: Options) -> Mapping[str, str]:
    payment = options.payments.get(kind) or PAYMENTS.get(kind)
    if payment is None:
        raise _refused(f"VOP is not paid by {kind}.")
    return {"paymentType": payment, "isUseBalance": "1" if payment == PREPAID else "0"}


def _refused(why: str, code_class: RefusalClass = RefusalClass.INVALID_REQUEST) -> sdk.OrderRefusedError:
    """The refusal of an order that was not sent."""
    return sdk.OrderRefusedError(why, code_class=code_class)
