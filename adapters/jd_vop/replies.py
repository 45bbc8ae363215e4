"""The envelope around every answer of VOP, and what its codes mean.

`success`, `resultCode`, `resultMessage` and `result`, in many spellings: the code may be four digits, null, "0", "1" or
a word, `code` 200 may stand beside it, `result` may be a text that holds JSON, and names may have blanks at their ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from adapters.jd_vop import order_codes, service_codes
from gateway import sdk

_SHARED: Mapping[str, type[sdk.SupplierError]] = {
    "1005": sdk.AuthError,  # invalid key
    "1020": sdk.AuthError,  # no key
    "1022": sdk.AuthError,  # no token
    "2001": sdk.AuthError,  # no permission, of several kinds; 2004 concerns goods, not us
    "2002": sdk.AuthError,
    "2003": sdk.AuthError,
    "2005": sdk.AuthError,
    "2006": sdk.AuthError,
    "2007": sdk.AuthError,  # token expired
    "2011": sdk.AuthError,  # refresh token invalid
    "2012": sdk.AuthError,  # refresh token expired
    "3021": sdk.RateLimitError,  # too many failures
    "3035": sdk.UnavailableError,  # time-outs inside the platform
    "3036": sdk.UnavailableError,
    "3038": sdk.UnavailableError,
    "3040": sdk.AuthError,  # key blocked
    "3041": sdk.RateLimitError,  # too many calls at once
    "3042": sdk.RateLimitError,  # beyond the contract's level
    "3058": sdk.UnavailableError,
    "5001": sdk.UnavailableError,
    "6000": sdk.UnavailableError,
}

BUSINESS: Mapping[str, type[sdk.SupplierError]] = {**_SHARED, "3002": sdk.RateLimitError}
"""Faults by code, where the business behind the gateway of VOP answers; any other "no" is a ContractError."""

GATEWAY: Mapping[str, type[sdk.SupplierError]] = {
    **_SHARED,
    "1003": sdk.AuthError,  # invalid token; of the business: a bad value
    "1004": sdk.AuthError,  # token expired; of the business: given twice
    "3004": sdk.UnavailableError,  # time-out; of the business: may not be sold
}
"""Faults by code, where VOP's gateway answers itself: without `success`, or with words about the token."""

DONE = frozenset({"", "0", "1", "0000", "200"})
"""Codes of a "yes", whatever it holds."""

QUIET = frozenset({"0", "0000", "200"})
"""Codes of a "yes" that may hold nothing. Without a code, nothing is no answer."""

EMPTY: Mapping[str, frozenset[str]] = {
    "get_page_num": QUIET,
    "get_sku": QUIET,
    "get_sku_by_page": QUIET,
    "sku_image": QUIET,
    "message_get": QUIET | {""},  # what waits is told again
    "message_del": DONE,  # it tells nothing
    "get_city": QUIET,
    "get_county": QUIET,
    "get_town": QUIET,
}
"""Operations whose "yes" may hold nothing, and the codes with which it may. Of goods, nothing is never a "yes"."""

NOTHING: Mapping[str, frozenset[str]] = {
    "get_page_num": frozenset({"0010"}),  # no data
    "get_sku": frozenset({"0010"}),
    "get_sku_by_page": frozenset({"0010"}),
    "message_get": frozenset({"0010"}),
    "get_city": frozenset({"3405"}),  # no lower areas
    "get_county": frozenset({"3405"}),
    "get_town": frozenset({"3405"}),
    "get_detail": frozenset({"0010", "2004"}),  # no data or not in a pool; not in a pool of the contract
    "sku_image": frozenset({"0010", "2004"}),
    "sku_state": frozenset({"0010", "2004"}),
    "check": frozenset({"0010", "2004"}),
    "check_area_limit": frozenset({"0010", "2004"}),
    "get_new_stock_by_id": frozenset({"0010", "2004"}),
    "get_sell_price": frozenset({"0010", "2004", "3001"}),  # 3001: no price
}
"""Codes, by operation, of a "no" that is an answer: there is nothing to tell of what was asked."""

OF_GOODS = frozenset(name for name, codes in NOTHING.items() if "2004" in codes)
"""Operations about goods: the words of their answers may name some that are not to be had."""

PLACED = frozenset({"get_new_stock_by_id", "check_area_limit"})
"""Operations about goods in an area."""

AREA_REFUSED = frozenset({"3009", "3554"})
"""Codes of a "no" to the area that was asked about: not delivered to; a bad address."""

TOKENS = frozenset({"access_token", "refresh_token"})
"""Operations that only hand out tokens: whatever they refuse, they refuse our credentials."""

MAX_MESSAGE = 20_000
"""Characters that are read of the words of an answer: a sentence for each of a hundred skus has a fifth."""

_NAMED = re.compile(r"skuIds?\s*+(?:[:：]\s*+)?+\[([^\[\]]*+)\]", re.IGNORECASE)
_BARS = re.compile(r"购买权限|不在.{0,12}池|不存在|无此商品|没有该商品|未找到.{0,6}商品")
"""What the words say of goods that are not to be had under this contract; each part of them for itself."""

