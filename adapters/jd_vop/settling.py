"""Confirming and cancelling what VOP holds, one number a call."""

from __future__ import annotations

from adapters.jd_vop import order_codes, orders, replies
from gateway import sdk


async def confirm(http: sdk.Http, number: str) -> None:
    """Make a reservation an order; VOP says no more than that it did."""
    await _write(http, order_codes.CONFIRM, number)


async def cancel(http: sdk.Http, number: str) -> None:
    """Cancel a parent that is not confirmed, or one child of one that is."""
    await _write(http, order_codes.CANCEL, number)


async def _write(http: sdk.Http, operation: str, number: str) -> None:
    reply = await http.call(sdk.Request(operation, form={"jdOrderId": orders.valid(number)}))
    answer = replies.read(reply)
    if answer.code == order_codes.DONE_BEFORE[operation]:
        return
    result = (replies.plain_text(answer.result) or str(answer.result)).lower()
    done = answer.code == order_codes.DONE[operation]
    if result in ("true", "1", number) or (done and answer.empty):
        return
    if result != "false" or done:
        raise replies.unpromised(reply, "neither done nor refused")
    raise sdk.OrderRefusedError(answer.words, operation=operation, supplier_code=answer.code, status=reply.status)
