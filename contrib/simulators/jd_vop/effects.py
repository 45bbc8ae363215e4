"""What each kind of fault does, and at what point of a call.

Before: it changes the supplier or the question, then the call goes on. Instead: the operation is not done at all.
After: the operation has been done, and the supplier goes on at once. Result: the envelope is changed. Wire: the
operation has been done, and its answer suffers on the way. What befalls orders stands in `order_faults`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import orjson

from contrib.simulators.jd_vop.calls import Call
from contrib.simulators.jd_vop.delivery import Delivery, Manner
from contrib.simulators.jd_vop.envelopes import RefusedError, success
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.orders import duplicate
from contrib.simulators.jd_vop.pools import NUMBERS, Pools
from contrib.simulators.jd_vop.tokens import Tokens

Parameters = Mapping[str, Any]
Envelope = dict[str, Any]
_HTML = {"Content-Type": "text/html;charset=UTF-8"}
_MAINTENANCE = (
    "<!DOCTYPE html><html><head><title>系统维护中</title></head><body><h1>系统升级维护，请稍后再试</h1></body></html>"
)
_METADATA = "http://169.254.169.254/latest/meta-data/"


class Before:
    """Effects on the supplier's own state."""

    def __init__(self, tokens: Tokens, messages: MessagePool, pools: Pools) -> None:
        self.effects: Mapping[str, Callable[[Call, Parameters], Call]] = {
            "moved_list": self._moved_list,
            "expired_token": self._expired_token,
            "poison_message": self._poison_message,
            "repeated_page": self._repeated_page,
        }
        self._tokens = tokens
        self._messages = messages
        self._pools = pools

    def _moved_list(self, call: Call, parameters: Parameters) -> Call:
        """The first goods of the pool stand at its end from now on; all others move up, over the edges of pages."""
        if (pool := NUMBERS.get(call.form.get("pageNum", ""))) is not None:
            self._pools.turn(pool, int(parameters.get("by", 1)))
        return call

    def _expired_token(self, call: Call, _: Parameters) -> Call:
        self._tokens.expire()
        return call

    def _poison_message(self, call: Call, parameters: Parameters) -> Call:
        self._messages.poison(parameters.get("type", 777), parameters.get("result", {"unheardOf": True}))
        return call

    def _repeated_page(self, call: Call, parameters: Parameters) -> Call:
        """Another page than the one asked for: that before it, unless told which."""
        page = parameters.get("page") or max(1, int(call.form.get("pageNo", "1")) - 1)
        return replace(call, form={**call.form, "pageNo": str(page)})


def _refused(parameters: Parameters) -> Delivery:
    """An envelope in the place of the answer. names: how a sku that it is about is named; each: how many it names."""
    named = [parameters["names"].format(sku=sku) for sku in parameters["skus"]] if "names" in parameters else []
    words = [*named[: int(parameters.get("each", len(named)))], *filter(None, [parameters.get("message", "")])]
    members = {name: parameters[name] for name in ("success", "result") if name in parameters}
    envelope = RefusedError(parameters.get("code"), "，".join(words)).envelope | members
    return encoded(envelope)


def _status(parameters: Parameters) -> Delivery:
    return Delivery(_MAINTENANCE.encode(), int(parameters.get("status", 503)), dict(_HTML))


def _rate_limited(parameters: Parameters) -> Delivery:
    """retry_after: seconds, "date", any other text as it is, None for no header."""
    retry_after = parameters.get("retry_after", 1)
    if retry_after == "date":
        retry_after = formatdate(time.time() + float(parameters.get("seconds", 1)), usegmt=True)
    headers = {"Content-Type": "application/json"} | ({} if retry_after is None else {"Retry-After": str(retry_after)})
    return Delivery(b'{"success":false,"resultMessage":"too many requests"}', 429, headers)


def _redirect(parameters: Parameters) -> Delivery:
    return Delivery(b"", int(parameters.get("status", 302)), {"Location": parameters.get("location", _METADATA)})


def _html(_: Parameters) -> Delivery:
    return Delivery(_MAINTENANCE.encode(), 200, dict(_HTML))


def _garbage(parameters: Parameters) -> Delivery:
    return Delivery(bytes(place * 197 % 251 for place in range(int(parameters.get("size", 512)))))


