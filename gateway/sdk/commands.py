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
from typing import Any, Generic, TypeVar

from jiter import from_json
from pydantic import TypeAdapter, ValidationError

from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.faults import issues_of
from gateway.sdk.wire import MAX_RECORD, legible, limit_issues, members, shown
from schemas import contracts
from schemas.base import CONTROLS, Model, read
from schemas.contracts import ContractCommand
from schemas.contracts.events import ContractUnsupported, UnsupportedCommand
from schemas.envelope import Envelope, InvalidEnvelopeError, decode, schema_id
from schemas.orders import COMMANDS, OrderCommand, UnsupportedReason, schema_name
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
    far as it can be read, so that the core can be told; the number that is the key only when it is the key as well.
    """

    reason: RefusalReason
    issues: tuple[Issue, ...]
    command_id: str | None = None
    order_no: str | None = None
    tenant: str | None = None
    supplier: str | None = None
    operation: str | None = None
    contract_no: str | None = None
    of_contract: bool = False


C = TypeVar("C", bound=Model)


@dataclass(frozen=True, slots=True)
class Family(Generic[C]):
    """The commands of one topic. noun: in their `ce_type`; number: the member that is the record's key.

    commands: by operation.
    """

    noun: str
    number: str
    commands: Mapping[Any, type[C]]

    @property
    def names(self) -> str:
        """Its operations, for people."""
        return f"one of {', '.join(self.commands)}"


OF_ORDERS: Family[OrderCommand] = Family("orders", "order_no", COMMANDS)
OF_CONTRACTS: Family[ContractCommand] = Family("contracts", "contract_no", contracts.COMMANDS)

_REASONS: Mapping[RefusalReason, UnsupportedReason] = {
    RefusalReason.UNKNOWN_SCHEMA_VERSION: UnsupportedReason.UNKNOWN_SCHEMA_VERSION,
    RefusalReason.UNKNOWN_OPERATION: UnsupportedReason.UNKNOWN_OPERATION,
}

_COMMAND_TYPE = re.compile(r"mall\.([a-z]+)\.([a-z_]+\.[a-z_]+)\.v([0-9]{1,9})")
_LINE = re.compile(rf"[^{CONTROLS}]{{1,200}}")
_COMMAND_ID: TypeAdapter[str] = TypeAdapter(CommandId)
_NUMBER: TypeAdapter[str] = TypeAdapter(OrderNo)
_TENANT: TypeAdapter[str] = TypeAdapter(Tenant)


def read_command(
    key: bytes | None, headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> OrderCommand | RefusedCommand:
    """The command that a record of `mall.orders.commands.v1` is. Total: raises nothing, whatever the record holds."""
    return _read(OF_ORDERS, key, headers, value)


def read_contract_command(
    key: bytes | None, headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> ContractCommand | RefusedCommand:
    """The command that a record of `mall.contracts.commands.v1` is. Total, as `read_command`."""
    return _read(OF_CONTRACTS, key, headers, value)


def _read(
    family: Family[C], key: bytes | None, headers: Iterable[tuple[str, bytes]], value: bytes | None
) -> C | RefusedCommand:
    if not value:
        return _refused(RefusalReason.NO_VALUE, "null", "a command as JSON")
    if len(value) > MAX_RECORD:
        return _refused(RefusalReason.TOO_LARGE, f"{len(value)} bytes", f"at most {MAX_RECORD} bytes")
    try:
        content = members(value)
    except InvalidMessageError as error:
        unreadable = RefusedCommand(RefusalReason.NOT_JSON, tuple(map(_without_text, error.issues)))
        return _named(family, _names_in(value), key, unreadable)
    try:
        envelope = decode(headers)
    except InvalidEnvelopeError as error:
        found = _refused(
            RefusalReason.INVALID_HEADERS, legible(str(error)), "headers of CloudEvents", code="bad_header"
        )
        return _named(family, content, key, found)
    refused = _wrong_type(family, envelope, content) or _wrong_key(family, key, content)
    return _named(family, content, key, refused) if refused else _validated(family, key, content, value)


def terminal_event(refused: RefusedCommand, *, at: datetime) -> OrderUnsupported | ContractUnsupported | None:
    """The event that ends a command which can be named; None: nobody can be told, its bytes are a dead letter."""
    if refused.command_id is None:
        return None
    reason = _REASONS.get(refused.reason, UnsupportedReason.INVALID)
    problems = tuple(_words(issue) for issue in refused.issues)
    common: dict[str, Any] = {
        "order_no": refused.order_no,
        "tenant": refused.tenant,
        "cause": Cause(command_id=refused.command_id),
        "occurred_at": at,
        "supplier": refused.supplier,
    }
    if refused.contract_no is not None:
        unsupported = UnsupportedCommand(reason=reason, operation=refused.operation, problems=problems)
        return ContractUnsupported(**common, contract_no=refused.contract_no, payload=unsupported)
    if refused.order_no is None or refused.of_contract:
        return None
    payload = Unsupported(reason=reason, operation=refused.operation, problems=problems)
    return OrderUnsupported(**common, payload=payload)


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


def _wrong_type(family: Family[C], envelope: Envelope, content: Mapping[str, Any]) -> RefusedCommand | None:
    """Whether version or operation are none that is known here: by the headers first, for they say how to read on."""
    found = _COMMAND_TYPE.fullmatch(envelope.type)
    ours = found is not None and found[1] == family.noun
    operation = content.get("operation")
    if found and ours and found[3] != "1":
        return _refused(RefusalReason.UNKNOWN_SCHEMA_VERSION, legible(envelope.type), "version 1", code="bad_header")
    if found is None or not ours or found[2] not in family.commands:
        return _refused(RefusalReason.UNKNOWN_OPERATION, legible(envelope.type), family.names, code="bad_header")
    if not isinstance(operation, str) or operation not in family.commands:
        return _refused(RefusalReason.UNKNOWN_OPERATION, shown(operation), family.names, path="/operation")
    if operation != found[2]:
        return _refused(RefusalReason.INVALID, shown(operation), f"{found[2]}, as ce_type says", path="/operation")
    expected = schema_id(schema_name(operation))
    if envelope.dataschema not in (None, expected):
        return _refused(
            RefusalReason.UNKNOWN_SCHEMA_VERSION, legible(str(envelope.dataschema)), expected, code="bad_header"
        )
    return None


def _wrong_key(family: Family[C], key: bytes | None, content: Mapping[str, Any]) -> RefusedCommand | None:
    name = family.number
    if not key:
        return _refused(RefusalReason.NO_KEY, "", f"{name} as the record's key")
    number = _key_text(key)
    if number is None:
        article = "an" if name == "order_no" else "a"
        expected = f"{article} {name} as the record's key"
        return _refused(RefusalReason.INVALID_KEY, legible(repr(key[:100])), expected)
    named = _valid(_NUMBER, content.get(name))
    if named not in (None, number):
        return _refused(RefusalReason.OTHER_KEY, shown(named), f"{number}, as the record's key", path=f"/{name}")
    return None


def _key_text(key: bytes | None) -> str | None:
    try:
        return _NUMBER.validate_python((key or b"").decode(), strict=True)
    except ValueError:  # of pydantic and of UTF-8
        return None


def _validated(family: Family[C], key: bytes | None, content: Mapping[str, Any], value: bytes) -> C | RefusedCommand:
    model = family.commands[content["operation"]]
    try:
        return read(model, value)
    except ValidationError as error:
        wrong_sum = error.error_count() == 1 and error.errors(include_url=False)[0]["type"] == SUM_MISMATCH
        reason = RefusalReason.SUM_MISMATCH if wrong_sum else RefusalReason.INVALID
        issues = limit_issues(_without_personal_data(model, issue) for issue in issues_of(error))
        return _named(family, content, key, RefusedCommand(reason, issues))


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
        content = from_json(_SURROGATE.sub(b"?", value), catch_duplicate_keys=True)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _named(family: Family[C], content: Mapping[str, Any], key: bytes | None, refused: RefusedCommand) -> RefusedCommand:
    keyed = _valid(_NUMBER, content.get(family.number))
    number = keyed if keyed == _key_text(key) else None
    of_contract = family.number == "contract_no"
    return replace(
        refused,
        command_id=_valid(_COMMAND_ID, content.get("command_id")),
        order_no=_valid(_NUMBER, content.get("order_no")) if of_contract else number,
        contract_no=number if of_contract else None,
        of_contract=of_contract,
        tenant=_valid(_TENANT, content.get("tenant")),
        supplier=_short(content.get("supplier")),
        operation=_short(content.get("operation")),
    )


def _valid(adapter: TypeAdapter[str], value: object) -> str | None:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None


def _short(value: object) -> str | None:
    return value if isinstance(value, str) and _LINE.fullmatch(value) else None
