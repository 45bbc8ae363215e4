"""What the mall core wrote is a command, or is refused for one reason that says what to mend."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sdk.commands import RefusalReason, RefusedCommand, read_command, terminal_event
from schemas.envelope import CE_DATASCHEMA, CE_TYPE, Headers
from schemas.orders import COMMANDS, Operation, OrderCommand, order_key
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers

SUBMIT = COMMAND_EXAMPLES[Operation.SUBMIT]
HEADERS = command_headers(SUBMIT)
KEY = order_key(SUBMIT.order_no)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
Document = dict[str, Any]


def written(change: Callable[[Document], object] = lambda _: None) -> bytes:
    document: Document = json.loads(SUBMIT.model_dump_json())
    change(document)
    return json.dumps(document, ensure_ascii=False).encode()


def with_header(name: str, value: str) -> Headers:
    return (*(header for header in HEADERS if header[0] != name), (name, value.encode()))


def at(path: str, value: object) -> Callable[[Document], object]:
    """A change of the member that a pointer leads to."""

    def change(document: Document) -> None:
        *way, last = [int(step) if step.isdecimal() else step for step in path.strip("/").split("/")]
        place: Any = document
        for step in way:
            place = place[step]
        place[last] = value

    return change


def refused(value: bytes | None, *, key: bytes | None = KEY, headers: Headers = HEADERS) -> RefusedCommand:
    found = read_command(key, headers, value)
    assert isinstance(found, RefusedCommand), "taken"
    return found


@pytest.mark.parametrize("command", COMMAND_EXAMPLES.values(), ids=list(COMMANDS))
def test_every_example_is_the_command_that_it_was(command: OrderCommand):
    value = command.model_dump_json().encode()
    assert read_command(order_key(command.order_no), command_headers(command), value) == command


def test_members_and_headers_of_a_later_core_pass():
    value = written(lambda document: document | {"added": 1} and document.update(added=1))
    assert read_command(KEY, (*HEADERS, ("x-trace", b"\xff")), value) == SUBMIT


@pytest.mark.parametrize("value", [None, b""])
def test_a_null_value_is_no_command(value: bytes | None):
    assert refused(value).reason is RefusalReason.NO_VALUE


def test_ten_megabytes_are_not_even_parsed():
    found = refused(written(at("payload/remark", "x" * 10_000_000)))
    assert found.reason is RefusalReason.TOO_LARGE
    assert "bytes" in found.issues[0].actual
    assert found.command_id is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"{", "malformed_json"),
        (b"\xff\xfe{}", "malformed_json"),
        (b"<xml/>", "malformed_json"),
        (b'{"a": NaN}', "malformed_json"),
        (b'{"a": "\\ud800"}', "malformed_json"),
        (b"[" * 100_000, "json_too_deep"),
        (b'{"a":' * 500 + b"1" + b"}" * 500, "json_too_deep"),
        (b'{"order_no": "a", "order_no": "b"}', "duplicate_key"),
        (b'{"a": "\\u0000"}', "invalid_text"),
        (b"[]", "validation_failed"),
        (b'"order.submit"', "validation_failed"),
        (b"{} {}", "malformed_json"),
    ],
)
def test_what_is_no_object_of_json_is_told_as_that(value: bytes, code: str):
    found = refused(value)
    assert (found.reason, found.issues[0].code) == (RefusalReason.NOT_JSON, code)
    assert terminal_event(found, at=NOW) is None


def test_headers_that_do_not_read_are_told():
    assert refused(written(), headers=()).reason is RefusalReason.INVALID_HEADERS
    assert refused(written(), headers=with_header("ce_id", "")).reason is RefusalReason.INVALID_HEADERS
    assert refused(written(), headers=((CE_TYPE, b"\xff"),)).reason is RefusalReason.INVALID_HEADERS


def test_a_header_that_is_missing_is_named():
    [issue] = refused(written(), headers=tuple(each for each in HEADERS if each[0] != "ce_id")).issues
    assert (issue.actual, issue.expected) == ("ce_id: Field required", "headers of CloudEvents")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        (with_header(CE_TYPE, "mall.orders.order.submit.v2"), RefusalReason.UNKNOWN_SCHEMA_VERSION),
        (with_header(CE_TYPE, "mall.orders.order.submit.v0"), RefusalReason.UNKNOWN_SCHEMA_VERSION),
        (with_header(CE_DATASCHEMA, "urn:mallgate:schema:order-submit:v2"), RefusalReason.UNKNOWN_SCHEMA_VERSION),
        (with_header(CE_TYPE, "mall.orders.order.burn.v1"), RefusalReason.UNKNOWN_OPERATION),
        (with_header(CE_TYPE, "mall.contracts.contract.make.v1"), RefusalReason.UNKNOWN_OPERATION),
        (with_header(CE_TYPE, "mall.orders.order.cancel.v1"), RefusalReason.INVALID),
    ],
)
def test_versions_and_operations_are_told_apart(headers: Headers, reason: RefusalReason):
    found = refused(written(), headers=headers)
    assert found.reason is reason
    event = terminal_event(found, at=NOW)
    assert event is not None
    assert (event.cause.command_id, event.order_no) == (SUBMIT.command_id, SUBMIT.order_no)


@pytest.mark.parametrize("operation", ["order.burn", "", None, 7, ["order.submit"], {}])
def test_an_unknown_operation_in_the_value_is_told(operation: object):
    assert refused(written(at("operation", operation))).reason is RefusalReason.UNKNOWN_OPERATION


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, RefusalReason.NO_KEY),
        (b"", RefusalReason.NO_KEY),
        (b"\xff", RefusalReason.INVALID_KEY),
        ("HN20261123000017\u200b".encode(), RefusalReason.INVALID_KEY),
        (b"HN20261123000017\n", RefusalReason.INVALID_KEY),
        (b"HN20261123000018", RefusalReason.OTHER_KEY),
        (b"hn20261123000017", RefusalReason.OTHER_KEY),
    ],
)
def test_a_key_that_is_not_the_orders_is_told_and_ends_no_order(key: bytes | None, reason: RefusalReason):
    found = refused(written(), key=key)
    assert found.reason is reason
    assert found.order_no is None
    assert terminal_event(found, at=NOW) is None


LINE = "/payload/lines/0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/command_id", "1"),
        ("/command_id", SUBMIT.command_id.lower()),
        ("/order_no", "HN\u200b20261123000017"),
        ("/order_no", None),
        ("/order_no", 20261123000017),
        ("/supplier", "ACME!"),
        ("/tenant", "Henan"),
        ("/revision", 0),
        ("/revision", "1"),
        ("/revision", 2**31),
        ("/deadline", "2026-11-24T09:30:00"),
        ("/deadline", "1700000000"),
        ("/deadline", 1700000000),
        ("/deadline", "2026-11-24"),
        ("/deadline", "0001-01-01T00:00:00+14:00"),
        ("/deadline", "9999-12-31T23:59:59-14:00"),
        ("/payload", None),
        ("/payload/lines", []),
        (f"{LINE}/quantity", "-1"),
        (f"{LINE}/quantity", "0"),
        (f"{LINE}/quantity", 3),
        (f"{LINE}/quantity", "1e3"),
        (f"{LINE}/quantity", "NaN"),
        (f"{LINE}/quantity", "Infinity"),
        (f"{LINE}/quantity", "1.0001"),
        (f"{LINE}/quantity", "９"),
        (f"{LINE}/quantity", " 3 "),
        (f"{LINE}/price/gross", "-0"),
        (f"{LINE}/price/gross", "0"),
        (f"{LINE}/price/gross", 113.0),
        (f"{LINE}/price/gross", "1" * 13),
        (f"{LINE}/price/tax_rate", "101"),
        (f"{LINE}/line_no", 0),
        (f"{LINE}/line_no", True),
        (f"{LINE}/sku", "SKU\u200b1"),
        ("/payload/mode", "now"),
        ("/payload/payment", "barter"),
        ("/payload/address/mall_areas", []),
        ("/payload/address/supplier_area", "*"),
        ("/payload/invoice/tax_no", None),
        ("/payload/totals/freight", "-6"),
    ],
)
def test_a_member_that_does_not_fit_is_told_with_its_place(path: str, value: object):
    found = refused(written(at(path, value)))
    assert found.reason is RefusalReason.INVALID
    assert any(path.startswith(issue.path) for issue in found.issues)


def test_a_line_at_fault_is_not_told_as_a_line_too_few():
    found = refused(written(at(f"{LINE}/quantity", "0")))
    assert [(issue.path, issue.expected) for issue in found.issues] == [(f"{LINE}/quantity", "more than 0")]
    none = refused(written(at("payload/lines", [])))
    assert [(issue.path, issue.expected) for issue in none.issues] == [("/payload/lines", "at least 1 of them")]


def test_a_missing_member_is_told():
    found = refused(written(lambda document: document.pop("deadline")))
    assert [(issue.path, issue.expected) for issue in found.issues] == [("/deadline", "this member")]


def test_lines_with_one_number_are_told():
    found = refused(written(lambda document: document["payload"]["lines"].append(document["payload"]["lines"][0])))
    assert found.reason is RefusalReason.INVALID


def test_totals_that_are_not_the_sums_of_the_lines_are_told_as_that():
    found = refused(written(at("payload/totals/gross", "339.01")))
    assert found.reason is RefusalReason.SUM_MISMATCH
    assert "stated 339.01, sum 339.00" in found.issues[0].expected


PERSON = "王芳\u0007 13800000000"


@pytest.mark.parametrize(
    "change",
    [
        at("payload/receiver/name", PERSON),
        at("payload/receiver/mobile", "王芳"),
        at("payload/receiver", "王芳 13800000000"),
        at("payload/invoice/bank_data/account", "王芳"),
        at("payload/address/text", ["王芳"]),
        at("payload", "王芳"),
        at("payload/remark", "王芳\n"),
    ],
)
def test_a_refusal_repeats_nothing_personal(change: Callable[[Document], object]):
    found = refused(written(change))
    assert "王芳" not in str(found.issues)
    assert "138" not in str(found.issues)
    event = terminal_event(found, at=NOW)
    assert event is None or "王芳" not in event.model_dump_json()


def test_the_event_of_a_refusal_names_what_the_command_said():
    event = terminal_event(refused(written(at("/supplier", "No Such"))), at=NOW)
    assert event is not None
    assert (event.supplier, event.tenant, event.payload.operation) == ("No Such", "410000", "order.submit")
    assert event.payload.reason == "invalid"
    assert event.payload.problems[0].startswith("/supplier: ")


def test_an_unreadable_name_of_supplier_or_operation_is_left_out_of_the_event():
    event = terminal_event(refused(written(at("/supplier", "x" * 10_000))), at=NOW)
    assert event is not None
    assert event.supplier is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from(sorted(json.loads(SUBMIT.model_dump_json()))), anything, st.none() | st.binary(max_size=40))
def test_whatever_comes_is_read_or_refused_and_raises_nothing(member: str, value: object, key: bytes | None):
    for each_key in (KEY, key):
        found = read_command(
            each_key, HEADERS, json.dumps(json.loads(SUBMIT.model_dump_json()) | {member: value}).encode()
        )
        if isinstance(found, RefusedCommand):
            terminal_event(found, at=NOW)


@given(st.binary(max_size=200), st.lists(st.tuples(st.sampled_from(["ce_id", "ce_type", "x"]), st.binary(max_size=20))))
def test_any_bytes_are_refused(value: bytes, headers: list[tuple[str, bytes]]):
    assert isinstance(read_command(KEY, headers, value), RefusedCommand)
