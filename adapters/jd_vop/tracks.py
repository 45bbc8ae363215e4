"""Where the goods of an order are: the steps that VOP tells, and the numbers of carriers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from adapters.jd_vop import order_codes, orders, replies
from adapters.jd_vop.rows import Row
from gateway import sdk
from schemas.orders.payloads import TrackStep

LATEST = datetime(2999, 12, 31, tzinfo=UTC)
"""Before it is every time that may be told: of a step announced for tomorrow too."""

LONGEST_STEP = 2000
"""Characters that are kept of a step."""

_EPOCH = re.compile(r"[0-9]{13}")


async def read(http: sdk.Http, number: str) -> sdk.Track:
    """The track of an order or child; VOP keeps it for two months."""
    form = {"jdOrderId": orders.valid(number), "waybillCode": "1"}
    reply = await http.call(sdk.Request(order_codes.TRACK, form=form))
    answer = replies.read(reply)
    if answer.code == order_codes.ABSENT[order_codes.TRACK]:
        return sdk.Track()
    if not isinstance(answer.result, dict):
        raise replies.unpromised(reply, "no track")
    if replies.plain_text(answer.result.get("jdOrderId")) not in (None, number):
        raise replies.unpromised(reply, "the track of another order")
    try:
        steps = [_step(reply, row) for row in _rows(reply, answer.result.get("orderTrack"))]
        parcels = [_parcel(reply, row) for row in _rows(reply, answer.result.get("waybillCode"))]
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise replies.unpromised(reply, f"a track with {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None
    return sdk.Track(tuple(sorted(steps, key=lambda step: step.at)), tuple(dict.fromkeys(parcels)))


def _rows(reply: sdk.Reply, given: Any) -> Iterator[Row]:
    listed = [given] if isinstance(given, dict) and given else given or []
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise replies.unpromised(reply, "no list of steps or parcels")
    return (Row(each, ()) for each in listed)


def _step(reply: sdk.Reply, row: Row) -> TrackStep:
    text, operator = (" ".join((replies.plain_text(row.get(name)) or "").split()) for name in ("content", "operator"))
    if not text:
        raise replies.unpromised(reply, "a step that says nothing")
    return TrackStep(at=moment(reply, row.get("msgTime")), text=text[:LONGEST_STEP], operator=operator or None)


def _parcel(reply: sdk.Reply, row: Row) -> sdk.Parcel:
    waybill, order = replies.plain_text(row.get("deliveryOrderId")), replies.plain_text(row.get("orderId"))
    if not waybill or len(waybill) > 128 or not waybill.isprintable():
        raise replies.unpromised(reply, "a parcel without a number")
    carrier = row.label("carrier")
    if row.issues or (order is not None and not orders.NUMBER.fullmatch(order)):
        raise replies.unpromised(reply, "a parcel of no carrier or order")
    return sdk.Parcel(waybill, carrier, order)


def moment(reply: sdk.Reply, given: Any) -> datetime:
    """A time as VOP writes it: without a zone, in Shanghai's; with dashes or slashes, or milliseconds since 1970."""
    text = replies.plain_text(given) or ""
    try:
        if _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        return sdk.instant(text.replace("/", "-"), LATEST)
    except ValueError as error:
        raise replies.unpromised(reply, f"no time: {sdk.legible(text)}") from error
