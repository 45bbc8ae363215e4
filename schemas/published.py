"""The models whose JSON Schemas are published, and those schemas (JSON Schema 2020-12).

They describe what is written: decimals are strings, and a member with a default may be missing in older records. They
are open: a consumer must let pass members it does not know, because later versions add some. Within v1 nothing else
changes; `released/v1` holds what consumers rely on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from schemas.base import Model
from schemas.catalog import MESSAGES
from schemas.contracts import COMMANDS as CONTRACT_COMMANDS
from schemas.contracts import EVENTS as CONTRACT_EVENTS
from schemas.envelope import schema_id
from schemas.orders import COMMANDS, EVENTS, schema_name
from schemas.reports import FeedReport

DIALECT = "https://json-schema.org/draft/2020-12/schema"

PUBLISHED: Mapping[str, type[Model]] = {
    **{facet.value: model for facet, model in MESSAGES.items()},
    "feed-report": FeedReport,
    **{schema_name(operation): command for operation, command in COMMANDS.items()},
    **{schema_name(kind): event for kind, event in EVENTS.items()},
    **{schema_name(operation): command for operation, command in CONTRACT_COMMANDS.items()},
    **{schema_name(kind): event for kind, event in CONTRACT_EVENTS.items()},
}
"""Models by the name in their schema's `$id`, see `schemas.envelope.schema_id`."""


class _Open(GenerateJsonSchema):
    """Schemas that say nothing of members they do not know, without a title per field that repeats its name."""

    def model_schema(self, schema: Any) -> dict[str, Any]:
        return {key: value for key, value in super().model_schema(schema).items() if key != "additionalProperties"}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(name: str) -> dict[str, Any]:
    """The schema document of one published model."""
    schema = PUBLISHED[name].model_json_schema(mode="serialization", schema_generator=_Open)
    return {"$schema": DIALECT, "$id": schema_id(name)} | schema


def definitions(models: Sequence[type[BaseModel]], *, ref_template: str) -> dict[str, Any]:
    """The schemas of several models and all they refer to, by class name, for a document that holds them itself.

    ref_template: of a reference to one of them, with `{model}` for its name.
    """
    _, found = models_json_schema(
        [(model, "serialization") for model in models], ref_template=ref_template, schema_generator=_Open
    )
    return dict(found["$defs"])
