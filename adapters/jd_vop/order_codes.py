"""What VOP's codes say of orders: done, done before, not there, refused, or nobody knows.

An order must not be taken for undone because somebody says "later": what may have happened is OutcomeUnknownError, and
the gateway sends the same again under the same number, or asks first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway import sdk
from schemas.orders import InvoiceState, RefusalClass

SUBMIT, CONFIRM, CANCEL = "submit_order", "confirm_order", "cancel_order"
INVOICE, INVOICES, POSTED = "submit_invoice", "select_invoices", "invoice_waybill"
FIND, SELECT, TRACK = "select_jd_order_id_by_third_order", "select_jd_order", "order_track"

WRITES = frozenset({SUBMIT, CONFIRM, CANCEL, INVOICE})
"""Operations that change something."""

OPERATIONS = WRITES | {FIND, SELECT, TRACK, INVOICES, POSTED}
"""Operations of orders and their invoices."""

DONE: Mapping[str, str] = {SUBMIT: "0001", CONFIRM: "0003", CANCEL: "0002", INVOICE: "0004"}
"""The code of each write that was done; it may come without a result."""

DONE_BEFORE: Mapping[str, str] = {SUBMIT: "0008", CONFIRM: "3103", CANCEL: "3203", INVOICE: "0008"}
"""The code with which VOP says that it has done so before; it mostly calls that a failure."""

ABSENT: Mapping[str, str] = {FIND: "3401", TRACK: "3402", INVOICES: "0010", POSTED: "0010"}
"""The code of a "no" that is an answer: no such order; no tracking yet; no such application, nothing mailed."""

APPLICATIONS: Mapping[str, InvoiceState] = {
    "0004": InvoiceState.REQUESTED,
    "0005": InvoiceState.ISSUED,
    "0006": InvoiceState.PARTLY_ISSUED,
    "0007": InvoiceState.REFUSED,  # taken back: as long as nothing was made out, it is refused
}
"""What the code of a "yes" says of an application for invoices."""

READINGS: Mapping[str, frozenset[str]] = {INVOICES: frozenset(APPLICATIONS), POSTED: frozenset({"0005", "0006"})}
"""Codes of a "yes" that say what was asked for, of operations whose answers have codes of their own."""

UNSURE = frozenset({"3035", "3036", "3038", "3058", "5001", "6000"})
"""Codes after which nobody knows whether a write was done: time-outs behind VOP's gateway, services that failed."""

TIMED_OUT = "3004"
"""The same, of VOP's gateway alone; of the business it means that goods may not be sold."""

UNDONE: Mapping[str, str] = {SUBMIT: "3058", CONFIRM: "3101", CANCEL: "3201"}
"""The code of each write that failed permanently and may be asked for again."""

_OF_EACH: Mapping[str, RefusalClass] = {
    "1001": RefusalClass.INVALID_REQUEST,
    "1002": RefusalClass.INVALID_REQUEST,
    "1003": RefusalClass.INVALID_REQUEST,
    "1004": RefusalClass.INVALID_REQUEST,
}
_GONE: Mapping[str, RefusalClass] = {"3401": RefusalClass.NO_SUCH_ORDER}

REFUSALS: Mapping[str, Mapping[str, RefusalClass]] = {
    SUBMIT: {
        **_OF_EACH,
        "2004": RefusalClass.NOT_SELLABLE,  # not in a pool of the contract
        "2005": RefusalClass.NOT_PERMITTED,  # no right to this kind of payment
        "2006": RefusalClass.NOT_PERMITTED,  # no valid qualification for special invoices
        "3001": RefusalClass.NO_PRICE,
        "3003": RefusalClass.NOT_SELLABLE,  # a type of order that is not supported
        "3004": RefusalClass.NOT_SELLABLE,
        "3005": RefusalClass.NOT_SELLABLE,  # goods that were not found
        "3008": RefusalClass.OUT_OF_STOCK,
        "3009": RefusalClass.AREA,
        "3016": RefusalClass.CREDIT,
        "3017": RefusalClass.CREDIT,
        "3405": RefusalClass.ADDRESS,
        "3554": RefusalClass.ADDRESS,
    },
    CONFIRM: {
        **_OF_EACH,
        **_GONE,
        "3102": RefusalClass.NO_SUCH_ORDER,
        "3104": RefusalClass.CONFLICT,  # children are not confirmed one by one
        "3105": RefusalClass.CONFLICT,  # a child is cancelled
    },
    CANCEL: {
        **_OF_EACH,
        **_GONE,
        "3202": RefusalClass.NO_SUCH_ORDER,
        "3204": RefusalClass.TOO_LATE,  # in production
        "3205": RefusalClass.CONFLICT,  # not confirmed, so it is cancelled as a whole
        "3206": RefusalClass.TOO_LATE,
        "3207": RefusalClass.CONFLICT,  # a parent, so it is cancelled child by child
        "3208": RefusalClass.TOO_LATE,
        "3209": RefusalClass.CONFLICT,  # a child, so it is cancelled with its parent
        "3211": RefusalClass.CONFLICT,  # some children are confirmed
    },
    INVOICE: {
        **_OF_EACH,
        **_GONE,
        "2006": RefusalClass.NOT_PERMITTED,  # no valid qualification for special invoices
    },
    SELECT: _GONE,
    TRACK: _GONE,
}
"""What VOP refuses permanently, by operation and code, in the mall's words. What no table lists is a ContractError."""

_TROUBLE = re.compile(r"异常|超时|稍后")
_MOVED = re.compile(r"价格[^，。；,;]{0,12}(?:变|不一致|不符|不等)")


def is_answer(operation: str, code: str, *, success: bool | None, empty: bool) -> bool:
    """Whether a code answers what was asked: a "yes", or a "no" that says as much as one."""
    if success is None:
        return False
    if code == DONE_BEFORE.get(operation):
        return True
    if code == ABSENT.get(operation):
        return empty
    if not success:
        return False
    if operation in READINGS:
        return code in READINGS[operation]
    done = DONE.get(operation)
    return code == done or (not empty and code in ("", "0", "1", "0000", "200"))


def fault_of(operation: str, code: str, *, gateway: bool) -> type[sdk.SupplierError] | None:
    """What a code means of orders alone; None: the same as everywhere, or nothing."""
    if not gateway and code == UNDONE.get(operation):
        return sdk.UnavailableError
    if operation in WRITES and (code in UNSURE or (gateway and code == TIMED_OUT)):
        return sdk.OutcomeUnknownError
    if not gateway and code in REFUSALS.get(operation, ()):
        return sdk.OrderRefusedError
    return None


def has_moved(operation: str, message: str) -> bool:
    """Whether a refusal speaks of a price that is no longer the one of the snapshot; the documents name no code."""
    return operation == SUBMIT and bool(_MOVED.search(message)) and not _TROUBLE.search(message)


def class_of(operation: str, code: str, message: str) -> RefusalClass:
    """Why VOP refuses, in the mall's words."""
    if code not in REFUSALS.get(operation, {}) and has_moved(operation, message):
        return RefusalClass.CONFLICT
    return REFUSALS.get(operation, {}).get(code, RefusalClass.OTHER)
