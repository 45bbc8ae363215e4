"""The published JSON Schemas describe exactly what is written: JSON Schema 2020-12, money as strings."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from schemas.base import Model, read
from schemas.catalog import Price, Product, Quote
from schemas.envelope import schema_id
from schemas.money import parse_decimal
from schemas.published import PUBLISHED, json_schema
from tests.conformance.messages import AT, EXAMPLES

everything = pytest.mark.parametrize(
    ("name", "message"), [(name, message) for name, messages in EXAMPLES.items() for message in messages]
)
named = pytest.mark.parametrize("name", list(PUBLISHED))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=FormatChecker())


def written(message: Model) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(message.model_dump_json())
    return document


@named
def test_the_schemas_are_valid_and_name_themselves(name: str) -> None:
    Draft202012Validator.check_schema(json_schema(name))
    assert json_schema(name)["$id"] == schema_id(name)


@named
def test_every_field_says_what_it_is_and_whose_word(name: str) -> None:
    schema = json_schema(name)
    objects = [schema, *(part for part in schema.get("$defs", {}).values() if "properties" in part)]
    fields = {field: text for part in objects for field, text in part["properties"].items()}
    assert [field for field, text in fields.items() if not text.get("description")] == []
    sourced = schema["properties"].items()
    assert [field for field, text in sourced if "Source: " not in text["description"]] == []


@everything
def test_messages_fit_their_schema_and_the_released_one(name: str, message: Model) -> None:
    released = files("schemas").joinpath(f"released/v1/{name}.schema.json").read_text(encoding="utf-8")
    validator(json_schema(name)).validate(written(message))
    validator(json.loads(released)).validate(written(message))


@everything
def test_messages_read_back(name: str, message: Model) -> None:
    assert read(PUBLISHED[name], message.model_dump_json().encode()) == message


@everything
def test_members_of_later_versions_are_ignored(name: str, message: Model) -> None:
    later = json.dumps(written(message) | {"added_later": {"x": 1}}).encode()
    assert read(PUBLISHED[name], later) == message
    validator(json_schema(name)).validate(json.loads(later))


@given(amount=st.from_regex(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?", fullmatch=True))
def test_every_amount_is_a_plain_string(amount: str) -> None:
    price = Price(
        supplier="acme",
        version=1,
        observed_at=AT,
        sku="SKU-1",
        quote=Quote.QUOTED,
        agreement_price=parse_decimal(amount, places=6),
    )
    assert written(price)["agreement_price"] == amount
    validator(json_schema("price")).validate(written(price))


@pytest.mark.parametrize("amount", [12.5, 12, "1e3", "-1", "1,5", "", " 1", "1" * 13, "1.1234567"])
def test_no_other_amount_fits(amount: object) -> None:
    price = written(EXAMPLES["price"][0]) | {"agreement_price": amount}
    assert not validator(json_schema("price")).is_valid(price)


def test_a_product_has_a_directory_item_or_a_reason() -> None:
    product = written(EXAMPLES["product"][0])
    for item, reason in [(None, None), (product["directory_item"], "no_match")]:
        with pytest.raises(ValueError, match="either a directory item or the reason"):
            read(Product, json.dumps(product | {"directory_item": item, "no_directory_reason": reason}).encode())
