"""The message pool: what it holds, and what has to be reread because of it."""

from __future__ import annotations

import json  # noqa: TID251 - reads what the decoder refuses: one message must not hold up the others
import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.jd_vop import areas, replies
from adapters.jd_vop.orders import NUMBER
from adapters.jd_vop.pulls import SKU, together
from adapters.jd_vop.rows import Row
from gateway import sdk
from schemas.catalog import Facet

REREADS: Mapping[str, frozenset[Facet]] = {
    "2": frozenset({Facet.PRICE}),
    "4": frozenset({Facet.LISTING}),
    "6": frozenset(Facet),  # put into a pool, or taken out of it
    "16": frozenset({Facet.PRODUCT}),
    "28": frozenset(Facet),  # a pool has changed
    "49": frozenset({Facet.PRICE}),  # discount rate
    "100": frozenset({Facet.PRICE, Facet.PRODUCT}),  # tax rate
}
"""Facets that a message about a sku makes us reread, by its type. What else it says is never taken for true."""

WIDER: Mapping[str, str] = {"28": "a pool has changed", "49": "the discount rate has changed"}
"""Types that may name no sku, because they concern more than one: only a sweep finds out what they changed."""

OF_ORDERS: Mapping[str, str] = {
    "1": "pOrder",  # split
    "5": "orderId",  # delivered, or rejected
    "10": "orderId",  # cancelled
    "14": "orderId",  # payment failed
    "15": "orderId",  # cancelled because nobody paid or confirmed
    "18": "orderId",  # awaiting receipt
    "23": "orderId",  # returned in delivery
    "25": "orderId",  # new
    "26": "orderId",  # reserved
    "31": "orderId",  # finished
    "12": "orderId",  # a delivery note was made
    "108": "orderId",  # paid
    "109": "orderId",  # money goes back
    "110": "orderId",  # an after-sale service has moved
}
"""Types of messages about an order, and the member that names it; the order is read, and the rest not believed."""

OF_INVOICES = "11"
"""Type of the progress of an application for invoices, which `markId` names; it is read, and the rest not believed."""

OF_SERVICE = "28"
"""In older documents an after-sale service has moved, and the order is named; in newer ones a pool has changed."""

AREA_CHANGE = "50"

TYPES = ",".join(sorted((*REREADS, *OF_ORDERS, OF_INVOICES, AREA_CHANGE), key=int))
"""Types that are fetched."""

MARK_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")

LONGEST_LOOSE, LONGEST_WHOLE = 1024 * 1024, 1000
"""Bytes of an answer, and digits of a number in it, that are read though it is not JSON to the letter."""

MOST_LOOSE = 20_000
"""Brackets and commas of such an answer, those in texts included: every value stands behind one of them."""

GONE = ("不存在", "已删除", "已被删除", "已经删除")
"""Words of a refusal to delete a message because it is deleted."""


async def fetch(http: sdk.Http) -> list[sdk.Message]:
    """What waits. An element that is no message has the id and type "" and is left to `follow_ups` to refuse."""
    reply = await http.call(sdk.Request("message_get", form={"type": TYPES}))
    try:
        answer = replies.read(reply)
    except sdk.ContractError:
        if found := _read_loosely(reply):
            return found
        raise
    if answer.empty:
        return []
    if not isinstance(answer.result, list):
        raise replies.unpromised(reply, "no list of messages")
    return [_message(each, sdk.encode(each)) for each in answer.result]


def _read_loosely(reply: sdk.Reply) -> list[sdk.Message]:
    """Messages of an answer that is JSON but for what single ones hold; none where it is not.

    A pool brings a message again until it is deleted, so one that is no JSON would hold up all others. Control
    characters and halves of characters stay in it, for `follow_ups` to refuse it alone; of names given twice the last
    counts.
    """
    if len(reply.body) > LONGEST_LOOSE or sum(map(reply.body.count, (b",", b"[", b"{"))) > MOST_LOOSE:
        return []
    try:
        value = json.loads(reply.body.decode(errors="replace"), strict=False, parse_int=_whole)
        answer = replies.envelope(reply.operation, value)
    except (ValueError, RecursionError):
        return []
    if answer is None or answer.fault or not isinstance(answer.result, list):
        return []
    return [_message(each, json.dumps(each).encode()) for each in answer.result]


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < LONGEST_WHOLE else digits


