"""The form of order/submitOrder, read and checked as the supplier's documents have it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contrib.simulators.jd_vop.areas import Areas
from contrib.simulators.jd_vop.calls import Call, whole
from contrib.simulators.jd_vop.envelopes import RefusedError
from contrib.simulators.jd_vop.order import cents

MOST_LINES = 50
# The longest that texts may be; those that are not among REQUIRED may be left out.
LENGTHS: Mapping[str, int] = {"thirdOrder": 100, "name": 20, "address": 100, "remark": 99, "companyName": 100}
REQUIRED = ("thirdOrder", "sku", "name", "address", "mobile", "email")
CHOICES: Mapping[str, frozenset[int]] = {
    "invoiceState": frozenset({0, 1, 2, 4}),
    "invoiceType": frozenset({1, 2, 3}),
    "selectedInvoiceTitle": frozenset({4, 5}),
    "invoiceContent": frozenset({1, 3, 19, 22, 100}),
    "paymentType": frozenset({1, 2, 4, 5, 6, 7, 20, 101, 102}),
    "isUseBalance": frozenset({0, 1}),
    "submitState": frozenset({0, 1}),
}
PLACES = ("province", "city", "county", "town")


@dataclass(frozen=True, slots=True)
class Asked:
    """Goods that a form asks for. accessories, gifts: whether they shall come with them."""

    sku: int
    num: int
    accessories: bool
    gifts: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """What a form orders. place: ids of its area, the last one 0 where there are no towns; snapshot: the prices in
    cents that must still be so, by sku, None when that is not asked for.
    """

    third: str
    asked: tuple[Asked, ...]
    place: tuple[int, ...]
    reserve: bool
    snapshot: Mapping[int, int] | None


def draft(call: Call, areas: Areas) -> Draft:
    """What the form of a call orders. Raises RefusedError."""
    for field in REQUIRED:
        call.text(field)
    for field, most in LENGTHS.items():
        if len(call.form.get(field, "")) > most:
            raise RefusedError("1003", f"{field}长度超过{most}")
    chosen = {field: _choice(call, field, allowed) for field, allowed in CHOICES.items()}
    if chosen["selectedInvoiceTitle"] == 5:
        call.text("companyName")
    if (chosen["paymentType"] == 4) != (chosen["isUseBalance"] == 1):
        raise RefusedError("1003", "isUseBalance与paymentType不符")
    asked = tuple(map(_asked, _rows(call, "sku")))
    if not 1 <= len(asked) <= MOST_LINES:
        raise RefusedError("1003", f"sku数量应为1至{MOST_LINES}个")
    if len({one.sku for one in asked}) < len(asked):
        raise RefusedError("1004", "sku重复")
    place = _place(call, areas)
    return Draft(call.text("thirdOrder"), asked, place, chosen["submitState"] == 0, _snapshot(call, asked))


def _choice(call: Call, field: str, allowed: frozenset[int]) -> int:
    chosen = call.whole(field)
    if chosen not in allowed:
        raise RefusedError("1003", f"{field}值不正确")
    return chosen


def _rows(call: Call, field: str) -> list[Mapping[str, Any]]:
    try:
        rows = json.loads(call.text(field), parse_float=str)
    except ValueError as error:
        raise RefusedError("1002", f"{field}格式不正确") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RefusedError("1002", f"{field}格式不正确")
    return rows


def _asked(row: Mapping[str, Any]) -> Asked:
    sku, num = whole(row.get("skuId", ""), "skuId"), whole(row.get("num", ""), "num")
    if not 1 <= num <= 1_000_000:
        raise RefusedError("1003", "num值不正确")
    return Asked(sku, num, accessories=row.get("bNeedAnnex") is not False, gifts=row.get("bNeedGift") is True)


def _place(call: Call, areas: Areas) -> tuple[int, ...]:
    """The area of the form: every level lies below the one before it, and a town is a must where there are any."""
    place = tuple(call.whole(field, None if field != "town" else 0) for field in PLACES)
    parent = 0
    for id_ in place:
        if id_ == 0 and not areas.children(parent):
            break
        area = areas.get(id_)
        if area is None or area.parent != parent:
            raise RefusedError("3554", "四级地址不正确")
        parent = id_
    return place


def _snapshot(call: Call, asked: tuple[Asked, ...]) -> Mapping[int, int] | None:
    if call.whole("doOrderPriceMode", 0) != 1:
        return None
    try:
        prices = {
            whole(row.get("skuId", ""), "skuId"): cents(row.get("price")) for row in _rows(call, "orderPriceSnap")
        }
    except ValueError as error:
        raise RefusedError("1002", "orderPriceSnap格式不正确") from error
    missing = [str(one.sku) for one in asked if one.sku not in prices]
    if missing:
        raise RefusedError("1001", f"orderPriceSnap缺少商品{missing}")
    return prices
