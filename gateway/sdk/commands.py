"""Reading what the mall core asks for: from a record's bytes to a command, or to the one reason why it is none.

Who reads decides what comes of a refusal: where the command can be named, `terminal_event` makes the event that ends
it; where it cannot, its bytes are a dead letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from jiter import from_json
from pydantic import TypeAdapter, ValidationError

from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.faults import issues_of
from gateway.sdk.wire import MAX_RECORD, legible, members, shown, told
from schemas.base import CONTROLS, Model, read
from schemas.envelope import Envelope, InvalidEnvelopeError, decode, schema_id
from schemas.orders import COMMANDS, Operation, OrderCommand, UnsupportedReason, schema_name
from schemas.orders.events import Cause, OrderUnsupported
from schemas.orders.parts import CommandId, OrderNo, Tenant
from schemas.orders.payloads import Unsupported
from schemas.orders.sums import SUM_MISMATCH
from schemas.personal import is_personal


class RefusalReason(StrEnum):
    """Why a record is no command."""

    NO_VALUE = "no_value"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    INVALID_HEADERS = "invalid_headers"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    UNKNOWN_OPERATION = "unknown_operation"
    NO_KEY = "no_key"
    INVALID_KEY = "invalid_key"
    OTHER_KEY = "other_key"
    INVALID = "invalid"
    SUM_MISMATCH = "sum_mismatch"


@dataclass(frozen=True, slots=True)
class RefusedCommand:
    """A record that is no command.

    issues: what is wrong where, never a value of a personal member. The others: what the value says of itself, each as
    far as it can be read, so that the core can be told; order_no only when it is the key as well.
    """

    reason: RefusalReason
    issues: tuple[Issue, ...]
    command_id: str | None = None
    order_no: str | None = None
    tenant: str | None = None
    supplier: str | None = None
    operation: str | None = None


_REASONS: Mapping[RefusalReason, UnsupportedReason] = {
    RefusalReason.UNKNOWN_SCHEMA_VERSION: UnsupportedReason.UNKNOWN_SCHEMA_VERSION,
    RefusalReason.UNKNOWN_OPERATION: UnsupportedReason.UNKNOWN_OPERATION,
}

_COMMAND_TYPE = re.compile(r"mall\.orders\.([a-z_]+\.[a-z_]+)\.v([0-9]{1,9})")
_LINE = re.compile(rf"[^{CONTROLS}]{{1,200}}")
_COMMAND_ID: TypeAdapter[str] = TypeAdapter(CommandId)
_ORDER_NO: TypeAdapter[str] = TypeAdapter(OrderNo)
_TENANT: TypeAdapter[str] = TypeAdapter(Tenant)


def read_command(
    key: bytes | None, headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> OrderCommand | RefusedCommand:
    """The command that a record of `mall.orders.commands.v1` is. Total: raises nothing, whatever the record holds."""
    if not value:
        return _refused(RefusalReason.NO_VALUE, "null", "a command as JSON")
    if len(value) > MAX_RECORD:
        return _refused(RefusalReason.TOO_LARGE, f"{len(value)} bytes", f"at most {MAX_RECORD} bytes")
    try:
        said = members(value)
    except InvalidMessageError as error:
        unreadable = RefusedCommand(RefusalReason.NOT_JSON, tuple(map(_without_text, error.issues)))
        return _named(_names_in(value), key, unreadable)
    try:
        envelope = decode(headers)
    except InvalidEnvelopeError as error:
        found = _refused(
            RefusalReason.INVALID_HEADERS, legible(str(error)), "headers of CloudEvents", code="bad_header"
        )
        return _named(said, key, found)
    refused = _wrong_type(envelope, said) or _wrong_key(key, said)
    return _named(said, key, refused) if refused else _validated(key, said, value)


def terminal_event(refused: RefusedCommand, *, at: datetime) -> OrderUnsupported | None:
    """The event that ends a command which can be named; None: nobody can be told, its bytes are a dead letter."""
    if refused.command_id is None or refused.order_no is None:
        return None
    return OrderUnsupported(
        order_no=refused.order_no,
        tenant=refused.tenant,
        cause=Cause(command_id=refused.command_id),
        occurred_at=at,
        supplier=refused.supplier,
        payload=Unsupported(
            reason=_REASONS.get(refused.reason, UnsupportedReason.INVALID),
            operation=refused.operation,
            problems=tuple(_words(issue) for issue in refused.issues),
        ),
    )


def _words(issue: Issue) -> str:
    found = f", found {issue.actual}" if issue.actual else ""
    return _line(f"{issue.path or '/'}: expected {issue.expected or 'another value'}{found}")


def _line(text: str) -> str:
    """A text as one line of a message, 500 characters at most."""
    return re.sub(rf"[{CONTROLS}]", " ", text)[:500]


def _refused(
    reason: RefusalReason, actual: str, expected: str, *, path: str = "", code: str = "validation_failed"
) -> RefusedCommand:
    return RefusedCommand(reason, (Issue(code, path, actual, expected),))


def _wrong_type(envelope: Envelope, said: Mapping[str, Any]) -> RefusedCommand | None:
    """Whether version or operation are none that is known here: by the headers first, for they say how to read on."""
    found = _COMMAND_TYPE.fullmatch(envelope.type)
    operation = said.get("operation")
    if found and found[2] != "1":
        return _refused(RefusalReason.UNKNOWN_SCHEMA_VERSION, legible(envelope.type), "version 1", code="bad_header")
    if found is None or found[1] not in COMMANDS:
        return _refused(RefusalReason.UNKNOWN_OPERATION, legible(envelope.type), _known(), code="bad_header")
    if not isinstance(operation, str) or operation not in COMMANDS:
        return _refused(RefusalReason.UNKNOWN_OPERATION, shown(operation), _known(), path="/operation")
    if operation != found[1]:
        return _refused(RefusalReason.INVALID, shown(operation), f"{found[1]}, as ce_type says", path="/operation")
    expected = schema_id(schema_name(operation))
    if envelope.dataschema not in (None, expected):
        return _refused(
            RefusalReason.UNKNOWN_SCHEMA_VERSION, legible(str(envelope.dataschema)), expected, code="bad_header"
        )
    return None


def _known() -> str:
    return f"one of {', '.join(COMMANDS)}"


def _wrong_key(key: bytes | None, said: Mapping[str, Any]) -> RefusedCommand | None:
    if not key:
        return _refused(RefusalReason.NO_KEY, "", "order_no as the record's key")
    number = _key_text(key)
    if number is None:
        return _refused(RefusalReason.INVALID_KEY, legible(repr(key[:100])), "an order_no as the record's key")
    order_no = _valid(_ORDER_NO, said.get("order_no"))
    if order_no not in (None, number):
        return _refused(RefusalReason.OTHER_KEY, shown(order_no), f"{number}, as the record's key", path="/order_no")
    return None


def _key_text(key: bytes | None) -> str | None:
    try:
        return _ORDER_NO.validate_python((key or b"").decode(), strict=True)
    except ValueError:  # of pydantic and of UTF-8
        return None


def _validated(key: bytes | None, said: Mapping[str, Any], value: bytes) -> OrderCommand | RefusedCommand:
    model = COMMANDS[Operation(said["operation"])]
    try:
        return read(model, value)
    except ValidationError as error:
        wrong_sum = error.error_count() == 1 and error.errors(include_url=False)[0]["type"] == SUM_MISMATCH
        reason = RefusalReason.SUM_MISMATCH if wrong_sum else RefusalReason.INVALID
        issues = told(_without_personal_data(model, issue) for issue in issues_of(error))
        return _named(said, key, RefusedCommand(reason, issues))


def _without_text(issue: Issue) -> Issue:
    """Of a value that is read no further, any text may be personal."""
    return replace(issue, actual="") if issue.code == "invalid_text" else issue


def _without_personal_data(model: type[Model], issue: Issue) -> Issue:
    return replace(issue, actual="") if is_personal(model, issue.path) else issue


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def _names_in(value: bytes) -> Mapping[str, Any]:
    """What a value says that is JSON but for its texts, so that whoever wrote it can be told; {} where it is none.

    A member that comes twice makes it none: nobody can tell which of them is meant.
    """
    try:
        said = from_json(_SURROGATE.sub(b"?", value), catch_duplicate_keys=True)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _named(said: Mapping[str, Any], key: bytes | None, refused: RefusedCommand) -> RefusedCommand:
    order_no = _valid(_ORDER_NO, said.get("order_no"))
    return replace(
        refused,
        command_id=_valid(_COMMAND_ID, said.get("command_id")),
        order_no=order_no if order_no == _key_text(key) else None,
        tenant=_valid(_TENANT, said.get("tenant")),
        supplier=_short(said.get("supplier")),
        operation=_short(said.get("operation")),
    )


def _valid(adapter: TypeAdapter[str], value: object) -> str | None:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None


def _short(value: object) -> str | None:
    return value if isinstance(value, str) and _LINE.fullmatch(value) else None
