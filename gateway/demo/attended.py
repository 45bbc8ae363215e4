"""What the people of the called supplier do in the demo: make out invoices, deliver, take goods back and pay."""

from __future__ import annotations

import asyncio
from collections import Counter

from gateway.demo.simulators import Simulated
from gateway.outbound import SimulatorClient

MARK = "FP-{order_no}"
"""The mall's number of the application for invoices of an order; those that are cancelled have none."""

ACTS = ("audit", "approve", "send_goods", "receive", "handle", "refund", "close")
"""What happens to goods that go back, to the money."""

LOOK_SECONDS = 0.5


async def attend(site: Simulated) -> None:
    """Act at a supplier until cancelled: each application is made out and its order delivered, each service ended."""
    invoiced: set[str] = set()
    acted = Counter[str]()
    async with SimulatorClient(site.url) as control:
        while True:
            for order_no in {each["thirdOrder"] for each in await control.orders()} - invoiced:
                if await control.issue_invoice(MARK.format(order_no=order_no)):
                    invoiced.add(order_no)
                    await control.deliver(order_no)
            for each in await control.services():
                number = each["afsServiceId"]
                if acted[number] < len(ACTS):
                    await control.move_service(number, ACTS[acted[number]])
                    acted[number] += 1
            await asyncio.sleep(LOOK_SECONDS)
