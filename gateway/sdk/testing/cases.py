"""Golden cases: what a supplier sends and what the mall shall hear, one JSON file each, written by hand.

A file is `cases/<facet>__<what>.json` in the adapter's folder. Its record is `record` (text) or `record_base64`; its
outcome is `items` (canonical facts, members at their default left out) or `issues` (code and path, and the other
members where they matter).
"""

from __future__ import annotations

from importlib.resources.abc import Traversable
from typing import Any, Self, get_args

import orjson
from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, ValidationError, model_validator

from gateway.sdk.adapter import Item, Record
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import problems
from schemas.catalog import Facet, Facts

FACTS: dict[Facet, type[Facts]] = {model.facet: model for model in get_args(Facts)}
"""The canonical facts of each facet."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Part):
    """An item as a case tells it."""

    facts: dict[str, Any]
    source_version: int | None = None
    observed_at: AwareDatetime | None = None

    def item(self, facet: Facet) -> Item:
        """The item itself. Raises pydantic.ValidationError when the facts are not canonical."""
        facts = FACTS[facet].model_validate_json(orjson.dumps(self.facts))
        return Item(facts, self.source_version, self.observed_at)


class ExpectedIssue(_Part):
    """An issue as a case tells it; None: any."""

    code: str
    path: str = ""
    actual: str | None = None
    expected: str | None = None


class Case(_Part):
    """One golden case. name: of its file, without the suffix."""

    name: str
    description: str
    facet: Facet
    options: dict[str, Any] = {}
    received_at: AwareDatetime
    record: str | None = None
    record_base64: Base64Bytes | None = None
    items: tuple[Expected, ...] | None = None
    issues: tuple[ExpectedIssue, ...] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.record is None) == (self.record_base64 is None):
            raise ValueError("give record or record_base64")
        if (self.items is None) == (self.issues is None):
            raise ValueError("give items or issues")
        if self.name.partition("__")[0] != self.facet:
            raise ValueError(f"the file's name begins with {self.facet}__")
        return self

    @property
    def raw(self) -> Record:
        """The record as the gateway would hand it to the adapter."""
        raw = self.record.encode() if self.record is not None else self.record_base64 or b""
        return Record(self.facet, raw, self.received_at)


def read_cases(folder: Traversable) -> list[Case]:
    """The cases of an adapter's folder, by name. Raises ConfigError with every file that is no case."""
    found: list[Case] = []
    wrong: list[str] = []
    for file in sorted((folder / "cases").iterdir(), key=lambda each: each.name):
        try:
            told = orjson.loads(file.read_bytes())
            found.append(Case.model_validate({"name": file.name.removesuffix(".json"), **told}))
        except ValidationError as error:
            wrong += problems(error, f"cases/{file.name}")
        except (orjson.JSONDecodeError, TypeError) as error:
            wrong.append(f"cases/{file.name}: not a JSON object: {error}")
    if wrong:
        raise ConfigError(wrong)
    return found
