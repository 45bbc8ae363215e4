"""After-sale services: applied for, one article each, cancelled, and read as they stand with what was refunded.

VOP tells no number of a service that was applied for, and knows none of ours. Ours goes at the end of the words about
what is wrong, which come back with the service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from adapters.jd_vop import orders, replies, service_codes
from adapters.jd_vop.options import AREA_PATH
from adapters.jd_vop.pulls import SKU
from adapters.jd_vop.rows import Row
from adapters.jd_vop.tracks import moment
from gateway import sdk
from schemas.orders import AfterSaleRefusal, RequestAfterSale, ServiceKind, ServiceState
from schemas.orders.aftersales import AfterSaleRequested, AuditResult, PickupMode, ReturnAddress
from schemas.orders.parts import Address, Receiver

KINDS: Mapping[ServiceKind, int] = {ServiceKind.RETURN: 10, ServiceKind.EXCHANGE: 20, ServiceKind.REPAIR: 30}
"""`customerExpect`; VOP refunds nothing whose goods stay."""

PICKUPS: Mapping[PickupMode, int] = {PickupMode.COLLECTED: 4, PickupMode.BROUGHT: 7, PickupMode.SENT: 40}
"""`pickwareType`."""

OWN_CARRIER = 10
"""`returnwareType`: VOP's own."""

STEPS: Mapping[str, ServiceState] = {
    "10": ServiceState.REQUESTED,
    "20": ServiceState.REFUSED,
    "21": ServiceState.AUDITING,
    "22": ServiceState.AUDITING,
    "31": ServiceState.RECEIVED,
    "32": ServiceState.RECEIVED,
    "33": ServiceState.RECEIVED,  # being handled, as `processResult` says
    "34": ServiceState.RECEIVED,
    "40": ServiceState.RECEIVED,  # handled; the buyer is to confirm
    "50": ServiceState.DONE,
    "60": ServiceState.CANCELLED,
}
"""`afsServiceStep`."""

HANDLED: Mapping[str, ServiceState] = {
    "23": ServiceState.EXCHANGE_SHIPPED,
    "40": ServiceState.REFUNDING,
    "50": ServiceState.EXCHANGE_SHIPPED,
    "73": ServiceState.REPAIRING,
    "90": ServiceState.EXCHANGE_SHIPPED,
}
"""`processResult` that says how goods are handled; others say that they are looked at, or go back as they came."""

PAGE, MOST_PAGES = 50, 20
LONGEST_WORDS, LONGEST_NOTES = 1000, 2000
STEPS_ASKED = [1, 2]
"""Parts of a service that are asked for beside its own: the address of after-sale, and how the buyer sent the goods."""

_OURS = re.compile(r"\[([0-9A-Za-z][0-9A-Za-z._-]{0,63})\]\s*$")
_CODE = re.compile(r"[0-9]{1,4}")
_NOTE = re.compile(r"[!-~]{1,128}")
_PHONE = re.compile(r"[0-9+(][0-9 ()#*-]{4,39}")


async def apply(http: sdk.Http, request: RequestAfterSale, number: str) -> None:
    """Apply for a service; VOP says no more than that it has it."""
    form = {"param": _text(_application(request.payload, orders.valid(number)))}
    replies.read(await http.call(sdk.Request(service_codes.APPLY, form=form)))


async def cancel(http: sdk.Http, reason: str, number: str) -> None:
    """Take a service back."""
    form = {"param": _text({"serviceIdList": [int(_valid(number))], "approveNotes": reason})}
    reply = await http.call(sdk.Request(service_codes.CANCEL, form=form))
    answer = replies.read(reply)
    if answer.empty or answer.result is True or replies.plain_text(answer.result) in ("true", "1"):
        return
    if answer.result is not False and replies.plain_text(answer.result) != "false":
        raise replies.unpromised(reply, "neither cancelled nor refused")
    raise sdk.AfterSaleRefusedError(
        answer.words, operation=service_codes.CANCEL, supplier_code=answer.code, status=reply.status
    )


async def read(http: sdk.Http, number: str) -> list[sdk.SupplierAfterSale]:
    """Every service of an order or child, by its pages."""
    found: dict[str, sdk.SupplierAfterSale] = {}
    for page in range(1, MOST_PAGES + 1):
        numbers, pages = await _page(http, orders.valid(number), page)
        for each in numbers:
            if each not in found:
                found[each] = await _service(http, number, each)
        if page >= pages:
            break
    return list(found.values())


