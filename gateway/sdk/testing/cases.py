"""Golden cases of feeds: what a supplier sends and what the mall shall hear, one JSON file each, written by hand.

A file is `cases/<facet>__<what>.json` in the adapter's folder. Its record is `record` (text), `record_base64` or, where
feeds are pulled, an `exchange` (`skus`, `asked`, `replies` by name). Its outcome is `items` (canonical facts, members
at their default left out), with `refusals` of single skus where there are any, or `issues` (code and path, and the
other members where they matter) where the whole record is refused.
"""

from __future__ import annotations

from typing import Any, Self, get_args

import orjson
from pydantic import (
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from gateway.sdk.adapter import Item, Record
from gateway.sdk.exchange import Exchange
from schemas.catalog import Facet, Facts

FACTS: dict[Facet, type[Facts]] = {model.facet: model for model in get_args(Facts)}
"""The canonical facts of each facet."""


class Part(BaseModel):
    """A piece of a case; unknown members are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(Part):
    """An item as a case tells it."""

    facts: dict[str, Any]
    source_version: int | None = None
    observed_at: AwareDatetime | None = None

    def item(self, facet: Facet) -> Item:
        """The item itself. Raises pydantic.ValidationError when the facts are not canonical."""
        facts = FACTS[facet].model_validate_json(orjson.dumps(self.facts))
        return Item(facts, self.source_version, self.observed_at)


class ExpectedIssue(Part):
    """An issue as a case tells it; None: any."""

    code: str
    path: str = ""
    actual: str | None = None
    expected: str | None = None


class ExpectedRefusal(Part):
    """A refusal as a case tells it."""

    sku: str
    issues: tuple[ExpectedIssue, ...] = Field(min_length=1)


class Case(Part):
    """One golden case of a feed. name: of its file, without the suffix."""

    name: str
    description: str
    facet: Facet
    options: dict[str, Any] = {}
    received_at: AwareDatetime
    record: str | None = None
    record_base64: Base64Bytes | None = None
    exchange: Exchange | None = None
    items: tuple[Expected, ...] | None = None
    refusals: tuple[ExpectedRefusal, ...] = ()
    issues: tuple[ExpectedIssue, ...] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sum(each is not None for each in (self.record, self.record_base64, self.exchange)) != 1:
            raise ValueError("give record, record_base64 or exchange")
        if (self.items is None) == (self.issues is None):
            raise ValueError("give items or issues")
        if self.refusals and self.items is None:
            raise ValueError("refusals go with items")
        if self.name.partition("__")[0] != self.facet:
            raise ValueError(f"the file's name begins with {self.facet}__")
        return self

    @property
    def capability(self) -> str:
        """What the case is about."""
        return "normalises_feeds"

    @property
    def succeeds(self) -> bool:
        """Whether something is taken."""
        return bool(self.items)

    @property
    def refuses(self) -> bool:
        """Whether something is refused."""
        return bool(self.issues or self.refusals)

    @property
    def raw(self) -> Record:
        """The record as the gateway would hand it to the adapter."""
        return Record(self.facet, self._bytes, self.received_at)

    @property
    def _bytes(self) -> bytes:
        if self.exchange is not None:
            return self.exchange.encode()
        return self.record.encode() if self.record is not None else self.record_base64 or b""