_PARTS = re.compile(r"[;；。!！\n]+")
_NUMBER = re.compile(r"(?<![0-9A-Za-z.])[0-9]{1,20}(?![0-9A-Za-z.])")
_LEFT = re.compile(r"[\[\](){}（）【】“”\"',，、\s]+")
_PLACE = re.compile(r"area|province|地址|区域|[省市县]", re.IGNORECASE)
_GOODS = re.compile(r"商品|sku", re.IGNORECASE)
_TRUTH: Mapping[str, bool | None] = {"true": True, "1": True, "none": None}


_NESTED = frozenset({dict, list})
"""What decoded JSON is nested of; its leaves are many, and none is looked at twice."""


@dataclass(frozen=True)
class Answer:
    """An envelope, opened. success: None where it does not say, False for all but a yes; code: "" for none.

    Its words are read once, however many skus are looked for in them.
    """

    operation: str
    success: bool | None
    code: str
    message: str
    result: Any

    @property
    def empty(self) -> bool:
        """Whether it holds nothing: lists are met as null, "", [] and {}."""
        return self.result is None or self.result in ("", [], {})

    @property
    def nothing(self) -> bool:
        """Whether it says that there is nothing to tell of what was asked, of all or of goods that it names."""
        return self.empty and self.success is not None and (self._no or (self.code in DONE and bool(self.barred)))

    @cached_property
    def barred(self) -> frozenset[str]:
        """Numbers that its words name as not to be had under this contract; those that are skus count."""
        if self.operation not in OF_GOODS:
            return frozenset()
        parts = [part for part in _PARTS.split(self.message) if _BARS.search(part)]
        return frozenset(number for part in parts for number in _NUMBER.findall(part))

    def names(self, skus: Iterable[str]) -> list[str]:
        """Those of these skus that are named as not to be had."""
        barred = self.barred
        return [sku for sku in skus if sku in barred]

    def bars(self, sku: str, skus: Sequence[str]) -> bool:
        """Whether it says that a sku of those asked about is not to be had: by its name, or alone and without names."""
        return sku in self.barred or (len(skus) == 1 and self.nothing and self._no and not self.names(skus))

    @cached_property
    def words(self) -> str:
        """Why, in the supplier's words on one line, whichever goods were asked about beside; else its code."""
        message = _NAMED.sub("", self.message)
        if self.barred:
            parts = (_LEFT.sub(" ", _NUMBER.sub(" ", part)).strip() for part in _PARTS.split(message))
            message = "；".join(dict.fromkeys(part for part in parts if part))
        return sdk.legible(" ".join(message.split()) or self.code)

    @property
    def fault(self) -> type[sdk.SupplierError] | None:
        """The class of what went wrong; None where it is an answer. What no table lists is a ContractError."""
        gateway = self.success is None or "token" in self.message.lower()
        if self.operation in order_codes.OPERATIONS:
            return self._fault_of_order(gateway)
        if self.operation in service_codes.OPERATIONS:
            return self._fault_of_service(gateway)
        fault = (GATEWAY if gateway else BUSINESS).get(self.code)
        if self._of_area and (fault is None or (fault is sdk.AuthError and not gateway)):
            return sdk.AreaRefusedError  # whatever else the code says of goods, or of our rights
        if fault:
            return fault
        return None if self.nothing or self._yes else sdk.ContractError

    def _fault_of_order(self, gateway: bool) -> type[sdk.SupplierError] | None:
        if order_codes.is_answer(self.operation, self.code, success=self.success, empty=self.empty):
            return None
        of_order = order_codes.fault_of(self.operation, self.code, gateway=gateway)
        if self.success is True and not self.empty:
            return sdk.ContractError  # it says yes and no in one
        fault = of_order or (GATEWAY if gateway else BUSINESS).get(self.code)
        if fault is None and self.success is False and order_codes.has_moved(self.operation, self.message):
            return sdk.OrderRefusedError
        return fault or sdk.ContractError

    def _fault_of_service(self, gateway: bool) -> type[sdk.SupplierError] | None:
        facts: Mapping[str, Any] = {"success": self.success, "empty": self.empty}
        if service_codes.is_nothing(self.operation, self.code, **facts):
            return None
        own = service_codes.fault_of(self.operation, self.code, self.message, gateway=gateway, **facts)
        if own is None and self.success is not True:
            return (GATEWAY if gateway else BUSINESS).get(self.code, sdk.ContractError)
        return own

    @property
    def _of_area(self) -> bool:
        """Whether what it refuses is the area, whichever goods are asked about."""
        if self.operation not in PLACED or not self.empty or self.barred or re.search(r"\d{6,}", self.message):
            return False
        words = self.success is False and _PLACE.search(self.message) and not _GOODS.search(self.message)
        return self.code in AREA_REFUSED or bool(words)

    @property
    def _yes(self) -> bool:
        """Whether it is an answer to what was asked; stock says no more than its rows."""
        if self.empty:
            return self.success is True and self.code in EMPTY.get(self.operation, ())
        return self.success is not False and (self.code in DONE or (self._no and bool(self.barred)))

    @property
    def _no(self) -> bool:
        return self.code in NOTHING.get(self.operation, ())