def _application(wanted: AfterSaleRequested, number: str) -> Mapping[str, Any]:
    """The fields of an application. Raises AfterSaleRefusedError where VOP has no form for it."""
    if wanted.kind not in KINDS or wanted.pickup is None:
        raise _refused(f"VOP does no {wanted.kind}.", AfterSaleRefusal.NOT_OFFERED)
    if len(wanted.lines) > 1:
        raise _refused("VOP takes one article an application.")
    [line] = wanted.lines
    if not SKU.fullmatch(line.sku) or line.quantity != line.quantity.to_integral_value():
        raise _refused(f"No article of VOP, or no whole number of pieces: {sdk.legible(line.sku)}.")
    words = f"{wanted.reason} [{wanted.service_no}]"
    if len(words) > LONGEST_WORDS:
        raise _refused(f"The reason is longer than {LONGEST_WORDS} characters.")
    goes_back = wanted.return_address or wanted.pickup.address
    if goes_back is None and wanted.kind is not ServiceKind.RETURN:
        raise _refused("VOP has to know where repaired or new goods go.")
    back = {} if goes_back is None else {"returnwareType": OWN_CARRIER, **_place("returnware", goes_back)}
    there = wanted.pickup.address
    return {
        "jdOrderId": int(number),
        "customerExpect": KINDS[wanted.kind],
        "questionDesc": words,
        "isNeedDetectionReport": False,
        "isHasPackage": False,
        "packageDesc": 0,
        "asCustomerDto": _contact(wanted.contact),
        "asPickwareDto": {
            "pickwareType": PICKUPS[wanted.pickup.mode],
            **({} if there is None else _place("pickware", there)),
        },
        **({"asReturnwareDto": back} if back else {}),
        "asDetailDto": {"skuId": int(line.sku), "skuNum": int(line.quantity)},
    }


def _contact(contact: Receiver) -> Mapping[str, str]:
    number = contact.mobile or contact.phone or ""
    return {
        "customerContactName": contact.name,
        "customerTel": contact.phone or number,
        "customerMobilePhone": number,
        "customerEmail": contact.email or "",
    }


def _place(prefix: str, address: Address) -> Mapping[str, Any]:
    area = address.supplier_area or ""
    if not re.fullmatch(AREA_PATH, area, re.ASCII):
        raise _refused("No area of VOP's tree, such as 7_412_3545.")
    province, city, county, *rest = map(int, area.split("_"))
    return {
        f"{prefix}Province": province,
        f"{prefix}City": city,
        f"{prefix}County": county,
        f"{prefix}Village": rest[0] if rest else 0,
        f"{prefix}Address": address.text,
    }


async def _page(http: sdk.Http, number: str, page: int) -> tuple[Sequence[str], int]:
    """Numbers of services on a page, and how many pages there are."""
    asked = {"jdOrderId": int(number), "pageIndex": page, "pageSize": PAGE}
    reply = await http.call(sdk.Request(service_codes.LIST, form={"param": _text(asked)}))
    answer = replies.read(reply)
    if answer.empty:
        return [], 0
    members = answer.result if isinstance(answer.result, dict) else {}
    listed = members.get("serviceInfoList") or []
    if "serviceInfoList" not in members or not isinstance(listed, list):
        raise replies.unpromised(reply, "no list of services")
    rows = [Row(each, ()) for each in listed if isinstance(each, dict)]
    if len(rows) < len(listed) or any(replies.plain_text(row.get("orderId")) != number for row in rows):
        raise replies.unpromised(reply, "services of another order")
    pages = replies.plain_text(members.get("pageNum")) or "1"
    return [_number(reply, row.get("afsServiceId")) for row in rows], int(pages) if pages.isdecimal() else 1


