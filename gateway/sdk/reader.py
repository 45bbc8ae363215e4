"""From plain members to canonical facts, in one validation, with every fault that a record has.

A wire model is the facts with the supplier's names and spellings: a subclass of the canonical model that gives a field
an alias or one of the types below. `Reader` validates by the wire model and fills an instance of the canonical one, so
nothing is built twice. This is the hot loop of the gateway: what can be checked in pydantic's core is, and the words
for a fault are found only once there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from math import isinf
from typing import Annotated, Any

from jiter import LosslessFloat
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from gateway.sdk.adapter import Item, Record
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.problems import PROBLEMS
from gateway.sdk.wire import SHOWN, decode, nodes, pointer, shown
from schemas.catalog import Facts
from schemas.money import WHOLE_DIGITS, InvalidDecimalError, NumberOutOfRangeError, parse_decimal

SHANGHAI = timezone(timedelta(hours=8))
"""The zone of times that come without one."""

AHEAD = timedelta(minutes=5)
"""How far a supplier's clock may be ahead of ours."""

MAX_VERSION = 2**53
"""The largest source version: beyond it, JSON readers disagree about integers."""

MAX_COUNT = 10**WHOLE_DIGITS - 1
"""The largest quantity."""

MAX_ISSUES = 100
"""Issues told of one record: enough to mend it, few enough to read."""

_INSTANT = re.compile(r"[1-9]\d{3}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Plain:
    """A decimal as a JSON string, or as a JSON number without exponent; kept exactly as written.

    pattern: what is taken, a part of what `schemas.money.parse_decimal` takes with these places; expected: in words.
    """

    pattern: str
    places: int
    expected: str

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        # One union, tried left to right: strings and integers end in the first branch without a call into Python.
        text = core_schema.str_schema(pattern=self.pattern, strict=False, coerce_numbers_to_str=True)
        number = core_schema.chain_schema(
            [core_schema.is_instance_schema(LosslessFloat), core_schema.no_info_plain_validator_function(str), text]
        )
        written = core_schema.union_schema(
            [text, number],
            mode="left_to_right",
            custom_error_type="invalid_decimal",
            custom_error_message=self.expected,
            custom_error_context={"places": self.places},
        )
        return core_schema.no_info_after_validator_function(Decimal, written)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": self.pattern}, {"type": "number", "minimum": 0}]}


@dataclass(frozen=True, slots=True)
class Counted:
    """A whole number of sales units, from `least` on; never a string, a boolean or 1.0."""

    least: int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        whole = core_schema.int_schema(strict=True, ge=self.least, le=MAX_COUNT)
        return core_schema.no_info_after_validator_function(Decimal, whole)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "integer", "minimum": self.least, "maximum": MAX_COUNT}