def envelope(operation: str, value: Any) -> Answer | None:
    """The answer that a decoded body is, its result as it came; None where it is no envelope.

    Raises ValueError where two names of the envelope differ in blanks alone.
    """
    if not isinstance(value, dict):
        return None
    members = _named(value)
    code = plain_text(members.get("resultCode")) or plain_text(members.get("code")) or ""
    success_value = members.get("success")
    success = False if isinstance(success_value, dict | list) else _TRUTH.get(str(success_value).strip().lower(), False)
    message = (plain_text(members.get("resultMessage", members.get("msg"))) or "")[:MAX_MESSAGE]
    return Answer(operation, success, code, message, members.get("result"))


def opened(operation: str, value: Any, decode: Callable[[bytes], Any]) -> Answer | None:
    """As `envelope`, with the result ready to be read. decode: for a result that holds JSON itself.

    Raises what `decode` raises, and ValueError where two names differ in blanks alone.
    """
    answer = envelope(operation, value)
    if answer is None:
        return None
    result = answer.result
    if isinstance(result, str) and sdk.whole_json(result.encode()):
        result = decode(result.encode())
    return replace(answer, result=stripped(result))


def stripped(value: Any) -> Any:
    """A value without the blanks at the ends of its names. Raises ValueError where that makes two names one."""
    if value.__class__ is dict:
        members = _named(value)
        for name, child in members.items():
            if child.__class__ in _NESTED:
                members[name] = stripped(child)
        return members
    if value.__class__ is list:
        return [stripped(child) for child in value]
    return value


def _named(members: Mapping[str, Any]) -> dict[str, Any]:
    found = {name.strip(): child for name, child in members.items()}
    if len(found) != len(members):
        raise ValueError("two names differ in blanks alone")
    return found


def plain_text(value: Any) -> str | None:
    """An id, code or word, which VOP writes as a number here and as a text there; None for anything else."""
    match value:
        case bool():
            return None
        case int():
            return str(value)
        case str():
            return value.strip() or None
        case _:
            return None


def judge(reply: sdk.Reply) -> None:
    """Raise the error that a reply is; broken JSON passes, to be kept and refused where it is read."""
    if not sdk.whole_json(reply.body):
        if reply.operation in order_codes.WRITES | service_codes.WRITES:
            raise unpromised(reply, "no answer")  # not an outage: what was asked for may be done
        raise sdk.UnavailableError(operation=reply.operation, status=reply.status)
    try:
        answer = envelope(reply.operation, sdk.decode_reply(reply))
    except (sdk.ContractError, ValueError):
        return
    if answer and (fault := answer.fault):
        raise _error(fault, answer, reply)


def read(reply: sdk.Reply) -> Answer:
    """The answer that a reply without fault is. Raises ContractError with its body where it is none."""
    try:
        answer = opened(reply.operation, sdk.decode_reply(reply), lambda body: sdk.decode_reply(_inner(reply, body)))
    except ValueError as error:
        raise unpromised(reply, str(error)) from error
    if answer is None:
        raise unpromised(reply, "no envelope")
    if fault := answer.fault:
        raise _error(fault, answer, reply)
    return answer


def unpromised(reply: sdk.Reply, what: str) -> sdk.ContractError:
    """The error of a reply that is not what the interface promises. what: in words."""
    return sdk.ContractError(
        f"{reply.operation}: {what}", operation=reply.operation, status=reply.status, reply=reply.body
    )


def _inner(reply: sdk.Reply, body: bytes) -> sdk.Reply:
    return sdk.Reply(reply.operation, reply.status, reply.headers, body)


def _error(fault: type[sdk.SupplierError], answer: Answer, reply: sdk.Reply) -> sdk.SupplierError:
    words = sdk.legible(f"{answer.code or 'no code'}: {answer.message}")
    if fault is sdk.RateLimitError:
        return sdk.RateLimitError(words, operation=reply.operation)
    if fault is sdk.OrderRefusedError:
        return _refusal(words, answer, reply)
    if fault is sdk.AfterSaleRefusedError:
        facts = {"operation": reply.operation, "supplier_code": answer.code}
        return sdk.AfterSaleRefusedError(
            words, refusal=service_codes.refusal_of(answer.code), status=reply.status, **facts
        )
    if fault is sdk.ContractError and reply.operation in TOKENS and answer.success is not True:
        fault = sdk.AuthError
    error = fault(words, operation=reply.operation, supplier_code=answer.code, status=reply.status)
    if isinstance(error, sdk.ContractError):
        error.reply = reply.body
    return error


def _refusal(words: str, answer: Answer, reply: sdk.Reply) -> sdk.OrderRefusedError:
    """Of a submit, whatever numbers the words hold may be those of articles; who knows what was ordered finds out."""
    refusal = sdk.OrderRefusedError(
        words,
        code_class=order_codes.class_of(reply.operation, answer.code, answer.message),
        operation=reply.operation,
        supplier_code=answer.code,
        status=reply.status,
    )
    if reply.operation == order_codes.SUBMIT:
        refusal.skus = tuple(_NUMBER.findall(answer.message))
    return refusal
