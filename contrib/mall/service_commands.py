"""What commands carry that are about a contract, invoices or after-sale of an order. The people in them are made up."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from contrib.mall.documents import address_of, document_of
from contrib.mall.plan import Plan

FEN = Decimal("0.01")
RATE = Decimal("0.13")
"""Value added tax of what is ordered."""

RECEIVER = {"name": "王小明", "mobile": "13900000000", "email": "buyer@example.com"}


def contract_no(plan: Plan) -> str:
    """The mall's number of the contract of an order."""
    return f"HT-{plan.order_no}"


def mark_id(plan: Plan) -> str:
    """The mall's number of the application for invoices of an order."""
    return f"FP-{plan.order_no}"


def service_no(plan: Plan) -> str:
    """The mall's number of the after-sale service of an order."""
    return f"AS-{plan.order_no}"


def contract_text(plan: Plan) -> Mapping[str, Any]:
    """The contract of an order: every field of its announcement, and its document as a link."""
    number = contract_no(plan)
    content = document_of(number)
    document = {
        "url": address_of(plan.documents, number),
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "media_type": "text/plain",
        "name": f"网上商城采购合同 {number}",
    }
    return {"announcement": _announcement(plan), "document": document}


def _announcement(plan: Plan) -> Mapping[str, Any]:
    subjects = [
        {
            "name": goods.name[:200],
            "specification": goods.sku,
            "quantity": str(quantity),
            "unit_price": {"amount": f"{goods.gross:f}", "unit": "yuan"},
        }
        for goods, quantity in plan.lines
    ]
    return {
        "name": f"某某局网上商城采购合同 {plan.order_no}",
        "project_no": f"网采-{plan.order_no}",
        "project_name": "某某局办公用品网上商城采购",
        "buyer": {"name": "某某局", "address": "建设路某号", "contact": "王小明", "phone": "13900000000"},
        "seller": {
            "name": plan.lines[0][0].supplier,
            "address": "某市某路",
            "contact": "销售",
            "phone": "0371-60000000",
        },
        "subjects": subjects,
        "amount": {"amount": f"{_gross(plan):.2f}", "unit": "yuan"},
        "performance": {"term": "30 日内交货", "place": "建设路某号"},
        "procurement_method": "online_mall",
        "signed_on": "2026-11-30",
        "withheld": ["buyer.phone", "seller.phone"],
    }


def invoice_application(plan: Plan) -> Mapping[str, Any]:
    """An application for an electronic invoice of a whole order."""
    gross = _gross(plan)
    net = (gross / (1 + RATE)).quantize(FEN, ROUND_HALF_UP)
    return {
        "mark_id": mark_id(plan),
        "invoice": {"kind": "electronic", "title": "某某局", "tax_no": "11410000MB0000000X"},
        "amounts": {"net": f"{net:f}", "tax": f"{gross - net:f}", "gross": f"{gross:f}"},
        "receiver": RECEIVER,
    }


def after_sale_request(plan: Plan) -> Mapping[str, Any]:
    """One piece of the first line of an order goes back."""
    goods, _ = plan.lines[0]
    return {
        "service_no": service_no(plan),
        "kind": "return",
        "lines": [{"line_no": 1, "sku": goods.sku, "quantity": "1"}],
        "reason": "外包装破损",
        "contact": RECEIVER,
        "pickup": {"mode": "sent"},
    }


def _gross(plan: Plan) -> Decimal:
    return sum((goods.gross * quantity for goods, quantity in plan.lines), Decimal(0)).quantize(FEN)
