"""Placing an order by one call, under the mall's own number."""

from __future__ import annotations

from decimal import Decimal

import orjson

from adapters import native
from gateway import sdk
from schemas.orders import SubmitOrder
from schemas.orders.parts import Totals
from schemas.orders.payloads import StatedOrder


class Adapter(native.Adapter):
    """Takes orders, and feeds in the gateway's own format; it has no options."""

    async def submit_order(self, http: sdk.Http, order: SubmitOrder) -> sdk.SupplierOrder:
        """Place an order. Raises ContractError for an answer without a number and a sum."""
        gross = order.payload.totals.gross
        body = {"order_no": order.order_no, "key": order.command_id, "gross": f"{gross:f}"}
        reply = await http.call(sdk.Request("submit_order", json=orjson.dumps(body)))
        answer = sdk.decode_reply(reply)
        if not isinstance(answer, dict) or not {"number", "gross"} <= answer.keys():
            raise sdk.ContractError("No order in the answer.", operation="submit_order", reply=reply.body)
        stated = StatedOrder(totals=Totals(gross=Decimal(answer["gross"])))
        return sdk.SupplierOrder(answer["number"], sdk.Standing.PLACED, stated, order_no=order.order_no)
