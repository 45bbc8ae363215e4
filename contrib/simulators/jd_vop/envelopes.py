"""The supplier's envelope, with the variety that is met in the wild, and the answers that say no."""

from __future__ import annotations

from typing import Any

import orjson

# resultMessage, resultCode, whether `code` 200 stands at the end. Every answer takes one by the number of its call.
_VARIANTS: tuple[tuple[str | None, str | None, bool], ...] = (
    ("", "0000", False),
    ("操作成功", "0000", True),
    (None, "0000", False),
    ("", "0000", True),
    ("", None, False),
    ("操作成功", "0", False),
    (None, None, True),
)


class RefusedError(Exception):
    """The supplier says no, in an envelope like any other. code: None where its documents have none."""

    def __init__(self, code: str | None, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.envelope: dict[str, Any] = {
            "success": False,
            "resultMessage": message,
            "resultCode": code,
            "result": None,
        } | ({"code": 200} if ended else {})


def success(result: Any, variant: int) -> dict[str, Any]:
    """An envelope around a result. variant: any number, that chooses among the forms; nothing is told in the first."""
    message, code, ended = _VARIANTS[variant % len(_VARIANTS) if result else 0]
    envelope: dict[str, Any] = {"success": True, "resultMessage": message, "resultCode": code, "result": result}
    if ended:
        envelope["code"] = 200
    return envelope


def money(cents: int) -> orjson.Fragment:
    """A JSON number with two decimals, as the supplier writes prices: 18.00, not 18.0."""
    return orjson.Fragment(b"%d.%02d" % divmod(cents, 100))


def ident(number: int, variant: int) -> int | str:
    """An id, as a number in one call and as a string in the next."""
    return str(number) if variant % 3 == 1 else number


def not_in_pool(skus: list[str]) -> str:
    """What calls about prices and stock say of those that are in no pool of the contract."""
    return "，".join(f"{sku}不在您的商品池中" for sku in skus)


def without_permission(skus: list[str], message: str = "") -> str:
    """What a call for several skus says about those that are in no pool of the contract."""
    return f"您不具有如下商品购买权限skuIds:{orjson.dumps(skus).decode()}" if skus else message