class Timed:
    """A time that is over, give or take the clocks; needs the receipt's time as validation context."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(lambda value, info: instant(value, info.context))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


Money = Annotated[
    Decimal,
    Plain(
        rf"^[0-9]{{1,{WHOLE_DIGITS}}}(\.[0-9]{{1,2}})?$",
        places=2,
        expected=f"a plain decimal: up to {WHOLE_DIGITS} digits, then up to 2 places",
    ),
]
"""An amount in yuan with at most two places."""

Rate = Annotated[
    Decimal,
    Plain(
        r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$",
        places=4,
        expected="a plain decimal from 0 to 100, with up to 4 places",
    ),
]
"""A rate in percent, 0 to 100, with at most four places."""

Count = Annotated[Decimal | None, Counted(least=0)]
"""A number of pieces, zero included. None only by default: one that is not known is left out, null is refused."""

PositiveCount = Annotated[Decimal, Counted(least=1)]
"""A number of pieces, at least one."""

Moment = Annotated[datetime, Timed()]
"""A past time in ISO 8601; without an offset it is read as Asia/Shanghai."""


def instant(value: object, received_at: datetime) -> datetime:
    """The time that a text names: ISO 8601, to the minute or finer, in Asia/Shanghai unless it has an offset.

    Raises PydanticCustomError: validation_failed, or timestamp_in_future when it is later than five minutes past
    `received_at`.
    """
    if value.__class__ is not str:
        raise PydanticCustomError("validation_failed", "a time in ISO 8601")
    return _instant(value, received_at)


@lru_cache(maxsize=4096)  # the rows of an export were mostly observed in the same few seconds
def _instant(text: str, received_at: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise PydanticCustomError("validation_failed", "a time in ISO 8601")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    if moment > received_at + AHEAD:
        raise PydanticCustomError("timestamp_in_future", "at most five minutes past its receipt")
    return moment


class Reader:
    """Makes the facts of one facet from the members of a record.

    facts: the canonical model; wire_model: its subclass with the supplier's names and spellings; version, observed_at:
    the members that hold the supplier's version and the time of observation.
    """

    def __init__(
        self, facts: type[Facts], wire_model: type[Facts], *, version: str = "version", observed_at: str = "observed_at"
    ) -> None:
        self._facts = facts
        self._validate = wire_model.__pydantic_validator__.validate_python
        self._version = version
        self._observed_at = observed_at

    def read(self, record: Record, members: dict[str, Any], **derived: object) -> Item:
        """The item that a record is. members are used up; derived: fields that the supplier may not give itself.

        Raises InvalidMessageError with every issue of the record.
        """
        faults = [_unknown(name, members[name]) for name in derived if name in members]
        members.update(derived)
        version = members.pop(self._version, None)
        if version is not None and not (version.__class__ is int and 0 <= version <= MAX_VERSION):
            faults.append(_bad_version(self._version, version))
        observed_at = members.pop(self._observed_at, None)
        try:
            if observed_at is not None:
                observed_at = instant(observed_at, record.received_at)
        except PydanticCustomError as error:
            faults.append(Issue(error.type, pointer(self._observed_at), shown(observed_at), error.message()))
        try:
            facts = self._validate(members, self_instance=object.__new__(self._facts), context=record.received_at)
        except ValidationError as error:
            raise _refusal(record, [*faults, *issues_of(error)]) from error
        if faults:
            raise _refusal(record, faults)
        return Item(facts, version, observed_at)


def issues_of(error: ValidationError) -> Iterator[Issue]:
    """Everything that a validation found, in a supplier's terms."""
    for fault in error.errors(include_url=False):
        code = _code(fault)
        steps = fault["loc"][:-1] if fault["loc"][-1:] == ("[key]",) else fault["loc"]
        actual = "" if fault["type"] == "missing" else shown(fault["input"])
        expected = "no control characters" if code == "invalid_text" else _EXPECTED.get(fault["type"], fault["msg"])
        yield Issue(code, pointer(*steps), actual, expected[:SHOWN])


# Types of pydantic's errors that are more than a bad value. A type that is itself a code of ours needs no row.
_CODES = {"less_than_equal": "number_out_of_range", "int_parsing_size": "number_out_of_range"}

# What was expected, where pydantic would say it in Python's words.
_EXPECTED = {
    "extra_forbidden": "no such member",
    "missing": "this member",
    "model_type": "an object",
    "dict_type": "an object",
    "tuple_type": "an array",
}


def _code(fault: ErrorDetails) -> str:
    kind, given = fault["type"], fault["input"]
    if kind == "invalid_decimal":
        return _decimal_code(given, fault["ctx"]["places"])
    if kind == "string_pattern_mismatch" and _CONTROL.search(given):
        return "invalid_text"
    return kind if kind in PROBLEMS else _CODES.get(kind, "validation_failed")


def _decimal_code(given: object, places: int) -> str:
    if given.__class__ not in (str, int, LosslessFloat):
        return "validation_failed"
    try:
        parse_decimal(str(given), places=places)
    except InvalidDecimalError:
        return "invalid_decimal"
    except NumberOutOfRangeError:
        return "number_out_of_range"
    return "number_out_of_range"


def _unknown(name: str, given: object) -> Issue:
    return Issue("validation_failed", pointer(name), shown(given), _EXPECTED["extra_forbidden"])


def _bad_version(name: str, given: object) -> Issue:
    large = given.__class__ is int and given > MAX_VERSION
    code = "number_out_of_range" if large else "validation_failed"
    return Issue(code, pointer(name), shown(given), f"an integer from 0 to {MAX_VERSION}")


def _refusal(record: Record, issues: list[Issue]) -> InvalidMessageError:
    """The error with all issues; a number that no double holds makes the record unreadable to most JSON readers."""
    infinite = [
        Issue("malformed_json", pointer(*steps), shown(node), "a number that a double can hold")
        for steps, node in nodes(decode(record.raw))
        if isinstance(node, LosslessFloat) and isinf(float(node))
    ]
    return InvalidMessageError(*(infinite or issues)[:MAX_ISSUES])