def _message(element: Any, raw: bytes) -> sdk.Message:
    members = {name.strip(): value for name, value in element.items()} if isinstance(element, dict) else {}
    return sdk.Message(_word(members.get("id")), _word(members.get("type")), raw)


def _word(given: Any) -> str:
    return (replies.plain_text(given) or "").encode(errors="replace").decode()


def follow_ups(message: sdk.Message, known: Sequence[str]) -> tuple[sdk.FollowUp, ...]:
    """What a message makes us reread. Raises ContractError where its type or content is not promised.

    known: the contract's areas. A change that lies neither on the way to one of them nor right below a province has no
    consequence here: the message names the number of its area's parent, and a number alone is no place in the tree.
    """
    if message.type not in (*REREADS, *OF_ORDERS, OF_INVOICES, AREA_CHANGE):
        raise _unknown(message, "a type that is not known", sdk.UnknownMessageError)
    try:
        content = replies.stripped(sdk.members(message.raw)).get("result")
        if isinstance(content, str) and sdk.whole_json(content.encode()):
            content = replies.stripped(sdk.decode(content.encode()))
    except (sdk.InvalidMessageError, ValueError) as error:
        raise _unknown(message, str(error)) from error
    if not isinstance(content, dict):
        raise _unknown(message, "no result")
    if message.type == AREA_CHANGE:
        parent = _changed(message, content, known)
        return () if parent is None else (sdk.RereadAreas(parent),)
    if message.type == OF_INVOICES:
        return (sdk.RereadInvoices(_mark_id(message, content)),)
    if message.type in OF_ORDERS or (message.type == OF_SERVICE and "afsServiceId" in content):
        return (sdk.RereadOrder(_order(message, content)),)
    sku = Row(content, ()).sku
    if not SKU.fullmatch(sku):
        raise _unknown(message, f"{WIDER[message.type]}: sweep" if message.type in WIDER else "no sku")
    return (sdk.Reread(sku, REREADS[message.type]),)


def _order(message: sdk.Message, content: Mapping[str, Any]) -> str:
    """The number of the order that a message is about; editions of the documents name it otherwise."""
    row = Row(content, ())
    named = (
        replies.plain_text(row.get(name)) for name in (OF_ORDERS.get(message.type, "orderId"), "orderId", "jdOrderId")
    )
    number = next(filter(None, named), "")
    if not NUMBER.fullmatch(number):
        raise _unknown(message, "no order")
    return number


def _mark_id(message: sdk.Message, content: Mapping[str, Any]) -> str:
    """Our number of the application that a message is about."""
    mark_id = replies.plain_text(Row(content, ()).get("markId")) or ""
    if not MARK_ID.fullmatch(mark_id):
        raise _unknown(message, "no application")
    return mark_id


def _changed(message: sdk.Message, content: Mapping[str, Any], known: Sequence[str]) -> str | None:
    """The parent of an area that has changed. Levels of messages begin with the country, ours with the province."""
    level, parent = replies.plain_text(content.get("areaLevel")), replies.plain_text(content.get("parentId"))
    if level in ("1", "2"):
        return ""
    if level not in ("3", "4", "5") or parent is None or not parent.isdecimal():
        raise _unknown(message, "no area")
    return areas.way_to(int(level) - 2, parent, known)


def _unknown(message: sdk.Message, what: str, error: type[sdk.ContractError] = sdk.ContractError) -> sdk.ContractError:
    kind = sdk.legible(message.type)
    return error(f"message of type {kind!r}: {what}", operation="message_get", reply=message.raw)


async def acknowledge(http: sdk.Http, messages: Sequence[sdk.Message]) -> None:
    """Delete messages, one call each. One that has no id cannot be deleted."""
    ids = dict.fromkeys(message.id for message in messages if message.id)
    await together(*(_delete(http, each) for each in ids))


async def _delete(http: sdk.Http, message: str) -> None:
    try:
        await http.call(sdk.Request("message_del", form={"id": message}))
    except sdk.ContractError as error:
        if not any(word in str(error) for word in GONE):
            raise
