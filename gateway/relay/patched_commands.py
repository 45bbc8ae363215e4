"""The command that a dead letter of the commands topic is by now: as it stands, or as an operator gives it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.deadletters import DeadLetterRow, NotReplayableError
from gateway.kafka import ORDER_COMMANDS, Record
from gateway.sdk.commands import RefusalReason, RefusedCommand, read_command
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import members
from schemas.envelope import JSON, TRACEPARENT, Envelope, Headers, encode, schema_id
from schemas.orders import COMMAND_TYPE, COMMANDS, Operation, OrderCommand, schema_name
from schemas.personal import MASK

NOT_KEPT = (
    "What the record told of people is not kept, so that it cannot be taken as it was: give the whole command as a "
    "patch, or have the mall write it again."
)
DIGEST = frozenset({"bytes", "sha256"})
"""Members of what is kept of a record that could not be searched for people."""

_KEYLESS = (RefusalReason.NO_KEY, RefusalReason.INVALID_KEY)


def patched_command(letter: DeadLetterRow) -> tuple[Record, OrderCommand]:
    """The command, and the record that it stands for: in its place, under its key where it had one.

    Raises NotReplayableError where nothing can be judged, InvalidMessageError with what is wrong with what can.
    """
    headers = letter.headers or ()
    if letter.patched is None:
        if not _is_whole(letter.original):
            raise NotReplayableError(NOT_KEPT)
        key, came = letter.key, read_command(letter.key, headers, letter.original)
    else:
        content = _members(letter.patched)
        if _holds_mask(content):
            raise InvalidMessageError(Issue("validation_failed", "", MASK, "what the record told of people"))
        headers = _headers(letter, content)
        key, came = _read_patch(letter, headers, content)
    if isinstance(came, RefusedCommand):
        raise InvalidMessageError(*came.issues)
    place = (letter.topic or ORDER_COMMANDS, letter.partition or 0, letter.offset or 0)
    return Record(*place, 0, key, letter.content, headers), came


def _read_patch(
    letter: DeadLetterRow, headers: Headers, content: Mapping[str, Any]
) -> tuple[bytes | None, OrderCommand | RefusedCommand]:
    """A record that had no key of an order gets that of the order which the patch names."""
    came = read_command(letter.key, headers, letter.patched)
    if not isinstance(came, RefusedCommand) or came.reason not in _KEYLESS:
        return letter.key, came
    key = str(content.get("order_no", "")).encode(errors="replace")
    return key, read_command(key, headers, letter.patched)


def _headers(letter: DeadLetterRow, content: Mapping[str, Any]) -> Headers:
    """As they belong to the operation that a patch names: those that came may be what was wrong."""
    traces = tuple(header for header in letter.headers or () if header[0] == TRACEPARENT)
    operation = content.get("operation")
    if not isinstance(operation, str) or operation not in COMMANDS:
        return letter.headers or ()
    envelope = Envelope(
        id=str(letter.id),
        source="/mallgate",
        type=COMMAND_TYPE[Operation(operation)],
        datacontenttype=JSON,
        dataschema=schema_id(schema_name(operation)),
    )
    return (*encode(envelope), *traces)


def _is_whole(original: bytes) -> bool:
    content = _members(original)
    return content.keys() != DIGEST and not _holds_mask(content)


def _members(value: bytes) -> Mapping[str, Any]:
    try:
        return members(value)
    except InvalidMessageError:
        return {}


def _holds_mask(value: object) -> bool:
    match value:
        case dict():
            return any(map(_holds_mask, value.values()))
        case list():
            return any(map(_holds_mask, value))
        case _:
            return value == MASK