def _short_page(envelope: Envelope, _: Parameters) -> Envelope:
    result = envelope["result"]
    if isinstance(result, dict) and "skuIds" in result:
        return envelope | {"result": result | {"skuIds": result["skuIds"][: len(result["skuIds"]) // 2]}}
    return envelope


def _envelope(envelope: Envelope, parameters: Parameters) -> Envelope:
    """Some of its members are others, those of "without" are not there."""
    changed = envelope | {name: value for name, value in parameters.items() if name != "without"}
    return {name: value for name, value in changed.items() if name not in parameters.get("without", ())}


def _duplicate_answer(envelope: Envelope, parameters: Parameters) -> Envelope:
    """An order that has just been taken is told as one submitted before. line: members that differ in its first line;
    order: members that differ in the order itself.
    """
    if envelope.get("resultCode") != "0001":
        return envelope
    result = envelope["result"] | parameters.get("order", {})
    first, *others = result["sku"]
    return duplicate(result | {"sku": [first | parameters.get("line", {}), *others]}, 0)


def _empty(_: Envelope, parameters: Parameters) -> Envelope:
    return success(parameters.get("as"), 0)


def _repeated_messages(envelope: Envelope, _: Parameters) -> Envelope:
    """Every message twice in one answer, the second time after all the others."""
    return envelope | {"result": envelope["result"] * 2} if isinstance(envelope["result"], list) else envelope


def _reordered_messages(envelope: Envelope, _: Parameters) -> Envelope:
    return envelope | {"result": envelope["result"][::-1]} if isinstance(envelope["result"], list) else envelope


def _status_after(delivery: Delivery, parameters: Parameters) -> None:
    """The page of a server that failed after it had done what was asked."""
    failed = _status(parameters)
    delivery.body, delivery.status, delivery.headers = failed.body, failed.status, failed.headers


def _latency(delivery: Delivery, parameters: Parameters) -> None:
    delivery.wait += float(parameters.get("ms", 1000)) / 1000


def _cut_json(delivery: Delivery, parameters: Parameters) -> None:
    """The length is right, and the JSON ends in the middle."""
    delivery.body = delivery.body[: len(delivery.body) - int(parameters.get("bytes", 10))]


def _unbalanced_json(delivery: Delivery, _: Parameters) -> None:
    """Cut in the middle, with a brace at the end all the same: to look at it, it is whole."""
    delivery.body = delivery.body[: len(delivery.body) // 2] + b"}"


def _set_cookie(delivery: Delivery, parameters: Parameters) -> None:
    delivery.headers["Set-Cookie"] = parameters.get("cookie", "JSESSIONID=31F0; Path=/; HttpOnly")


def _gbk(delivery: Delivery, _: Parameters) -> None:
    delivery.body = delivery.body.decode().encode("gbk", "replace")
    delivery.headers["Content-Type"] = "application/json;charset=GBK"


def _manner(manner: Manner) -> Callable[[Delivery, Parameters], None]:
    def go(delivery: Delivery, parameters: Parameters) -> None:
        delivery.manner = manner
        delivery.size = int(parameters.get("size", delivery.size))
        delivery.pause = float(parameters.get("pause", delivery.pause))

    return go


INSTEAD: Mapping[str, Callable[[Parameters], Delivery]] = {
    "status": _status,
    "rate_limited": _rate_limited,
    "redirect": _redirect,
    "html": _html,
    "garbage": _garbage,
    "refused": _refused,
}
RESULT: Mapping[str, Callable[[Envelope, Parameters], Envelope]] = {
    "short_page": _short_page,
    "duplicate_answer": _duplicate_answer,
    "empty": _empty,
    "envelope": _envelope,
    "repeated_messages": _repeated_messages,
    "reordered_messages": _reordered_messages,
}
WIRE: Mapping[str, Callable[[Delivery, Parameters], None]] = {
    "status_after": _status_after,
    "latency": _latency,
    "cut_json": _cut_json,
    "unbalanced_json": _unbalanced_json,
    "set_cookie": _set_cookie,
    "gbk": _gbk,
    **{manner.value: _manner(manner) for manner in Manner if manner is not Manner.WHOLE},
}
BEFORE = ("expired_token", "moved_list", "poison_message", "repeated_page", "clock_skew")
ORDERS_BEFORE = ("key_ignored", "price_changed", "out_of_stock", "cancel_races_confirm")
AFTER = ("split", "partial_confirmation")
KINDS = frozenset({*BEFORE, *ORDERS_BEFORE, *INSTEAD, *AFTER, *RESULT, *WIRE})


def encoded(envelope: Envelope) -> Delivery:
    """The delivery of an envelope, whole and at once."""
    return Delivery(orjson.dumps(envelope))