async def _service(http: sdk.Http, order: str, number: str) -> sdk.SupplierAfterSale:
    asked = {"afsServiceId": int(number), "appendInfoSteps": STEPS_ASKED}
    reply = await http.call(sdk.Request(service_codes.DETAIL, form={"param": _text(asked)}))
    members = replies.read(reply).result
    if not isinstance(members, dict):
        raise replies.unpromised(reply, "no service")
    row = Row(members, ())
    stated = (replies.plain_text(row.get("afsServiceId")), replies.plain_text(row.get("orderId")))
    if stated != (number, order):
        raise replies.unpromised(reply, "another service than the one that was asked about")
    state, approved = _state(reply, row), replies.plain_text(row.get("approvedResult"))
    if approved is not None and not _CODE.fullmatch(approved):
        raise replies.unpromised(reply, "no code of a decision")
    refunds = await _refunds(http, order, number) if _may_be_refunded(row, state) else ()
    try:
        return _stated(row, number, state, refunds)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        raise replies.unpromised(reply, f"a service with {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from None


def _stated(row: Row, number: str, state: ServiceState, refunds: tuple[sdk.Refund, ...]) -> sdk.SupplierAfterSale:
    ours = _OURS.search(replies.plain_text(row.get("questionDesc")) or "")
    approved, refused = replies.plain_text(row.get("approvedResult")), state is ServiceState.REFUSED
    notes = " ".join((replies.plain_text(row.get("approveNotes")) or "").split())[:LONGEST_NOTES]
    return sdk.SupplierAfterSale(
        supplier_service_no=number,
        state=state,
        service_no=None if ours is None else ours[1],
        audit=AuditResult.REFUSED if refused else AuditResult.APPROVED if approved else None,
        audit_code=approved,
        notes=notes if notes and notes.isprintable() else None,
        return_address=_return_address(row.get("serviceAftersalesAddressInfoDTO")),
        raw_code=replies.plain_text(row.get("afsServiceStep")),
        refunds=refunds,
    )


def _state(reply: sdk.Reply, row: Row) -> ServiceState:
    """Where a service stands: by its step, and within it by what was decided, sent and done."""
    step = replies.plain_text(row.get("afsServiceStep")) or ""
    if step not in STEPS:
        raise replies.unpromised(reply, f"the step {sdk.legible(step)}")
    state = STEPS[step]
    if state is ServiceState.RECEIVED:
        return HANDLED.get(replies.plain_text(row.get("processResult")) or "", state)
    if state in (ServiceState.REQUESTED, ServiceState.AUDITING) and replies.plain_text(row.get("approvedResult")):
        sent = row.get("serviceExpressInfoDTO")
        return ServiceState.GOODS_RETURNING if isinstance(sent, dict) and sent else ServiceState.APPROVED
    return state


def _may_be_refunded(row: Row, state: ServiceState) -> bool:
    back = replies.plain_text(row.get("customerExpect")) == str(KINDS[ServiceKind.RETURN])
    return back and state in (ServiceState.REFUNDING, ServiceState.DONE)


async def _refunds(http: sdk.Http, order: str, number: str) -> tuple[sdk.Refund, ...]:
    """What was refunded for a service; one that is not confirmed yet has no time, and is none."""
    form = {"orderId": order, "refId": number}
    reply = await http.call(sdk.Request(service_codes.REFUND, form=form))
    answer = replies.read(reply)
    if answer.empty:
        return ()
    if not isinstance(answer.result, dict):
        raise replies.unpromised(reply, "no refund")
    row = Row(answer.result, ())
    amount, at = row.amount("refundAmount"), row.get("confirmDate")
    if row.issues or replies.plain_text(row.get("requestId")) not in (None, number):
        raise replies.unpromised(reply, "no amount, or the refund of another service")
    if not amount or at in (None, ""):
        return ()
    note = replies.plain_text(row.get("financeNo"))
    if note is not None and not _NOTE.fullmatch(note):
        raise replies.unpromised(reply, "no number of a transfer")
    return (sdk.Refund(amount, moment(reply, at), note),)


def _return_address(given: Any) -> ReturnAddress | None:
    """Where the goods are to be sent; what cannot be told of it costs no service."""
    row = Row(given if isinstance(given, dict) else {}, ())
    text, phone = row.line("address"), replies.plain_text(row.get("tel")) or ""
    if text is None:
        return None
    number = phone if _PHONE.fullmatch(phone) else None
    return ReturnAddress(name=row.line("linkMan"), phone=number, text=text, zip=row.line("postCode"))


def _number(reply: sdk.Reply, given: Any) -> str:
    number = replies.plain_text(given) or ""
    if not orders.NUMBER.fullmatch(number):
        raise replies.unpromised(reply, "no number of a service")
    return number


def _valid(number: str) -> str:
    if not orders.NUMBER.fullmatch(number):
        raise _refused("VOP's numbers of services are digits.", AfterSaleRefusal.NO_SUCH_SERVICE)
    return number


def _text(value: Mapping[str, Any]) -> str:
    return sdk.encode(value).decode()


def _refused(why: str, refusal: AfterSaleRefusal = AfterSaleRefusal.INVALID_REQUEST) -> sdk.AfterSaleRefusedError:
    """The refusal of what was not sent."""
    return sdk.AfterSaleRefusedError(why, refusal=refusal)
