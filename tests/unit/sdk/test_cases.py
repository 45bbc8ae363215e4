"""Golden cases say what is wrong with them, and hold what suppliers send whatever it is."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from gateway.sdk import CAPABILITIES
from gateway.sdk.errors import ConfigError
from gateway.sdk.exchange import Exchange, decode_exchange
from gateway.sdk.testing import CallCase, Case, read_cases
from gateway.sdk.testing.mutants import mutants, mutants_of_exchange

LISTING: dict[str, Any] = {
    "name": "listing__on",
    "description": "Put on the shelf.",
    "facet": "listing",
    "received_at": "2026-05-01T12:00:00+08:00",
    "record": '{"sku":"A","shelf":"on"}',
    "items": [{"facts": {"sku": "A", "shelf": "on"}}],
}

AREAS: dict[str, Any] = {
    "name": "call__reads_areas_top",
    "description": "The top of the tree.",
    "capability": "reads_areas",
    "call": {"method": "read_areas", "args": {"parent": ""}},
    "exchanges": [{"request": {"operation": "areas"}, "reply": {"body": "{}"}}],
    "result": [],
}


def a_case(**changes: object) -> Case:
    return Case.model_validate(LISTING | changes)


def told(case: BaseModel) -> bytes:
    """A case as its file has it."""
    return case.model_dump_json(exclude={"name"}, exclude_none=True).encode()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"record": None}, "give record, record_base64 or exchange"),
        ({"record_base64": "AA=="}, "give record, record_base64 or exchange"),
        ({"exchange": {"skus": [], "replies": {}}}, "give record, record_base64 or exchange"),
        ({"items": None}, "give items or issues"),
        ({"issues": []}, "give items or issues"),
        (
            {"items": None, "issues": [], "refusals": [{"sku": "A", "issues": [{"code": "x"}]}]},
            "refusals go with items",
        ),
        ({"refusals": [{"sku": "A", "issues": []}]}, "at least 1"),
        ({"record": None, "exchange": {"skus": ["A"], "replies": {"a": {"base64": "?"}}}}, "not Base64"),
        ({"record": None, "exchange": {"skus": ["A"], "replies": {"a": 1}}}, "give a text or"),
    ],
)
def test_a_case_of_a_feed_tells_one_record_and_one_outcome(changes: dict[str, object], problem: str):
    with pytest.raises(ValueError, match=problem):
        a_case(**changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"capability": "normalises_feeds"}, "unknown capability"),
        ({"capability": "pulls_feeds"}, "pulls_feeds has the methods list_skus, read"),
        ({"name": "call__areas"}, "begins with call__reads_areas_"),
        ({"error": {"class": "AuthError"}}, "give result or error"),
        ({"result": None}, "result: "),
        ({"result": [{"id": "1"}]}, "result: 0.name: Field required"),
        ({"call": {"method": "read_areas"}}, "args"),
        ({"call": {"method": "swim", "args": {}}}, "'swim'"),
        ({"call": {"method": "read_areas", "args": {"child": "1"}}}, "Extra inputs"),
    ],
)
def test_a_case_of_a_call_tells_one_call_and_one_end(changes: dict[str, object], problem: str):
    with pytest.raises(ValidationError, match=problem):
        CallCase.model_validate(AREAS | changes)


def test_a_case_without_an_end_is_none():
    with pytest.raises(ValidationError, match="give result or error"):
        CallCase.model_validate({name: value for name, value in AREAS.items() if name != "result"})


def test_follow_ups_ask_nobody():
    call = {"method": "follow_ups", "args": {"message": {"id": "1", "type": "2"}}}
    changes = {"name": "call__polls_messages_x", "capability": "polls_messages", "call": call}
    with pytest.raises(ValidationError, match="follow_ups is pure"):
        CallCase.model_validate(AREAS | changes)


def test_a_case_may_hold_bytes_that_are_no_text():
    assert a_case(record=None, record_base64="gIE=").raw.raw == b"\x80\x81"
    exchange = {"skus": ["A"], "asked": {"area": "1"}, "replies": {"shelf": {"base64": "gIE="}, "more": "text"}}
    raw = a_case(record=None, exchange=exchange).raw.raw
    assert decode_exchange(raw) == Exchange(("A",), {"shelf": b"\x80\x81", "more": b"text"}, {"area": "1"})


def test_every_file_that_is_no_case_is_named(tmp_path: Path):
    folder = tmp_path / "cases"
    folder.mkdir()
    (folder / "price__a.json").write_text("{", encoding="utf-8")
    (folder / "price__b.json").write_text('{"surprise": 1}', encoding="utf-8")
    (folder / "stock__c.json").write_bytes(told(a_case(name="listing__c")))
    (folder / "call__d.json").write_bytes(orjson.dumps({key: AREAS[key] for key in AREAS if key != "name"}))
    with pytest.raises(ConfigError) as caught:
        read_cases(tmp_path)
    problems = "\n".join(caught.value.problems)
    for expected in (
        "price__a.json: not a JSON object",
        "price__b.json: surprise",
        "begins with listing__",
        "call__d.json: the file's name begins with call__reads_areas_",
    ):
        assert expected in problems


def test_an_adapter_without_cases_is_told_to_write_some(tmp_path: Path):
    with pytest.raises(ConfigError, match="write the golden cases first"):
        read_cases(tmp_path)


def test_every_capability_that_makes_calls_has_its_methods():
    assert {name for name, spec in CAPABILITIES.items() if spec.shown} == set(CAPABILITIES) - {
        "normalises_feeds",
        "issues_contracts",
    }
    for spec in CAPABILITIES.values():
        public = {name for name in vars(spec.protocol) if not name.startswith("_")}
        assert public - {"areas", "normalise"} == set(spec.shown)  # of the one facts are stated, of the other records


def test_a_text_that_holds_json_is_damaged_inside_and_stays_a_text():
    raw = orjson.dumps({"prices": '[{"sku":"A"}]', "name": "[not JSON", "at": [1]})
    found = dict(mutants(raw))
    assert orjson.loads(found["/prices/0/sku dropped"]) == {"prices": "[{}]", "name": "[not JSON", "at": [1]}
    assert orjson.loads(found["/prices/0/sku = None"])["prices"] == '[{"sku":null}]'
    assert orjson.loads(found["/prices = None"])["prices"] is None
    assert orjson.loads(found["a member added"])["prices"] == '[{"sku":"A"}]'
    assert not [name for name in found if name.startswith("/name/")]


def test_every_reply_of_an_exchange_is_damaged_and_the_others_stay():
    exchange = Exchange(("A",), {"price": b'{"p":1}', "check": b'{"c":2}'})
    damaged = {name: decode_exchange(raw).replies for name, raw in mutants_of_exchange(exchange) if ": " in name}
    assert damaged["price: cut in half"] == {"price": b'{"p', "check": b'{"c":2}'}
    assert damaged["check: /c dropped"] == {"price": b'{"p":1}', "check": b"{}"}
    assert damaged["check: invalid UTF-8"]["check"] == b'{"c":2}\xff'
