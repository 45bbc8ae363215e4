"""Records of the topics of commands, as the AsyncAPI document has them. The people in them are made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT, Command
from contrib.mall.plan import Plan
from contrib.mall.service_commands import after_sale_request, contract_no, contract_text, invoice_application
from contrib.mall.services import AFTER_SALE, INVOICE, ISSUE

TENANT = "410000"
CHINA = timezone(timedelta(hours=8))


def command_of(plan: Plan, operation: str, now: datetime, life: timedelta) -> Command:
    """The command of an operation of an order; its id is the same whenever it is made. life: until its deadline."""
    content = {
        "command_id": str(uuid5(NAMESPACE_URL, f"{plan.order_no}/{operation}")),
        "supplier": plan.lines[0][0].supplier,
        "tenant": TENANT,
        "order_no": plan.order_no,
        "revision": 1,
        "issued_at": now.isoformat(),
        "deadline": (now + life).isoformat(),
        "operation": operation,
        "payload": _PAYLOADS[operation](plan),
    }
    if operation == ISSUE:
        content["contract_no"] = contract_no(plan)
    return Command(orjson.dumps(content), content)


def headers_of(command: Command) -> list[tuple[str, bytes]]:
    """CloudEvents headers of a command; it is about what its key names."""
    operation = command.operation
    named = {
        "ce_specversion": "1.0",
        "ce_id": command.id,
        "ce_source": "/mall/core",
        "ce_type": f"mall.{'contracts' if operation == ISSUE else 'orders'}.{operation}.v1",
        "ce_subject": command.key,
        "ce_time": command.content["issued_at"],
        "ce_dataschema": f"urn:mallgate:schema:{operation.replace('.', '-')}:v1",
        "content-type": "application/json",
        "gw-supplier": command.supplier,
    }
    return [(name, str(value).encode()) for name, value in named.items()]


def _submission(plan: Plan) -> Mapping[str, Any]:
    lines = [
        {
            "line_no": number,
            "sku": goods.sku,
            "quantity": str(quantity),
            "price": {"gross": f"{goods.gross:f}"},
            "name": goods.name,
        }
        for number, (goods, quantity) in enumerate(plan.lines, 1)
    ]
    return {
        "lines": lines,
        "totals": {"gross": f"{sum(goods.gross * quantity for goods, quantity in plan.lines):f}"},
        "receiver": {"name": "王小明", "mobile": "13900000000", "email": "buyer@example.com"},
        "address": {
            "mall_areas": ["410000", "410100", "410105"],
            "supplier_area": plan.lines[0][0].area,
            "text": "建设路某号",
            "zip": "450000",
        },
        "invoice": {"kind": "special", "title": "某某局", "tax_no": "11410000MB0000000X"},
        "payment": "credit",
        "mode": plan.mode,
    }


def _confirmation(_: Plan) -> Mapping[str, Any]:
    return {}


def _cancellation(_: Plan) -> Mapping[str, Any]:
    return {"scope": "order", "reason": "采购计划调整"}


_PAYLOADS: Mapping[str, Callable[[Plan], Mapping[str, Any]]] = {
    SUBMIT: _submission,
    CONFIRM: _confirmation,
    CANCEL: _cancellation,
    ISSUE: contract_text,
    INVOICE: invoice_application,
    AFTER_SALE: after_sale_request,
}
