"""What pydantic found wrong with a record, in a supplier's terms."""

from __future__ import annotations

import re
from collections.abc import Iterator

from jiter import LosslessFloat
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.sdk.errors import Issue
from gateway.sdk.problems import PROBLEMS
from gateway.sdk.wire import SHOWN, pointer, shown
from schemas.base import AREA_PATTERN, LINE_PATTERN, SKU_PATTERN
from schemas.catalog import (
    BARCODE_PATTERN,
    EDITION_PATTERN,
    PURCHASE_CODE_PATTERN,
    TAX_CODE_PATTERN,
    WEB_ADDRESS_PATTERN,
)
from schemas.money import InvalidDecimalError, NumberOutOfRangeError, parse_decimal

# Types of pydantic's errors that are more than a bad value. A type that is itself a code of ours needs no row.
_CODES = {"less_than_equal": "number_out_of_range", "int_parsing_size": "number_out_of_range"}

# Names under which a record would say whose it is: that comes from the credential and from nowhere else.
_TENANTS = frozenset({"supplier", "vendor", "tenant"})

# What was expected, where pydantic would say it in Python's words.
_EXPECTED = {
    "extra_forbidden": "no such member",
    "missing": "this member",
    "model_type": "an object",
    "dict_type": "an object",
    "tuple_type": "an array",
    "too_short": "at least {min_length} of them",
    "greater_than": "more than {gt}",
    "timezone_aware": "a time with its offset",
}

# What a text should have been, where pydantic would show the pattern that it was held against.
_PATTERNS = {
    SKU_PATTERN: "1 to 128 characters, no space at either end",
    AREA_PATTERN: "* or 1 to 64 ASCII letters, digits, hyphens and underscores",
    BARCODE_PATTERN: "8 to 14 digits",
    TAX_CODE_PATTERN: "1 to 19 digits",
    PURCHASE_CODE_PATTERN: "A, B or C and 2 to 8 digits",
    EDITION_PATTERN: "a year of 4 digits",
    WEB_ADDRESS_PATTERN: "an address that begins with http:// or https:// and holds no blanks",
    LINE_PATTERN: "at least one character",
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def issues_of(error: ValidationError) -> Iterator[Issue]:
    """Everything that a validation found, each with its JSON pointer."""
    for fault in error.errors(include_url=False):
        if fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]:
            continue  # there were enough: those of them that are at fault are told each for itself
        code = _code(fault)
        steps = fault["loc"][:-1] if fault["loc"][-1:] == ("[key]",) else fault["loc"]
        actual = "" if fault["type"] == "missing" else shown(fault["input"])
        yield Issue(code, pointer(*steps), actual, _expected(fault, code)[:SHOWN])


def _expected(fault: ErrorDetails, code: str) -> str:
    match fault["type"], code:
        case "string_pattern_mismatch", "invalid_text":
            return "no control characters"
        case "string_pattern_mismatch", _:
            return _PATTERNS.get(fault["ctx"]["pattern"], fault["msg"])
        case kind, _:
            words = _EXPECTED.get(kind)
            return fault["msg"] if words is None else words.format(**fault.get("ctx", {}))


def _code(fault: ErrorDetails) -> str:
    kind, given = fault["type"], fault["input"]
    if kind == "invalid_decimal":
        return _decimal_code(given, fault["ctx"]["places"])
    if kind == "extra_forbidden" and fault["loc"][-1] in _TENANTS:
        return "tenant_mismatch"
    if kind == "string_pattern_mismatch" and _CONTROL.search(given):
        return "invalid_text"
    return kind if kind in PROBLEMS else _CODES.get(kind, "validation_failed")


def _decimal_code(given: object, places: int) -> str:
    if given.__class__ not in (str, int, LosslessFloat):
        return "validation_failed"
    text = str(given)
    if text[:1] == "0" and text[1:2].isdigit():
        return "invalid_decimal"
    try:
        parse_decimal(text, places=places)
    except InvalidDecimalError:
        return "invalid_decimal"
    except NumberOutOfRangeError:
        return "number_out_of_range"
    return "number_out_of_range"
