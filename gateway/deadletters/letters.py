"""A dead letter: as a stage hands it over, as a list shows it, and with all that a replay needs."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from uuid import UUID

from gateway.deadletters.fingerprint import Kind, kind_of
from gateway.sdk.errors import Issue
from gateway.sdk.storable import storable
from gateway.store import Row
from schemas.envelope import DEAD_LETTER_TYPE, Headers, message_id

RAISED_BY_GATEWAY = frozenset({"processing_failed", "contract_error", "poison_pill"})
"""Codes whose `actual` is no value of the record; with the others, every value would make a group."""


MEMBERS = ("code", "path", "actual", "expected")
"""Of an issue, as they are stored."""

SHOWN = 200
"""Characters of what should be an issue and is none."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """What a stage cannot finish.

    stage: where it failed, and where a replay enters again; issues: at least one, the first names the group;
    original: the bytes of the record; message: words about the failure, without values of the record, by default those
    of the first issue.
    Of a record in a feed: feed_no, record_index from 0, line from 1, revision of the supplier's settings; of a pulled
    one page_no too: index and line are within that page. Of a record in Kafka: topic (without the prefix), partition,
    offset, timestamp in ms, key, and headers where the stage needs them to read it again. A supplier, sku or key that
    could not be read is None.
    """

    stage: str
    issues: tuple[Issue, ...]
    original: bytes
    message: str = ""
    supplier: str | None = None
    facet: str | None = None
    sku: str | None = None
    feed_no: int | None = None
    page_no: int | None = None
    record_index: int | None = None
    line: int | None = None
    revision: int | None = None
    received_at: datetime | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    timestamp: int | None = None
    key: bytes | None = None
    headers: Headers | None = None

    @property
    def code(self) -> str:
        """Code of the first issue."""
        return self.issues[0].code

    @property
    def error(self) -> str:
        """Class of the failure, as far as the code tells it."""
        match self.code:
            case "processing_failed":
                return self.issues[0].actual or "Exception"
            case "contract_error":
                return "ContractError"
            case _:
                return "InvalidMessageError"

    @cached_property
    def kind(self) -> Kind:
        """What it has in common with others."""
        return kind_of_issue(self.stage, self.issues[0], self.message)

    @cached_property
    def id(self) -> UUID:
        """UUIDv5 of stage and source: the same record failing at the same stage is the same letter, however often read.

        The bytes belong to the source, since another Kafka cluster counts its offsets from 0 again.
        """
        if self.feed_no is not None and self.record_index is not None:
            number = self.feed_no if self.page_no is None else self.page_no
            source = ["record", str(number), str(self.record_index), self.sku or ""]
        else:
            digest = sha256(self.original).hexdigest()
            source = ["offset", str(self.topic), str(self.partition), str(self.offset), digest]
            if self.topic is None:  # a message of a supplier's pool, whose id is its key
                source = ["message", self.supplier or "", (self.key or b"").hex(), digest]
        return message_id(DEAD_LETTER_TYPE, self.stage, *map(storable, source))


@dataclass(frozen=True, kw_only=True)
class LetterSummary:
    """A dead letter in a list. state: open, replayed or discarded; outcome: what the last replay came to.

    issues: what is wrong with the original; replay_issues: what the last replay was rejected for, which may have judged
    a patch. named: the original where it is short and no record of a feed; that of an order names it.
    """

    id: UUID
    fingerprint: str
    supplier: str | None
    facet: str | None
    stage: str
    code: str
    issues: tuple[Issue, ...]
    sku: str | None
    feed_no: int | None
    page_no: int | None
    record_index: int | None
    line: int | None
    revision: int | None
    received_at: datetime | None
    topic: str | None
    partition: int | None
    offset: int | None
    state: str
    outcome: str | None
    replays: int
    replay_issues: tuple[Issue, ...]
    reason: str | None
    created_at: datetime
    state_at: datetime
    key: bytes | None
    named: bytes | None


@dataclass(frozen=True, kw_only=True)
class DeadLetterRow(LetterSummary):
    """A dead letter with its bytes. patched: what an operator made of them; headers: of the Kafka record, if kept."""

    headers: Headers | None
    original: bytes
    patched: bytes | None

    @property
    def content(self) -> bytes:
        """What a replay judges: the patch, else the original."""
        return self.original if self.patched is None else self.patched


def kind_of_issue(stage: str, issue: Issue, message: str = "") -> Kind:
    """The kind of a failure. Words: its own, else what was expected, else what we found where that is ours to say."""
    words = message or issue.expected or (issue.actual if issue.code in RAISED_BY_GATEWAY else "")
    return kind_of(stage=stage, code=issue.code, path=storable(issue.path), message=storable(words))


def issues_json(issues: tuple[Issue, ...]) -> list[dict[str, str]]:
    """Issues as the column holds them."""
    return [
        {
            "code": issue.code,
            "path": storable(issue.path),
            "actual": storable(issue.actual),
            "expected": storable(issue.expected),
        }
        for issue in issues
    ]


def headers_json(headers: Headers | None) -> list[list[str]] | None:
    """Headers as the column holds them: values may be any bytes."""
    return None if headers is None else [[storable(name), b64encode(value).decode()] for name, value in headers]


def summary_of(row: Row) -> LetterSummary:
    """A row of the list."""
    return LetterSummary(**{**dict(row), **_issues(row)})


def letter_of(row: Row) -> DeadLetterRow:
    """A whole row."""
    headers = row["headers"]
    kept = None if headers is None else tuple((name, b64decode(value)) for name, value in headers)
    return DeadLetterRow(**{**dict(row), **_issues(row), "headers": kept})


def _issues(row: Row) -> dict[str, tuple[Issue, ...]]:
    return {name: _issues_of(row[name]) for name in ("issues", "replay_issues")}


def _issues_of(stored: object) -> tuple[Issue, ...]:
    """The issues of a column; null: none."""
    return tuple(map(issue_of, stored if isinstance(stored, list) else [] if stored is None else [stored]))


def issue_of(stored: object) -> Issue:
    """An issue as `issues_json` stored it; members that another release added are nothing to this one.

    Total: what is no issue is shown as it stands, for the page that shows the letter shows others as well.
    """
    members = stored if isinstance(stored, Mapping) else {}
    known = {name: str(members[name]) for name in MEMBERS if members.get(name) is not None}
    return Issue(**known) if "code" in known else Issue("unreadable", actual=str(stored)[:SHOWN])
