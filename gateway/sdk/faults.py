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
}

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def issues_of(error: ValidationError) -> Iterator[Issue]:
    """Everything that a validation found, each with its JSON pointer."""
    for fault in error.errors(include_url=False):
        code = _code(fault)
        steps = fault["loc"][:-1] if fault["loc"][-1:] == ("[key]",) else fault["loc"]
        actual = "" if fault["type"] == "missing" else shown(fault["input"])
        expected = "no control characters" if code == "invalid_text" else _EXPECTED.get(fault["type"], fault["msg"])
        yield Issue(code, pointer(*steps), actual, expected[:SHOWN])


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
