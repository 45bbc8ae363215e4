"""What a dead letter of the commands topic is judged as: itself where all of it was kept, else an operator's patch."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway.deadletters import DeadLetterRow, NotReplayableError
from gateway.kafka import ORDER_COMMANDS
from gateway.relay.patched_commands import patched_command
from gateway.relay.received import without_people
from gateway.sdk.errors import InvalidMessageError
from schemas.envelope import TRACEPARENT, Headers
from schemas.orders import Operation
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers

SUBMIT, CONFIRM = COMMAND_EXAMPLES[Operation.SUBMIT], COMMAND_EXAMPLES[Operation.CONFIRM]
RECEIVER = orjson.loads(SUBMIT.model_dump_json())["payload"]["receiver"]["name"]
TRACE = (TRACEPARENT, b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01")


def letter(original: bytes, patch: bytes | None = None, **changes: Any) -> DeadLetterRow:
    """Of a record of the example's order at offset 7."""
    nothing: dict[str, Any] = {field.name: None for field in fields(DeadLetterRow)}
    row = DeadLetterRow(
        **{
            **nothing,
            "id": UUID(int=1),
            "topic": ORDER_COMMANDS,
            "partition": 3,
            "offset": 7,
            "key": SUBMIT.order_no.encode(),
            "headers": command_headers(SUBMIT),
            "original": without_people(original),
            "patched": patch,
        }
    )
    return replace(row, **changes)


def said(command: Any, **changes: Any) -> bytes:
    return orjson.dumps({**orjson.loads(command.model_dump_json()), **changes})


@pytest.mark.parametrize("original", [said(SUBMIT, command_id=None), b"{", b"[]", b"\xff", b""])
def test_what_was_not_kept_whole_is_never_taken_as_it_stands(original: bytes) -> None:
    with pytest.raises(NotReplayableError, match="not kept"):
        patched_command(letter(original))


def test_what_tells_of_nobody_is_judged_as_it_came() -> None:
    key = CONFIRM.order_no.encode()
    record, command = patched_command(letter(said(CONFIRM), key=key, headers=command_headers(CONFIRM)))
    assert command == CONFIRM
    assert (record.partition, record.offset, record.key) == (3, 7, key)
    with pytest.raises(InvalidMessageError, match="bad_header"):
        patched_command(letter(said(CONFIRM), key=key, headers=()))


@pytest.mark.parametrize("headers", [command_headers(SUBMIT), (("ce_type", b"\xff"),), ()])
def test_a_patch_stands_for_the_record_under_its_key_and_trace_whatever_its_headers_were(headers: Headers) -> None:
    record, command = patched_command(letter(b"{", said(SUBMIT), headers=(*headers, TRACE)))
    assert command == SUBMIT
    assert (record.topic, record.partition, record.offset) == (ORDER_COMMANDS, 3, 7)
    assert TRACE in record.headers


@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe"])
def test_a_record_that_was_of_no_order_is_of_the_patch_s(key: bytes | None) -> None:
    record, _ = patched_command(letter(b"{", said(SUBMIT), key=key))
    assert record.key == SUBMIT.order_no.encode()


@pytest.mark.parametrize(
    "patch",
    [
        without_people(said(SUBMIT)),
        said(SUBMIT, order_no="ELSEWHERE-1"),
        said(SUBMIT, order_no=7),
        said(SUBMIT, operation="order.polish"),
        said(SUBMIT, operation=["order.submit"]),
        b"",
        b"{",
        b"null",
    ],
)
def test_a_patch_that_is_no_command_of_the_order_is_refused_with_what_is_wrong(patch: bytes) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        patched_command(letter(b"{", patch))
    assert caught.value.issues
    assert RECEIVER not in str(caught.value.issues)
