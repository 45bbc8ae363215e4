"""The facts of an adapter, readable without importing it: `manifest.toml` beside its code."""

from __future__ import annotations

import tomllib
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from gateway.sdk.adapter import CAPABILITIES
from gateway.sdk.errors import ConfigError
from schemas.base import Line
from schemas.catalog import Facet

FILE = "manifest.toml"
"""Its name in the adapter's folder."""


class Manifest(BaseModel):
    """What an adapter says of itself; unknown members are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,31}$")] = Field(description="Name of its folder.")
    name: Line = Field(description="The interface, in its owner's words.")
    docs: Line = Field(description="Where the interface is described: a file of the folder, or an address.")
    capabilities: tuple[str, ...] = Field(description="What it can do: names of `gateway.sdk.CAPABILITIES`.")
    facets: tuple[Facet, ...] = Field((), description="What it normalises, where it normalises feeds.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if unknown := [name for name in self.capabilities if name not in CAPABILITIES]:
            raise ValueError(f"unknown capabilities {', '.join(unknown)}; there are {', '.join(CAPABILITIES)}")
        if bool(self.facets) != ("normalises_feeds" in self.capabilities):
            raise ValueError("facets go with normalises_feeds: name both or neither")
        return self


def parse(text: str, source: str) -> Manifest:
    """The manifest that a TOML text is. Raises ConfigError with every problem, each beginning with `source`."""
    try:
        return Manifest.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{source}: {error}"]) from error
    except ValidationError as error:
        raise ConfigError(problems(error, source)) from error


def problems(error: ValidationError, source: str) -> list[str]:
    """What is wrong, one line for each place. The input is never quoted: it may be a secret."""
    return [
        ": ".join(filter(None, (source, ".".join(map(str, fault["loc"])), fault["msg"].removeprefix("Value error, "))))
        for fault in error.errors(include_input=False, include_url=False)
    ]
