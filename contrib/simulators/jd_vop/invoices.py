"""Invoices at the supplier: applications by the buyer's number, what is made out of them, and what is asked of them.

The documents name no code for an application that the supplier sent back; it is told here as one that was cancelled
(0007). Every change is an entry of the ledger of orders, under the first order that is invoiced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import orjson

from contrib.simulators.jd_vop.calls import Call
from contrib.simulators.jd_vop.envelopes import RefusedError, money
from contrib.simulators.jd_vop.order import Order, cents
from contrib.simulators.jd_vop.order_book import Entry, OrderBook
from contrib.simulators.jd_vop.orders import duplicate
from contrib.simulators.jd_vop.world import yuan

Envelope = dict[str, Any]
APPLY = "invoice"
ISSUE, PART, REJECT, MAIL, VOID, RED = (f"invoice_{act}" for act in ("issue", "part", "reject", "mail", "void", "red"))
ACTS: Mapping[str, str] = {each.removeprefix("invoice_"): each for each in (ISSUE, PART, REJECT, MAIL, VOID, RED)}
REQUIRED = (
    "supplierOrder",
    "markId",
    "settlementId",
    "invoiceType",
    "invoiceOrg",
    "bizInvoiceContent",
    "invoiceDate",
    "title",
    "billToContact",
    "invoiceNum",
    "invoicePrice",
    "currentBatch",
    "totalBatch",
    "totalBatchInvoiceAmount",
)
PROGRESS: Mapping[str, int] = {ISSUE: 1, REJECT: 2, PART: 3, MAIL: 4}
"""`state` of the message that tells of each; of what is void or red the documents have none, it comes as all."""

CODES: Mapping[str, str] = {APPLY: "0004", ISSUE: "0005", MAIL: "0005", PART: "0006", REJECT: "0007"}
SERIES = "4100261130"


@dataclass(slots=True)
class Application:
    """What was applied for and made out. asked: net, tax and gross in cents; stands: the last act that moved it."""

    mark: str
    form: Mapping[str, str]
    asked: tuple[int, int, int]
    stands: str = APPLY
    waybill: str = ""
    invoices: list[Envelope] = field(default_factory=list)


class Invoices:
    """The applications, and what the supplier answers about them. Operations raise RefusedError, acts ValueError."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._applications: dict[str, Application] = {}
        book.listen({APPLY: self._applied, **dict.fromkeys(ACTS.values(), self._acted)})

    def submit(self, call: Call) -> Envelope:
        """invoice/submit: take an application, once for each number; the same once more is told so."""
        for name in REQUIRED:
            call.text(name)
        form = {name: text for name, text in call.form.items() if name != "token"}
        known = self._applications.get(call.text("markId"))
        if known is not None:
            if known.form != form:
                raise RefusedError("1004", "markId重复", ended=True)
            return duplicate(None, 1)
        orders = [self._order(text) for text in call.text("supplierOrder").split(",")]
        asked = self._asked(call, orders)
        more = {"markId": call.text("markId"), "form": form, "asked": [yuan(each) for each in asked]}
        self._book.note(APPLY, orders[0], call, more)
        return {"success": True, "resultMessage": "", "resultCode": "0004", "result": True}

    def select(self, call: Call) -> Envelope:
        """invoice/select: what was made out; the code says how far it has come."""
        known = self._find(call)
        rows = [_row(each) for each in known.invoices]
        result: Any = rows or (True if call.number % 2 else [])
        return {"success": True, "resultMessage": "", "resultCode": CODES[known.stands], "result": result}

    def waybill(self, call: Call) -> Envelope:
        """invoice/waybill: how paper is on its way."""
        known = self._find(call)
        if not known.waybill:
            raise RefusedError("0010", "未查询到发票邮寄信息")
        row = {"ivcPostId": 61_235_400_001, "deliveryId": known.waybill, "postCompany": "京东快递", "state": 1}
        return {"success": True, "resultMessage": "", "resultCode": "0005", "result": [row]}

    def act(self, parameters: Mapping[str, Any]) -> Envelope:
        """Let something happen to the application "mark". off: cents by which the sums of what is made out are wrong;
        rate: percent of another rate; number: of the invoice that is taken back, none for one that is not there.
        """
        known, act = self._applications.get(parameters["mark"]), ACTS.get(parameters["act"])
        if known is None or act is None:
            raise ValueError(f"no application {parameters['mark']}, or no act: {', '.join(ACTS)}")
        order = self._order(known.form["supplierOrder"].split(",")[0])
        made = self._made(known, act, parameters)
        self._book.note(act, order, None, {"markId": known.mark, "made": made})
        return {"mark": known.mark, "stands": known.stands, "invoices": [_plain(each) for each in known.invoices]}

    def _find(self, call: Call) -> Application:
        known = self._applications.get(call.text("markId"))
        if known is None:
            raise RefusedError("0010", "未查询到发票申请")
        return known

    def _order(self, text: str) -> Order:
        order = self._book.get(int(text)) if text.isdecimal() else None
        if order is None or not order.confirmed or order.cancelled:
            raise RefusedError("3401", f"{text}不存在该订单", ended=True)
        if order.children:
            raise RefusedError("1003", "supplierOrder应为子订单", ended=True)
        return order

    def _asked(self, call: Call, orders: Sequence[Order]) -> tuple[int, int, int]:
        try:
            net, tax, gross = (
                cents(call.form.get(name)) for name in ("invoiceNakedPrice", "invoiceTaxPrice", "invoicePrice")
            )
        except ValueError as error:
            raise RefusedError("1002", "金额格式不正确") from error
        if net + tax != gross or gross > sum(order.amounts.gross + order.freight for order in orders):
            raise RefusedError("1003", "开票金额不正确", ended=True)
        return net, tax, gross

    def _made(self, known: Application, act: str, parameters: Mapping[str, Any]) -> list[Envelope]:
        """Invoices that an act makes out: the half of what was asked for, the rest, or one that takes another back."""
        normal = [each for each in known.invoices if each["state"] == 1]
        if act in (ISSUE, PART):
            left = [
                asked - sum(each[name] for each in normal) for asked, name in zip(known.asked, _AMOUNTS, strict=True)
            ]
            net, tax = (each // 2 for each in left[:2]) if act == PART else left[:2]
            return [self._invoice(known, 1, net, tax, parameters)] if net or tax else []
        if act == RED:
            original = next((each for each in normal if each["number"] == parameters.get("number")), None)
            net, tax = (-original["net"], -original["tax"]) if original else (-known.asked[0] * 2, -known.asked[1] * 2)
            return [self._invoice(known, 3, net, tax, parameters)]
        return []

    def _invoice(self, known: Application, state: int, net: int, tax: int, parameters: Mapping[str, Any]) -> Envelope:
        rate = Decimal(parameters["rate"]) / 100 if "rate" in parameters else _rate(net, tax)
        number = f"{int(known.form['supplierOrder'].split(',')[0]) % 100_000:05d}{len(known.invoices) + 1:03d}"
        gross = net + tax + int(parameters.get("off", 0))
        kind = int(known.form["invoiceType"])
        return {
            "number": number,
            "net": net,
            "tax": tax,
            "gross": gross,
            "rate": str(rate),
            "state": state,
            "type": kind,
        }

    def _applied(self, order: Order, entry: Entry) -> None:
        asked = tuple(cents(each) for each in entry["asked"])
        self._applications[entry["markId"]] = Application(
            entry["markId"], entry["form"], (asked[0], asked[1], asked[2])
        )

    def _acted(self, order: Order, entry: Entry) -> None:
        known, act = self._applications[entry["markId"]], entry["effect"]
        known.invoices += entry["made"]
        if act == VOID:
            known.invoices = [each | {"state": 2} for each in known.invoices]
        if act == MAIL:
            known.waybill = f"VA{order.id}"
        known.stands = act if act in CODES else known.stands
        self._book.message(11, {"markId": known.mark, "state": PROGRESS.get(act, 1)})


_AMOUNTS = ("net", "tax", "gross")


def _rate(net: int, tax: int) -> Decimal:
    """The fraction that a tax is of its net, in whole percent."""
    return (Decimal(tax) / Decimal(net or 1)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _row(invoice: Envelope) -> Envelope:
    return {
        "invoiceId": invoice["number"],
        "invoiceCode": SERIES,
        "invoiceDate": "2026-12-01 00:00:00",
        "invoiceNakedAmount": _signed(invoice["net"]),
        "invoiceTaxRate": orjson.Fragment(invoice["rate"].encode()),
        "invoiceTaxAmount": _signed(invoice["tax"]),
        "invoiceAmount": _signed(invoice["gross"]),
        "invoiceType": invoice["type"],
        "success": True,
        "state": invoice["state"],
    }


def _signed(amount: int) -> orjson.Fragment:
    """Cents as a JSON number with two decimals, also below 0."""
    return money(amount) if amount >= 0 else orjson.Fragment(b"-%d.%02d" % divmod(-amount, 100))


def _plain(invoice: Envelope) -> Envelope:
    return invoice | {name: yuan(abs(invoice[name])) for name in _AMOUNTS}
