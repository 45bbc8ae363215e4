"""Reading amounts without a float in between, and writing them the one way messages carry them."""

from __future__ import annotations

import re
from decimal import Decimal

PLAIN = re.compile(r"\d{1,18}(\.\d+)?", re.ASCII)
"""An amount as people write it: ASCII digits, one point, no sign, no exponent."""


class InvalidDecimalError(ValueError):
    """Not a plain decimal number with ASCII digits and at most the allowed decimals."""


class NumberOutOfRangeError(ValueError):
    """The number has more digits than any amount or quantity of a mall can have."""


def parse_decimal(text: str, *, places: int) -> Decimal:
    """Decimal of `text` exactly as written.

    Refused: signs, exponents, other scripts' digits, blanks, more than `places` decimals (InvalidDecimalError), and
    more than 18 digits before the point (NumberOutOfRangeError).
    """
    if PLAIN.fullmatch(text) is None:
        if text.isascii() and text.isdigit():
            raise NumberOutOfRangeError(text[:40])
        raise InvalidDecimalError(text[:40])
    _, _, decimals = text.partition(".")
    if len(decimals) > places:
        raise InvalidDecimalError(text[:40])
    return Decimal(text)
