"""Reading amounts without a float in between, and writing them the one way messages carry them."""

from __future__ import annotations

import re
from decimal import Decimal

PLAIN = re.compile(r"([0-9]+)(?:\.([0-9]+))?")
"""A number as people write it: ASCII digits, one point, no sign, no exponent."""

WHOLE_DIGITS = 12
"""Digits before the point of the largest amount and quantity."""


class InvalidDecimalError(ValueError):
    """Not a plain decimal number with ASCII digits and at most the allowed decimals."""


class NumberOutOfRangeError(ValueError):
    """The number has more digits before the point than any amount or quantity of a mall can have."""


def parse_decimal(text: str, *, places: int) -> Decimal:
    """Decimal of `text` exactly as written.

    Refused: signs, exponents, other scripts' digits, blanks, more than `places` decimals (InvalidDecimalError), and
    more than 12 digits before the point (NumberOutOfRangeError).
    """
    match = PLAIN.fullmatch(text)
    if match is None or len(match[2] or "") > places:
        raise InvalidDecimalError(text[:40])
    if len(match[1]) > WHOLE_DIGITS:
        raise NumberOutOfRangeError(text[:40])
    return Decimal(text)
