"""Types of wire models: how suppliers spell amounts, counts and times, and what those become.

What pydantic's core can check, it checks without a call into Python; a fault's words are found only once there is one
(`gateway.sdk.faults`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from jiter import LosslessFloat
from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.base import SHANGHAI, Model
from schemas.money import WHOLE_DIGITS

AHEAD = timedelta(minutes=5)
"""How far a supplier's clock may be ahead of ours."""

FARTHEST = timedelta(hours=16)
"""No zone is so far from UTC, and PostgreSQL takes none that is."""

MAX_VERSION = 2**53
"""The largest source version: beyond it, JSON readers disagree about integers."""

MAX_COUNT = 10**WHOLE_DIGITS - 1
"""The largest quantity."""

# As exact as `Decimal(…)`, and a fifth faster to call: a price has six amounts, a quarter of what reading it costs.
_decimal = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN).create_decimal

_INSTANT = re.compile(r"[1-9]\d{3}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Plain:
    """A decimal as a JSON string, or as a JSON number without exponent; kept exactly as written.

    pattern: what is taken, a part of what `schemas.money.parse_decimal` takes with these places; expected: in words;
    made: the decimal of a text that was taken.
    """

    pattern: str
    places: int
    expected: str
    made: Callable[[str], Decimal] = _decimal

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(
            self.made,
            core_schema.json_or_python_schema(
                # Read by pydantic itself, a number with a point has been a float: only integers are as written.
                json_schema=self._written(core_schema.int_schema(strict=True)),
                python_schema=self._written(core_schema.is_instance_schema((int, LosslessFloat))),
            ),
        )

    def _written(self, number: CoreSchema) -> CoreSchema:
        text = core_schema.str_schema(pattern=self.pattern, strict=True)
        as_text = core_schema.no_info_plain_validator_function(str)
        return core_schema.union_schema(
            [text, core_schema.chain_schema([number, as_text, text])],
            mode="left_to_right",
            custom_error_type="invalid_decimal",
            custom_error_message=self.expected,
            custom_error_context={"places": self.places},
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "string", "pattern": self.pattern}, {"type": "number", "minimum": 0}]}


@dataclass(frozen=True, slots=True)
class Counted:
    """A whole number of sales units, from `least` on; never a string, a boolean or 1.0."""

    least: int

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        whole = core_schema.int_schema(strict=True, ge=self.least, le=MAX_COUNT)
        return core_schema.no_info_after_validator_function(_decimal, whole)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "integer", "minimum": self.least, "maximum": MAX_COUNT}


class Timed:
    """A time that is over, give or take the clocks; needs the receipt's time as validation context."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True)
        return core_schema.with_info_after_validator_function(lambda value, info: instant(value, info.context), text)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Reshaped:
    """What a function makes of a value, before it is validated; where the function raises, it raises as a validator.

    Of decoded records alone: a plain reader counts the names in models, and would not see those that are taken apart
    here. So straight from JSON only the shape that needs no function is taken, and all others are decoded.
    """

    by: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        inner = handler(source)
        return core_schema.json_or_python_schema(
            json_schema=inner, python_schema=core_schema.no_info_before_validator_function(self.by, inner)
        )


class Underived:
    """A field that is derived: its value is its default, and a record that gives it is at fault."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_refused)


_WHOLE = rf"[1-9][0-9]{{0,{WHOLE_DIGITS - 1}}}"

Money = Annotated[
    Decimal,
    Plain(
        rf"^(0|{_WHOLE})(\.[0-9]{{1,2}})?$",
        places=2,
        expected=f"a plain decimal: up to {WHOLE_DIGITS} digits, then up to 2 places",
    ),
]
"""An amount in yuan with at most two places."""

PositiveMoney = Annotated[
    Decimal,
    Plain(
        rf"^({_WHOLE}(\.[0-9]{{1,2}})?|0\.(0[1-9]|[1-9][0-9]?))$",
        places=2,
        expected=f"a plain decimal above 0: up to {WHOLE_DIGITS} digits, then up to 2 places",
    ),
]
"""An amount in yuan with at most two places, more than nothing."""

Rate = Annotated[
    Decimal,
    Plain(
        r"^(100(\.0{1,4})?|[1-9]?[0-9](\.[0-9]{1,4})?)$",
        places=4,
        expected="a plain decimal from 0 to 100, with up to 4 places",
        made=lru_cache(maxsize=256)(_decimal),  # a country has few rates: one is found again in half the time
    ),
]
"""A rate in percent, 0 to 100, with at most four places."""

Count = Annotated[Decimal | None, Counted(least=0)]
"""A number of pieces, zero included. None only by default: one that is not known is left out, null is refused."""

PositiveCount = Annotated[Decimal, Counted(least=1)]
"""A number of pieces, at least one."""

Moment = Annotated[datetime, Timed()]
"""A past time in ISO 8601; without an offset it is read as Asia/Shanghai."""

T = TypeVar("T")
Derived = Annotated[T, Underived()]
"""A field that the adapter's wire model sets by its default; a record may not give it."""


class Stamps(Model):
    """Members of a row that belong to its item, not to its facts; wire models inherit them beside the facts."""

    source_version: Annotated[int, Field(ge=0, le=MAX_VERSION)] | None = Field(None, validation_alias="version")
    observed_at: Moment | None = None


@lru_cache(maxsize=4096)  # the rows of an export were mostly observed in the same few seconds
def instant(text: str, received_at: datetime) -> datetime:
    """The time that a text names: ISO 8601, to the minute or finer, in Asia/Shanghai unless it has an offset.

    Raises PydanticCustomError: validation_failed, or timestamp_in_future when it is later than five minutes past
    `received_at`.
    """
    try:
        moment = datetime.fromisoformat(text) if _INSTANT.fullmatch(text) else None
    except ValueError:
        moment = None
    if moment is None:
        raise PydanticCustomError("validation_failed", "a time in ISO 8601")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SHANGHAI)
    if abs(moment.utcoffset() or SHANGHAI.utcoffset(None)) >= FARTHEST:
        raise PydanticCustomError("validation_failed", "an offset from UTC of less than sixteen hours")
    if moment > received_at + AHEAD:
        raise PydanticCustomError("timestamp_in_future", "at most five minutes past its receipt")
    return moment


def _refused(_: object) -> None:
    raise PydanticCustomError("validation_failed", "no such member")
