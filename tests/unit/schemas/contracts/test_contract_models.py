"""Commands of contracts: what they hold, and what they refuse."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from schemas.base import read
from schemas.contracts import COMMANDS, EVENTS, contract_event_id
from schemas.contracts.commands import ContractOperation, IssueContract
from schemas.contracts.events import ContractKind
from schemas.contracts.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES
from schemas.contracts.parts import AnnouncedField, Announcement
from schemas.personal import personal_paths

ANNOUNCED = ("name", "project_no", "project_name", "buyer", "seller", "subjects", "amount", "performance")
"""Members of an announcement with those of the table in the reference of Chinese announcements, and the rest below."""


def issue(**members: Any) -> bytes:
    """The example of an issue with other members of its announcement or document: `amount__unit`."""
    said = orjson.loads(COMMAND_EXAMPLES[ContractOperation.ISSUE].model_dump_json())
    for path, value in members.items():
        *steps, last = path.split("__")
        place = said["payload"]
        for step in steps:
            place = place[int(step)] if step.isdecimal() else place[step]
        place[last] = value
    return orjson.dumps(said)


def refused(body: bytes) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        read(IssueContract, body)
    return [".".join(map(str, each["loc"])) for each in raised.value.errors()]


@pytest.mark.parametrize("operation", list(ContractOperation))
def test_examples_of_commands_are_read_as_they_were_written(operation: ContractOperation):
    command = COMMAND_EXAMPLES[operation]
    assert read(COMMANDS[operation], command.model_dump_json().encode()) == command


@pytest.mark.parametrize("kind", list(ContractKind))
def test_examples_of_events_are_read_as_they_were_written(kind: ContractKind):
    event = EVENT_EXAMPLES[kind]
    assert read(EVENTS[kind], event.model_dump_json().encode()) == event


def test_every_field_of_an_announcement_can_be_withheld():
    leaves: set[str] = {"contract_no"}
    for name, field in Announcement.model_fields.items():
        inner = {
            "buyer": ("name", "address", "contact", "phone"),
            "seller": ("name", "address", "contact", "phone"),
            "subjects": ("name", "specification", "quantity", "unit_price"),
            "performance": ("term", "place", "summary"),
        }.get(name)
        if name != "withheld":
            leaves |= {f"{name}.{each}" for each in inner} if inner else {name}
        assert field.description
    assert {field.value for field in AnnouncedField} == leaves


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"announcement__amount": {"amount": "34.5", "unit": "wan_yuan"}}, "payload.announcement.amount.unit"),
        ({"announcement__amount": {"amount": "345.001", "unit": "yuan"}}, "payload.announcement.amount.amount"),
        ({"announcement__amount": {"amount": 345.0, "unit": "yuan"}}, "payload.announcement.amount.amount"),
        ({"announcement__amount": {"amount": "1000000000000", "unit": "yuan"}}, "payload.announcement.amount.amount"),
        ({"announcement__withheld": ["amount", "amount"]}, "payload.announcement.withheld"),
        ({"announcement__withheld": ["price"]}, "payload.announcement.withheld.0"),
        ({"announcement__announced_on": "2026-11-22"}, "payload.announcement"),
        ({"announcement__signed_on": "20261123"}, "payload.announcement.signed_on"),
        ({"announcement__subjects": []}, "payload.announcement.subjects"),
        ({"document__sha256": "9F86D081"}, "payload.document.sha256"),
        ({"document__size": 0}, "payload.document.size"),
        ({"document__size": 50 * 1024 * 1024 + 1}, "payload.document.size"),
        ({"document__url": "ftp://contracts.mall.example/1.pdf"}, "payload.document.url"),
        ({"document__url": "https://core:secret@contracts.mall.example/1.pdf"}, "payload.document.url"),
        ({"document__url": "https://contracts.mall.example/1.pdf#page=2"}, "payload.document.url"),
    ],
)
def test_what_is_no_contract_is_refused_where_it_is_wrong(wrong: dict[str, Any], path: str):
    assert refused(issue(**wrong)) == [path]


def test_people_in_a_contract_are_marked():
    of_issue = set(personal_paths(IssueContract))
    assert {f"/payload/announcement/{side}/phone" for side in ("buyer", "seller")} <= of_issue
    assert {f"/payload/announcement/{side}/contact" for side in ("buyer", "seller")} <= of_issue


def test_an_event_keeps_its_id_whenever_it_is_told_and_another_one_has_another():
    delivered = EVENT_EXAMPLES[ContractKind.DELIVERED]
    at = EVENT_EXAMPLES[ContractKind.SIGNED].occurred_at.replace(year=2027)
    later = delivered.model_copy(update={"occurred_at": at})
    assert contract_event_id(later) == contract_event_id(delivered)
    assert len({contract_event_id(event) for event in EVENT_EXAMPLES.values()}) == len(EVENT_EXAMPLES)
