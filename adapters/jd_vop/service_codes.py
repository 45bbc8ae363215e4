"""What VOP's codes say of after-sale services. They are another set than those of orders, and "0" and "1" come with yes
and with no alike: whether it is one says `success` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.jd_vop import order_codes
from gateway import sdk
from schemas.orders import AfterSaleRefusal

APPLY, CANCEL = "create_afs_apply", "audit_cancel"
LIST, DETAIL, REFUND = "get_service_list_page", "get_service_detail_info", "get_order_pay_by_order_id"

WRITES = frozenset({APPLY, CANCEL})
OPERATIONS = WRITES | {LIST, DETAIL, REFUND}

YES = frozenset({"", "0", "1", "0000", "200"})
"""Codes beside a yes."""

PLAIN = frozenset({"", "0"})
"""Codes beside a no that gives no reason."""

FAILED = "2000"
"""The service failed: of a write nobody knows whether it was done."""

UNSURE = order_codes.UNSURE | {FAILED}

REFUSALS: Mapping[str, AfterSaleRefusal] = {
    "6001": AfterSaleRefusal.INVALID_REQUEST,
    "6002": AfterSaleRefusal.NO_SUCH_ORDER,
    "6003": AfterSaleRefusal.NOT_CONFIRMED,
    "6004": AfterSaleRefusal.NOT_OF_ORDER,  # not a child
    "6005": AfterSaleRefusal.NOT_DELIVERED,
    "6006": AfterSaleRefusal.CONFLICT,  # no regular order
    "6007": AfterSaleRefusal.INVALID_REQUEST,  # no such article in the order
    "6008": AfterSaleRefusal.NOT_DELIVERED,  # not finished
    "6009": AfterSaleRefusal.NOT_OFFERED,
    "6010": AfterSaleRefusal.QUANTITY,
    "6011": AfterSaleRefusal.NOT_OFFERED,  # this way of bringing goods back
    "6012": AfterSaleRefusal.NOT_OFFERED,  # this kind of service
    "6013": AfterSaleRefusal.CONFLICT,  # an earlier service was not approved
}
"""What VOP refuses permanently; 6000 is a network that failed."""

_TROUBLE = re.compile(r"异常|超时|稍后")


def fault_of(
    operation: str, code: str, message: str, *, success: bool | None, empty: bool, gateway: bool
) -> type[sdk.SupplierError] | None:
    """What an answer is that is no yes; None: it is one, or the same as everywhere (`shared`) where it is neither."""
    if success is True:
        nothing = empty and operation == DETAIL
        return sdk.ContractError if nothing or code not in YES else None
    unsure = code in UNSURE or (gateway and code == order_codes.TIMED_OUT)
    if operation in WRITES and (unsure or (success is False and code in PLAIN and _TROUBLE.search(message))):
        return sdk.OutcomeUnknownError
    if success is None or gateway:
        return None
    if code in REFUSALS or (operation in WRITES and code in PLAIN):
        return sdk.AfterSaleRefusedError
    return sdk.UnavailableError if code == FAILED else None


def is_nothing(operation: str, code: str, *, success: bool | None, empty: bool) -> bool:
    """Whether a no says that there is nothing: of refunds, that none was made yet."""
    return operation == REFUND and success is False and empty and code in PLAIN


def refusal_of(code: str) -> AfterSaleRefusal:
    """Why VOP refuses, in the mall's words."""
    return REFUSALS.get(code, AfterSaleRefusal.OTHER)
