"""The ground of every public message: strict, frozen models and the scalar types they share.

Instants carry an offset; identifiers are strings; amounts and quantities are decimals that travel as JSON strings.
"""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

CONTROLS = r"\x00-\x1f\x7f"
"""Characters that no identifier or single-line text may hold."""


class Model(BaseModel):
    """A message as the mall core sees it: no coercion, no unknown members, no change after construction."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


SupplierId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
"""Identity of a supplier: lower-case ASCII letters, digits and hyphens, 2 to 32 characters."""

Sku = Annotated[str, StringConstraints(pattern=rf"^[^\s{CONTROLS}]([^{CONTROLS}]*[^\s{CONTROLS}])?$", max_length=128), AfterValidator(_composed)]
"""The supplier's own article number, NFC, 1 to 128 characters, no control characters, no blank at either end."""

AreaId = Annotated[str, StringConstraints(pattern=r"^(\*|[0-9A-Za-z_-]{1,64})$")]
"""An area of the supplier's own area tree, or `*` for everywhere the supplier delivers."""

Line = Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]+$", max_length=500)]
"""One line of text, 1 to 500 characters, no control characters."""

Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6)]
"""An amount of money in the unit its model names (yuan unless said otherwise), at most 6 decimals, never a float."""

Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4)]
"""A rate in percent: 13 means 13 %, never 0.13."""

Instant = AwareDatetime
"""A point in time with its offset; sources without one are read as Asia/Shanghai."""

__all__ = ["CONTROLS", "Amount", "AreaId", "Instant", "Line", "Model", "Percent", "Sku", "SupplierId"]
