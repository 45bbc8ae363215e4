"""Nothing that consumers of the released schemas rely on goes away within v1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from importlib.resources import files
from typing import Any

import pytest

from schemas.base import read
from schemas.published import PUBLISHED, json_schema
from tests.conformance.compatibility import breaks

Schema = dict[str, Any]
RELEASED = files("schemas").joinpath("released/v1")


def released(name: str) -> Schema:
    schema: Schema = json.loads(RELEASED.joinpath(f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def released_names() -> list[str]:
    return sorted(path.name.removesuffix(".schema.json") for path in RELEASED.iterdir() if "schema" in path.name)


def changed(name: str, change: Callable[[Schema], object]) -> Schema:
    schema = deepcopy(json_schema(name))
    change(schema)
    return schema


def test_every_released_schema_is_still_published() -> None:
    assert set(released_names()) <= set(PUBLISHED)


@pytest.mark.parametrize("name", released_names())
def test_the_schemas_follow_the_released_ones(name: str) -> None:
    assert breaks(released(name), json_schema(name)) == []


@pytest.mark.parametrize("name", released_names())
def test_messages_of_the_release_still_read(name: str) -> None:
    for line in RELEASED.joinpath(f"{name}.examples.jsonl").read_bytes().splitlines():
        assert read(PUBLISHED[name], line).model_dump(mode="json").items() >= json.loads(line).items()


OLD_READERS = "readers of the old schema cannot read new messages"
NEW_READERS = "readers of the new schema cannot read old messages"


def _add_optional(schema: Schema) -> None:
    schema["properties"]["added"] = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}


def _add_required(schema: Schema) -> None:
    schema["properties"]["added"] = {"type": "string"}
    schema["required"].append("added")


def _remove_required(schema: Schema) -> None:
    _make_optional(schema)
    del schema["properties"][_relied_on(schema)]


def _make_optional(schema: Schema) -> None:
    schema["required"].remove(_relied_on(schema))


def _relied_on(schema: Schema) -> str:
    """A text that every message of the schema has: whose it is, or of which contract or order."""
    return next(each for each in ("contract_no", "order_no", "supplier") if each in schema["properties"])


def _make_required(schema: Schema) -> None:
    optional = next(name for name in schema["properties"] if name not in schema["required"])
    schema["required"].append(optional)


def _change_type(schema: Schema) -> None:
    schema["properties"][_relied_on(schema)] = {"type": "integer"}


def _add_word(schema: Schema) -> None:
    _vocabulary(schema).append("added")


def _remove_word(schema: Schema) -> None:
    _vocabulary(schema).pop()


def _vocabulary(schema: Schema) -> list[str]:
    words: list[str] = next(_vocabularies(schema))
    return words


def _vocabularies(schema: Schema) -> Iterator[list[str]]:
    return (part["enum"] for part in schema["$defs"].values() if "enum" in part)


@pytest.mark.parametrize("name", released_names())
def test_an_added_optional_member_passes(name: str) -> None:
    assert breaks(json_schema(name), changed(name, _add_optional)) == []


@pytest.mark.parametrize("name", released_names())
@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (_add_required, {NEW_READERS}),
        (_make_required, {NEW_READERS}),
        (_remove_required, {OLD_READERS, NEW_READERS}),
        (_make_optional, {OLD_READERS}),
        (_change_type, {OLD_READERS, NEW_READERS}),
    ],
)
def test_a_breaking_change_is_caught(name: str, change: Callable[[Schema], object], broken: set[str]) -> None:
    assert set(breaks(json_schema(name), changed(name, change))) == broken


@pytest.mark.parametrize("name", [name for name in released_names() if any(_vocabularies(json_schema(name)))])
@pytest.mark.parametrize(("change", "broken"), [(_add_word, {OLD_READERS}), (_remove_word, {NEW_READERS})])
def test_a_changed_vocabulary_is_caught(name: str, change: Callable[[Schema], object], broken: set[str]) -> None:
    assert set(breaks(json_schema(name), changed(name, change))) == broken


def test_a_breaking_change_deep_inside_is_caught() -> None:
    def require_more_of_attributes(schema: Schema) -> None:
        _add_required(schema["$defs"]["Attribute"])

    assert breaks(json_schema("product"), changed("product", require_more_of_attributes)) == [NEW_READERS]
