"""Which members of a message may tell who a person is."""

from __future__ import annotations

import json
import traceback
from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from gateway.relay.vendor_events import VENDOR_EVENTS
from schemas.base import Line, Model, Personal, read
from schemas.orders import COMMANDS, EVENTS, Operation
from schemas.orders.commands import SubmitOrder
from schemas.orders.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES
from schemas.personal import MASK, is_personal, masked, personal_paths
from schemas.published import PUBLISHED


class Someone(Model):
    name: Annotated[Line, Personal()]
    town: Line


class Letter(Model):
    number: int
    to: Someone
    copies: tuple[Someone, ...] = ()
    by: Annotated[Someone, Personal()] | None = None
    pages: tuple[Annotated[Line, Personal()], ...] = ()
    pair: tuple[tuple[Someone, ...], ...] = ()
    note: Annotated[Line | None, Field(max_length=5), Personal()] = None


def test_marked_fields_are_found_wherever_they_are():
    assert personal_paths(Letter) == (
        "/to/name",
        "/copies/*/name",
        "/by",
        "/pages",
        "/pair/*/*/name",
        "/note",
    )


@pytest.mark.parametrize(
    ("path", "personal"),
    [
        ("/to/name", True),
        ("/to", True),
        ("", True),
        ("/by/town", True),
        ("/copies/12/name", True),
        ("/copies/12/town", False),
        ("/number", False),
        ("/to/town", False),
    ],
)
def test_a_place_is_personal_when_it_is_marked_or_in_one_or_holds_one(path: str, personal: bool):
    assert is_personal(Letter, path) is personal


def test_people_addresses_tax_and_bank_of_a_submit_are_marked():
    assert personal_paths(SubmitOrder) == (
        "/payload/receiver/name",
        "/payload/receiver/mobile",
        "/payload/receiver/phone",
        "/payload/receiver/email",
        "/payload/address/text",
        "/payload/address/zip",
        "/payload/invoice/title",
        "/payload/invoice/tax_no",
        "/payload/invoice/bank_data",
        "/payload/remark",
    )


@pytest.mark.parametrize("model", [*COMMANDS.values(), *EVENTS.values()])
def test_every_free_text_of_people_is_marked(model: type[Model]):
    """Names of members that hold words of people; a new one has to be marked as well."""
    told = {"receiver", "remark", "reason", "signed_by", "operator", "raw_message", "text", "title", "tax_no"}
    words = {path.rsplit("/", 1)[-1] for path in _leaves(model)} & told
    marked = {path.rsplit("/", 1)[-1] for path in personal_paths(model)}
    waiting = ("OrderParked", "OrderUnsupported", "InvoiceParkedEvent", "AfterSaleParked")
    coded = {"reason"} if model.__name__ in waiting else set()
    assert words - marked - coded == set()


def _leaves(model: type[Model]) -> set[str]:
    examples = {type(each): each for each in [*COMMAND_EXAMPLES.values(), *EVENT_EXAMPLES.values()]}
    found: set[str] = set()

    def walk(value: object, path: str) -> None:
        match value:
            case dict():
                for name, child in value.items():
                    walk(child, f"{path}/{name}")
            case list():
                for child in value:
                    walk(child, f"{path}/*")
            case _:
                found.add(path)

    walk(examples[model].model_dump(mode="json"), "")  # type: ignore[index]
    return found


def test_the_catalog_knows_no_people():
    assert [name for name in ("product", "price", "stock", "listing") if personal_paths(PUBLISHED[name])] == []


def test_what_is_masked_tells_of_nobody_and_keeps_everything_else() -> None:
    for command in COMMAND_EXAMPLES.values():
        said = json.loads(command.model_dump_json())
        hidden = masked(said, [type(command)])
        for path in personal_paths(type(command)):
            for value in at(said, path.split("/")[1:]):
                assert value is None or json.dumps(value, ensure_ascii=False) not in json.dumps(
                    hidden, ensure_ascii=False
                )
        assert {name: hidden[name] for name in hidden if name != "payload"} == {
            name: said[name] for name in said if name != "payload"
        }


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"payload": ["no object"]}, {"payload": MASK}),
        ({"payload": "no object"}, {"payload": MASK}),
        ({"payload": None, "order_no": "A-1"}, {"payload": None, "order_no": "A-1"}),
        ({"payload": {"reciever": {"name": "欧阳"}}}, {"payload": {"reciever": {"name": MASK}}}),
        ({"payload": {"receiver": {"mobilePhone": "139"}}}, {"payload": {"receiver": {"mobilePhone": MASK}}}),
        ({"phones": [{"a": 1}, 13911112222]}, {"phones": MASK}),
        ({"13911112222": "x"}, {MASK: MASK}),
        ({"order_no": {"of": "欧阳"}}, {"order_no": {"of": MASK}}),
        ({"payload": {"children": ["1", "2"]}}, {"payload": {"children": ["1", "2"]}}),
        ({"payload": {"lines": [{"sku": "1", "for": "欧阳"}]}}, {"payload": {"lines": [{"sku": "1", "for": MASK}]}}),
        (["欧阳"], MASK),
        ("欧阳", MASK),
    ],
)
def test_what_no_schema_knows_tells_of_nobody_either(said: object, shown: object) -> None:
    assert masked(said, COMMANDS.values()) == shown


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def at(said: object, steps: list[str]) -> list[object]:
    """The values at a path, none where it leads nowhere."""
    if not steps:
        return [said]
    if isinstance(said, list):
        return [found for each in said for found in at(each, steps[1:])]
    return at(said[steps[0]], steps[1:]) if isinstance(said, dict) and steps[0] in said else []


WRONG = {"name": "王芳" * 400, "mobile": "13800000000\x00", "address": "花园路1号院\x00"}
"""Values that no model takes where a text is wanted."""


@pytest.mark.parametrize("model", [*COMMANDS.values(), *EVENTS.values(), *VENDOR_EVENTS.values()])
def test_what_is_wrong_with_a_message_is_said_without_what_it_says_of_people(model: type[Model]):
    with pytest.raises(ValidationError) as raised:
        read(model, json.dumps(dict.fromkeys(model.model_fields, WRONG)).encode())
    logged = "".join(traceback.format_exception(raised.value))
    assert logged.count("Input should be") > 0
    for value in WRONG.values():
        assert value[:5] not in logged


def test_a_wrong_address_is_in_no_text_about_a_command():
    submit = json.loads(COMMAND_EXAMPLES[Operation.SUBMIT].model_dump_json())
    submit["payload"]["address"]["text"] = "花园路1号院\x00"
    with pytest.raises(ValidationError) as raised:
        read(SubmitOrder, json.dumps(submit).encode())
    assert "payload.address.text" in str(raised.value)
    assert "花园路" not in "".join(traceback.format_exception(raised.value))
