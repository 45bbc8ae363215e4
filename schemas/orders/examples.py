"""One worked example of each command and event: one order from its submit to its delivery, and what else can happen.

The AsyncAPI document shows them; the tests hold them against the models and the schemas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from schemas.base import Model
from schemas.catalog import PriceBasis
from schemas.envelope import JSON, Envelope, Headers, encode, schema_id
from schemas.orders import aftersales as s
from schemas.orders import commands as c
from schemas.orders import events as e
from schemas.orders import invoices as i
from schemas.orders import parts as p
from schemas.orders import payloads as d
from schemas.orders.kinds import Kind
from schemas.orders.records import COMMAND_TYPE, schema_name

AT = datetime(2026, 11, 23, 9, 30, tzinfo=timezone(timedelta(hours=8)))
SUBMIT_ID, CONFIRM_ID, CANCEL_ID, INVOICE_ID = (f"01JDA7ZZ00000000000000000{n}" for n in "1234")
SERVICE_ID, CANCEL_SERVICE_ID = (f"01JDA7ZZ00000000000000000{n}" for n in "56")
SERVICE_NO = "AS20261201000003"
ORDER_NO, SUPPLIER, TENANT = "HN20261123000017", "acme", "410000"

_PRICE = p.UnitPrice(gross=Decimal("113.00"), net=Decimal("100.00"), tax_rate=Decimal(13), tax=Decimal("13.00"))
_SNAPSHOT = c.PriceSnapshot(gross=Decimal("113.00"), net=Decimal("100.00"), tax_rate=Decimal(13), tax=Decimal("13.00"))
_TOTALS = p.Totals(gross=Decimal("339.00"), net=Decimal("300.00"), tax=Decimal("39.00"), freight=Decimal("6.00"))


def _line(quantity: int) -> p.StatedLine:
    return p.StatedLine(line_no=1, sku="SKU-1", quantity=Decimal(quantity), name="硒鼓 CF228A", price=_PRICE)


def _totals(quantity: int, freight: str) -> p.Totals:
    gross, net, tax = (Decimal(f"{each * quantity}.00") for each in (113, 100, 13))
    return p.Totals(gross=gross, net=net, tax=tax, freight=Decimal(freight))


_RECEIVER = p.Receiver(name="王芳", mobile="13800000000", phone="0371-60000000", email="wangfang@buyer.example")
_ADDRESS = p.Address(
    mall_areas=("410000", "410100", "410105"), supplier_area="7_412_415", text="经三路 1 号 203 室", zip="450000"
)
_INVOICE = p.Invoice(
    kind=p.InvoiceKind.SPECIAL,
    title="河南省某厅",
    tax_no="11410000MB0000000X",
    bank_data=p.BankData(
        bank="某银行郑州分行", account="1702020000000000000", address="郑州市金水区", phone="0371-60000001"
    ),
)

COMMAND_EXAMPLES: Mapping[c.Operation, c.OrderCommand] = {
    c.Operation.SUBMIT: c.SubmitOrder(
        command_id=SUBMIT_ID,
        supplier=SUPPLIER,
        tenant=TENANT,
        order_no=ORDER_NO,
        revision=1,
        issued_at=AT,
        deadline=AT + timedelta(days=1),
        payload=c.Submission(
            lines=(c.OrderedLine(line_no=1, sku="SKU-1", quantity=Decimal(3), price=_SNAPSHOT, name="硒鼓 CF228A"),),
            totals=_TOTALS,
            receiver=_RECEIVER,
            address=_ADDRESS,
            invoice=_INVOICE,
            payment=c.PaymentKind.ACCOUNT_PERIOD,
            mode=c.SubmitMode.RESERVE,
            price_mode=c.PriceMode.REFUSE,
            remark="工作日送货",
        ),
    ),
    c.Operation.CONFIRM: c.ConfirmOrder(
        command_id=CONFIRM_ID,
        supplier=SUPPLIER,
        tenant=TENANT,
        order_no=ORDER_NO,
        revision=1,
        issued_at=AT + timedelta(hours=1),
        deadline=AT + timedelta(days=1),
        payload=c.Confirmation(supplier_order_no="A-1001"),
    ),
    c.Operation.CANCEL: c.CancelOrder(
        command_id=CANCEL_ID,
        supplier=SUPPLIER,
        tenant=TENANT,
        order_no=ORDER_NO,
        revision=1,
        issued_at=AT + timedelta(hours=5),
        deadline=AT + timedelta(days=2),
        payload=c.Cancellation(scope=c.CancelScope.CHILDREN, children=("A-1003",), reason="采购计划调整"),
    ),
    c.Operation.REQUEST_INVOICE: c.RequestInvoice(
        command_id=INVOICE_ID,
        supplier=SUPPLIER,
        tenant=TENANT,
        order_no=ORDER_NO,
        revision=1,
        issued_at=AT + timedelta(days=4),
        deadline=AT + timedelta(days=11),
        payload=i.InvoiceApplication(
            mark_id="FP20261127000003",
            children=("A-1002",),
            invoice=_INVOICE,
            amounts=i.InvoiceAmounts(net=Decimal("200.00"), tax=Decimal("26.00"), gross=Decimal("226.00")),
            receiver=_RECEIVER,
            address=_ADDRESS,
        ),
    ),
    c.Operation.REQUEST_AFTER_SALE: c.RequestAfterSale(
        command_id=SERVICE_ID,
        supplier=SUPPLIER,
        tenant=TENANT,
        order_no=ORDER_NO,
        revision=1,
        issued_at=AT + timedelta(days=4),
        deadline=AT + timedelta(days=6),
        payload=s.AfterSaleRequested(
            service_no=SERVICE_NO,
            kind=s.ServiceKind.RETURN,
            supplier_order_no="A-1002",
            lines=(s.ServiceLine(line_no=1, sku="SKU-1", quantity=Decimal(1)),),
            reason="打印有底灰",
            contact=p.Receiver(name="王芳", mobile="13800000000"),
            pickup=s.Pickup(
                mode=s.PickupMode.COLLECTED,
                address=p.Address(
                    mall_areas=("410000", "410100", "410105"), supplier_area="7_412_415", text="经三路 1 号 203 室"
                ),
            ),
        ),
    ),
    c.Operation.CANCEL_AFTER_SALE: c.CancelAfterSale(
        command_id=CANCEL_SERVICE_ID,
        supplier=SUPPLIER,
        tenant=TENANT,
        order_no=ORDER_NO,
        revision=1,
        issued_at=AT + timedelta(days=4, hours=1),
        deadline=AT + timedelta(days=6),
        payload=s.AfterSaleCancellation(service_no=SERVICE_NO, supplier_order_no="A-1002", reason="已自行解决"),
    ),
}

_BY_SUBMIT, _BY_CONFIRM, _BY_CANCEL, _BY_INVOICE, _BY_SERVICE = (
    e.Cause(command_id=command_id) for command_id in (SUBMIT_ID, CONFIRM_ID, CANCEL_ID, INVOICE_ID, SERVICE_ID)
)
_SENT = (p.LineQuantity(line_no=1, sku="SKU-1", quantity=Decimal(2)),)
_OWN: Mapping[str, object] = {"occurred_at": AT + timedelta(days=1)}
_COMMON: Mapping[str, object] = {
    "occurred_at": AT + timedelta(hours=2),
    "supplier_order_nos": ("A-1001",),
    "raw_code": "0000",
}


def _refused(code: str, message: str) -> Mapping[str, object]:
    return {"occurred_at": AT + timedelta(minutes=1), "raw_code": code, "raw_message": message}


def _by_message(type_: str, id_: str) -> e.Cause:
    return e.Cause(message=e.SupplierMessage(type=type_, id=id_))


def _child(number: str, quantity: int, freight: str) -> d.Child:
    return d.Child(supplier_order_no=number, lines=(_line(quantity),), totals=_totals(quantity, freight))


def _events() -> Iterator[tuple[Kind, Model, e.Cause, Mapping[str, object]]]:
    order = {"lines": (_line(3),), "totals": _TOTALS, "price_basis": PriceBasis.GROSS}
    parcel = {"delivery_no": "D-1", "supplier_order_no": "A-1002"}
    accepted = d.Accepted.model_validate(order | {"reserved_until": AT + timedelta(days=3)})
    yield Kind.ACCEPTED, accepted, _BY_SUBMIT, _COMMON
    yield (
        Kind.REFUSED,
        d.Refused(
            operation=c.Operation.SUBMIT,
            code_class=d.RefusalClass.OUT_OF_STOCK,
            lines=(d.RefusedLine(line_no=1, sku="SKU-1", raw_message="库存不足"),),
        ),
        _BY_SUBMIT,
        _refused("3008", "商品 SKU-1 无货"),
    )
    confirmed = d.Confirmed.model_validate(order | {"promised_at": AT + timedelta(days=4)})
    yield Kind.CONFIRMED, confirmed, _BY_CONFIRM, _COMMON
    cut = d.PartLine(line_no=1, sku="SKU-1", confirmed=Decimal(2), refused=Decimal(1))
    partial = d.PartiallyConfirmed(lines=(_line(2),), totals=_totals(2, "6.00"), parts=(cut,))
    yield Kind.PARTIALLY_CONFIRMED, partial, _BY_CONFIRM, _COMMON
    children = (_child("A-1002", 2, "4.00"), _child("A-1003", 1, "2.00"))
    yield Kind.SPLIT, d.Split(children=children, superseded=("A-1000",)), _by_message("1", "90001"), _COMMON
    dearer = p.UnitPrice(gross=Decimal("118.00"))
    yield (
        Kind.PRICE_MISMATCH,
        d.PriceMismatch(
            expected=_TOTALS,
            offered=p.Totals(gross=Decimal("354.00"), freight=Decimal("6.00")),
            lines=(
                d.MismatchedLine(
                    line_no=1,
                    sku="SKU-1",
                    expected=_PRICE,
                    offered=dearer,
                    expected_quantity=Decimal(3),
                    offered_quantity=Decimal(3),
                ),
            ),
        ),
        _BY_SUBMIT,
        _refused("3019", "价格已变动"),
    )
    one_child = {"scope": c.CancelScope.CHILDREN, "children": ("A-1003",)}
    gone = d.Cancelled.model_validate(one_child | {"by": d.Party.MALL, "reason": "采购计划调整"})
    yield Kind.CANCELLED, gone, _BY_CANCEL, _COMMON
    stays = one_child | {"by": d.Party.SUPPLIER, "code_class": d.RefusalClass.TOO_LATE}
    yield Kind.CANCEL_REFUSED, d.CancelRefused.model_validate(stays), _BY_CANCEL, _refused("3212", "订单已出库")
    left = {"lines": _SENT, "carrier": "某快递", "waybill": "SF100000000001", "at": AT + timedelta(days=1)}
    yield Kind.SHIPPED, d.Shipped.model_validate(parcel | left), _by_message("12", "90002"), _COMMON
    step = d.TrackStep(at=AT + timedelta(days=2), text="已到达郑州分拨中心", operator="李师傅")
    yield Kind.TRACKED, d.Tracked.model_validate(parcel | {"steps": (step,)}), _by_message("12", "90003"), _COMMON
    signed = {"lines": _SENT, "signed_by": "王芳", "at": AT + timedelta(days=3)}
    yield Kind.DELIVERED, d.Delivered.model_validate(parcel | signed), _by_message("5", "90004"), _COMMON
    back = {"lines": _SENT, "reason": "外包装破损", "at": AT + timedelta(days=3)}
    yield Kind.REJECTED, d.Rejected.model_validate(parcel | back), _by_message("5", "90005"), _COMMON
    expired = d.Expired(operation=c.Operation.SUBMIT, deadline=AT + timedelta(days=1))
    yield Kind.EXPIRED, expired, _BY_SUBMIT, _OWN
    nobody = d.Unsupported(reason=d.UnsupportedReason.UNKNOWN_SUPPLIER, operation="order.submit")
    yield Kind.UNSUPPORTED, nobody, _BY_SUBMIT, _OWN
    waits = d.Parked(operation=c.Operation.SUBMIT, reason=d.ParkedReason.OUTCOME_UNKNOWN)
    yield Kind.PARKED, waits, _BY_SUBMIT, _OWN
    yield from _invoice_events()
    yield from _service_events()


def _issued(number: str, net: str, tax: str, gross: str, **more: object) -> i.IssuedInvoice:
    amounts = {"net": Decimal(net), "rate": Decimal(13), "tax": Decimal(tax), "gross": Decimal(gross)}
    stated = {"code": "4100261130", "number": number, "issued_on": date(2026, 11, 28), **amounts, **more}
    return i.IssuedInvoice.model_validate(stated)


def _invoice_events() -> Iterator[tuple[Kind, Model, e.Cause, Mapping[str, object]]]:
    mark = "FP20261127000003"
    first, second = _issued("00812301", "100.00", "13.00", "113.00"), _issued("00812302", "100.00", "13.00", "113.00")
    yield Kind.INVOICE_REQUESTED, i.InvoiceRequested(mark_id=mark), _BY_INVOICE, {**_COMMON, "raw_code": "0004"}
    back = d.InvoiceRefused(mark_id=mark, code_class=d.RefusalClass.NO_SUCH_ORDER)
    yield Kind.INVOICE_REFUSED, back, _BY_INVOICE, _refused("3401", "不存在该订单")
    yield (
        Kind.INVOICE_PARTLY_ISSUED,
        i.InvoiceProgress(mark_id=mark, invoices=(first,)),
        _by_message("11", "91001"),
        _COMMON,
    )
    whole = i.InvoiceProgress(mark_id=mark, invoices=(first, second))
    yield Kind.INVOICE_ISSUED, whole, _by_message("11", "91002"), _COMMON
    on_its_way = whole.model_copy(update={"carrier": "某快递", "waybill": "VA100000000001"})
    yield Kind.INVOICE_MAILED, on_its_way, _by_message("11", "91003"), _COMMON
    void = tuple(each.model_copy(update={"standing": i.InvoiceStanding.VOID}) for each in (first, second))
    yield Kind.INVOICE_VOIDED, i.InvoiceProgress(mark_id=mark, invoices=void), _by_message("11", "91004"), _COMMON
    original = i.InvoiceKey(code="4100261130", number="00812301")
    red = _issued("00812307", "100.00", "13.00", "113.00", standing=i.InvoiceStanding.RED, original=original)
    taken_back = i.InvoiceProgress(mark_id=mark, invoices=(first, second, red))
    yield Kind.INVOICE_RED, taken_back, _by_message("11", "91005"), _COMMON
    wrong = i.InvoiceMismatch(
        mark_id=mark,
        told=i.InvoiceState.PARTLY_ISSUED,
        expected=i.InvoiceAmounts(net=Decimal("200.00"), tax=Decimal("26.00"), gross=Decimal("226.00")),
        invoices=(_issued("00812301", "100.00", "13.00", "113.01"),),
        differences=("gross of invoice 00812301: stated 113.01, sum 113.00",),
    )
    yield Kind.INVOICE_MISMATCH, wrong, _by_message("11", "91006"), _COMMON
    expired = d.InvoiceExpired(mark_id=mark, deadline=AT + timedelta(days=11))
    yield Kind.INVOICE_EXPIRED, expired, _BY_INVOICE, _OWN
    waits = d.InvoiceParked(mark_id=mark, reason=d.ParkedReason.OUTCOME_UNKNOWN)
    yield Kind.INVOICE_PARKED, waits, _BY_INVOICE, _OWN


def _service_events() -> Iterator[tuple[Kind, Model, e.Cause, Mapping[str, object]]]:
    service = {"service_no": SERVICE_NO, "supplier_service_no": "S-7001"}
    yield Kind.SERVICE_ACCEPTED, s.AfterSaleTaken.model_validate(service), _BY_SERVICE, _COMMON
    refused = d.AfterSaleNotDone(
        operation="aftersale.request",
        service_no=SERVICE_NO,
        code_class=s.AfterSaleRefusal.QUANTITY,
        by=d.Party.MALL,
    )
    yield Kind.SERVICE_REFUSED, refused, _BY_SERVICE, _OWN
    approved = {
        "state": s.ServiceState.APPROVED,
        "audit": s.AuditResult.APPROVED,
        "audit_code": "31",
        "notes": "同意退货",
        "return_address": s.ReturnAddress(name="售后组", phone="010-60000000", text="亦庄某路 8 号", zip="100176"),
    }
    yield (
        Kind.SERVICE_PROGRESS,
        s.AfterSaleMoved.model_validate(service | approved),
        _by_message("110", "90006"),
        _COMMON,
    )
    waits = d.AfterSaleWaits(
        operation="aftersale.request", service_no=SERVICE_NO, reason=d.ParkedReason.OUTCOME_UNKNOWN
    )
    yield Kind.SERVICE_PARKED, waits, _BY_SERVICE, _OWN
    money = {"amount": Decimal("113.00"), "at": AT + timedelta(days=9), "credit_note": "CN-0001"}
    yield Kind.REFUNDED, s.RefundMade.model_validate(service | money), _by_message("109", "90007"), _COMMON


def _event(kind: Kind, payload: Model, cause: e.Cause, more: Mapping[str, object]) -> e.OrderEvent:
    whose: dict[str, object] = {
        "order_no": ORDER_NO,
        "supplier": SUPPLIER,
        "tenant": TENANT,
        "cause": cause,
        "payload": payload,
    }
    return e.EVENTS[kind].model_validate({**whose, **more})


EVENT_EXAMPLES: Mapping[Kind, e.OrderEvent] = {each[0]: _event(*each) for each in _events()}


def command_headers(command: c.OrderCommand) -> Headers:
    """Headers as a program of the mall core may write them; the id is its own, here that of the command."""
    return encode(
        Envelope(
            id=command.command_id,
            source="/mall/core",
            type=COMMAND_TYPE[c.Operation(command.operation)],
            subject=command.order_no,
            time=command.issued_at,
            dataschema=schema_id(schema_name(command.operation)),
            datacontenttype=JSON,
            supplier=command.supplier,
        )
    )
