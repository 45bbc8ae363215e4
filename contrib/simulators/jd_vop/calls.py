"""One call of an operation: its form, read and checked as the supplier does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from contrib.simulators.jd_vop.envelopes import RefusedError

MOST_SKUS = 100
_SKU_FIELDS = ("sku", "skuIds", "skuNums")
_PLACES = ("province", "city", "county", "town")


class Subject(NamedTuple):
    """What a call asks about. area: the way to it, without zeros at its end; third: the buyer's number of an order;
    page: of a list; "" for none.
    """

    skus: tuple[str, ...]
    area: str
    third: str = ""
    page: str = ""


def subject_of(form: Mapping[str, str]) -> Subject:
    """What a form asks about, however little sense the rest of it makes."""
    asked = next((form[name] for name in _SKU_FIELDS if name in form), "")
    pattern = r'"skuId":\s*"?([0-9]+)' if asked.lstrip().startswith("[") else r"[0-9]+"
    area = form.get("area") or "_".join(form[place] for place in _PLACES if form.get(place))
    skus = tuple(re.findall(pattern, asked))
    return Subject(skus, re.sub(r"(_0)+$", "", area), form.get("thirdOrder", ""), form.get("pageNo", ""))


@dataclass(frozen=True, slots=True)
class Call:
    """One call. operation: its path without /api/; number: of all calls, from 1; it chooses among forms of answers;
    headers: of its request, names in lower case, without secrets; key_ignored: an order is submitted as a new one,
    whatever its number.
    """

    operation: str
    form: Mapping[str, str]
    number: int
    headers: Mapping[str, str] = field(default_factory=dict)
    key_ignored: bool = False

    def text(self, field: str) -> str:
        """A field that must be there. Raises RefusedError."""
        value = self.form.get(field, "").strip()
        if not value:
            raise RefusedError("1001", f"{field}不能为空")
        return value

    def whole(self, field: str, default: int | None = None) -> int:
        """A field that is a whole number. Raises RefusedError."""
        return whole(self.text(field) if default is None else self.form.get(field) or str(default), field)

    def skus(self, field: str) -> list[int]:
        """A field of skus with commas between, at most 100. Raises RefusedError."""
        skus = [whole(text, field) for text in self.text(field).split(",")]
        if len(skus) > MOST_SKUS:
            raise RefusedError("1003", f"{field}数量超过{MOST_SKUS}个")
        return skus

    def asked(self) -> list[tuple[int, int]]:
        """The skus and quantities of `skuNums`, a list in JSON of at most 100. Raises RefusedError."""
        try:
            asked = [
                (whole(row["skuId"], "skuId"), whole(row["num"], "num")) for row in orjson.loads(self.text("skuNums"))
            ]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise RefusedError("1002", "skuNums格式不正确") from error
        if len(asked) > MOST_SKUS:
            raise RefusedError("1003", f"skuNums数量超过{MOST_SKUS}个")
        return asked


def whole(text: Any, field: str) -> int:
    """A whole number of at most 18 digits, written as such or as text. Raises RefusedError."""
    if not str(text).strip().isdecimal() or len(str(text)) > 18:
        raise RefusedError("1002", f"{field}格式不正确")
    return int(text)
