"""Commands as the core writes them, and answers to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from contrib.mall.commands import CHINA, command_of
from contrib.mall.orders import SUBMIT, Command, Event
from contrib.mall.plan import Goods, Plan


def command(order_no: str, operation: str = SUBMIT, supplier: str = "jd") -> Command:
    """A command of an order of two pieces of one article."""
    goods = Goods(supplier, "SKU-1", "硒鼓", Decimal("1.50"))
    plan = Plan(order_no, "reserve", (operation,), ((goods, 2),))
    return command_of(plan, operation, datetime.now(CHINA), timedelta(hours=1))


def event(command: Command, kind: str, offset: int = 0) -> Event:
    """What a command is answered."""
    content = {
        "event": kind,
        "order_no": command.order_no,
        "supplier": command.supplier,
        "cause": {"command_id": command.id},
        "supplier_order_nos": [],
        "payload": {"operation": command.operation},
    }
    return Event(f"{command.id}-{kind}", command.order_no, 0, offset, content)
