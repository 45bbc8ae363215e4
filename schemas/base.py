"""The ground of every public message: strict, frozen models and the scalar types they share.

Instants carry an offset, and are written in one zone; identifiers are strings; amounts and quantities are decimals that
travel as JSON strings.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from schemas.visible import is_deceptive

CONTROLS = r"\x00-\x1f\x7f"
"""Characters that no identifier or single-line text may hold."""


class Model(BaseModel):
    """A message as the mall core sees it: no coercion, no unknown members, no change after construction.

    The text of a ValidationError repeats no value, for it may name people and ends in logs; `errors()` has them.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


M = TypeVar("M", bound=Model)


SUMS_HOLD = "sums_hold"
"""In the context of a validation: the sums of the value were checked before, by these models."""


def read(model: type[M], value: bytes, *, sums_hold: bool = False) -> M:
    """The message as this version of the models knows it; members that later versions added are ignored.

    sums_hold: they were checked when it was first read. Raises pydantic.ValidationError when the value does not fit the
    model.
    """
    return model.model_validate_json(value, extra="ignore", context={SUMS_HOLD: True} if sums_hold else None)


SKU_LENGTH = 128
SKU_PATTERN = rf"^[^\s{CONTROLS}]([^{CONTROLS}]*[^\s{CONTROLS}])?$"
AREA_PATTERN = r"^(\*|[0-9A-Za-z_-]{1,64})$"
LINE_PATTERN = rf"^[^{CONTROLS}]+$"


def _composed(text: str) -> str:
    if text.isascii():
        return text
    if any(map(is_deceptive, text)):
        raise PydanticCustomError("invalid_text", "no invisible characters, and no blanks but spaces")
    composed = unicodedata.normalize("NFC", text)
    if len(composed) > SKU_LENGTH:  # a few characters have only decomposed forms
        raise ValueError(f"longer than {SKU_LENGTH} characters in NFC")
    return composed


def plain_decimal(places: int) -> WithJsonSchema:
    """JSON Schema of a decimal in messages: a string in plain notation with up to `places` decimals."""
    return WithJsonSchema(
        {"type": "string", "pattern": rf"^[0-9]{{1,12}}(\.[0-9]{{1,{places}}})?$"}, mode="serialization"
    )


SupplierId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
"""Identity of a supplier: lower-case ASCII letters, digits and hyphens, 2 to 32 characters."""

Sku = Annotated[
    str,
    StringConstraints(pattern=SKU_PATTERN, max_length=SKU_LENGTH),
    AfterValidator(_composed),
]
"""The supplier's own article number, NFC, 1 to 128 characters, no space at either end.

No character that cannot be seen, such as U+200B or U+00A0: two articles whose numbers look the same are one to people.
"""

AreaId = Annotated[str, StringConstraints(pattern=AREA_PATTERN)]
"""An area of the supplier's own area tree, or `*` for everywhere the supplier delivers."""

Line = Annotated[str, StringConstraints(pattern=LINE_PATTERN, max_length=500)]
"""One line of text, 1 to 500 characters, no control characters."""

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", max_length=200_000)]
"""Text of any number of lines, at most 200,000 characters; of the control characters only tab and line ends."""


class MayHoldMarkup:
    """Marks a text as one that suppliers write in HTML: the gateway cleans it before it is published."""


class Personal:
    """Marks a field that may tell who a person is, with all that is in it: encrypted at rest, masked in logs.

    `schemas.personal.personal_paths` lists the marked fields of a model.
    """


Markup = Annotated[Text, MayHoldMarkup()]
"""Text that may hold HTML, in messages without anything active: scripts, frames, forms and event handlers are gone.

A text without any markup stays as it was written; it too can be shown as HTML.
"""

Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6), plain_decimal(6)]
"""An amount of money in the unit its model names (yuan unless said otherwise), at most 6 decimals, never a float.

Made by `schemas.money.parse_decimal`, which alone keeps exponents out.
"""

Quantity = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=3), plain_decimal(3)]
"""A number of sales units, at most 3 decimals. Made by `schemas.money.parse_decimal`."""

Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4), plain_decimal(4)]
"""A rate in percent: 13 means 13 %, never 0.13."""

SHANGHAI = timezone(timedelta(hours=8))
"""The zone of the mall: instants are written in it, whichever they came in, and those without one are read in it."""


def written(at: datetime) -> str:
    """An instant as every record and receipt holds it, so that the same instant is the same bytes, ISO 8601."""
    return at.astimezone(SHANGHAI).isoformat()


def in_shanghai(at: datetime) -> datetime:
    """The same instant in the mall's zone, for models. Raises PydanticCustomError beyond the years that there are."""
    try:
        return at.astimezone(SHANGHAI)
    except OverflowError as error:
        raise PydanticCustomError("instant", "an instant of the years 1 to 9999 in every zone") from error


Instant = Annotated[AwareDatetime, AfterValidator(in_shanghai)]
"""A point in time with its offset; sources without one are read as Asia/Shanghai."""

_SKU: TypeAdapter[str] = TypeAdapter(Sku)
_AREA: TypeAdapter[str] = TypeAdapter(AreaId)


def valid_sku(value: object) -> str | None:
    """A value as the sku of a key has it, in NFC; None for what is none."""
    return _valid(_SKU, value)


def valid_area(value: object) -> str | None:
    """A value as the area of a key; None for what is none."""
    return _valid(_AREA, value)


def _valid(adapter: TypeAdapter[str], value: object) -> str | None:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None
