"""Reading what was recorded: the rows of a reply by sku, their members one by one, every fault with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from adapters.jd_vop import replies
from gateway import sdk
from schemas.base import Line, Text
from schemas.catalog import Label
from schemas.money import InvalidDecimalError, NumberOutOfRangeError, parse_decimal

T = TypeVar("T")

PLACES = 6
"""Decimals of the finest amount that messages carry."""

OF_ONE_VALUE = frozenset({"invalid_text", "number_out_of_range", "more_issues"})
"""Faults of JSON that leave all but the values they stand in as it is: control characters, endless numbers, many."""

_LINE, _LABEL, _TEXT = TypeAdapter(Line), TypeAdapter(Label), TypeAdapter(Text)


@dataclass(slots=True)
class Row:
    """What a reply says of one sku. path: where it stands in the record; issues: what is wrong with what was read.

    Members are found by the documents' names, whose editions differ in case and underscores.
    """

    members: Mapping[str, Any]
    path: tuple[str | int, ...]
    issues: list[sdk.Issue] = field(default_factory=list)
    _spelt: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """A member as it came; None where there is none."""
        return self.members.get(self._name(name))

    @property
    def sku(self) -> str:
        """Whom it is about, `skuId` here and `sku` there; "" where it does not say."""
        return replies.plain_text(self.get("skuId")) or replies.plain_text(self.get("sku")) or ""

    def amount(self, name: str) -> Decimal | None:
        """An amount in yuan; None where there is none: null, "", missing and everything below 0."""
        return self._decimal(name, PLACES)

    def percent(self, name: str) -> Decimal | None:
        """A rate in percent. One between 0 and 1 is a fraction, which this interface does not promise."""
        rate = self._decimal(name, 4)
        if rate is not None and (0 < rate < 1 or rate > 100):
            self.refuse("number_out_of_range", name, "a rate in percent, such as 13")
            return None
        return rate

    def count(self, name: str) -> Decimal | None:
        """A number of pieces; None where it is not known: null, "", missing and everything below 0."""
        return self._decimal(name, 0)

    def word(self, name: str, vocabulary: Mapping[str, T]) -> T | None:
        """What a code means. One that is not promised is an issue, never a guess."""
        given = self.get(name)
        code = (str(given) if isinstance(given, bool) else replies.plain_text(given) or "").lower()
        if code in vocabulary:
            return vocabulary[code]
        self.refuse("contract_error", name, f"one of {', '.join(vocabulary)}")
        return None

    def line(self, name: str) -> str | None:
        """One line of text, blanks folded; None where there is none."""
        return self._text(name, _LINE, " ".join((self._plain_text(name) or "").split()))

    def label(self, name: str) -> str | None:
        """A short line."""
        return self._text(name, _LABEL, " ".join((self._plain_text(name) or "").split()))

    def text(self, name: str) -> str | None:
        """A text of any number of lines."""
        return self._text(name, _TEXT, self._plain_text(name) or "")

    def refuse(self, code: str, name: str, expected: str) -> None:
        """Note that a member cannot be taken."""
        name = self._name(name)
        actual = sdk.shown(self.members[name]) if name in self.members else ""
        self.issues.append(sdk.Issue(code, sdk.pointer(*self.path, name), actual, expected))

    def _name(self, name: str) -> str:
        """How this row spells a member; as the documents do where it has none such."""
        if name in self.members:
            return name
        if not self._spelt:
            self._spelt = {_plain(each): each for each in self.members}
        return self._spelt.get(_plain(name), name)

    def _plain_text(self, name: str) -> str | None:
        """Text of a member, also where it is a number or a list of them."""
        given = self.get(name)
        if isinstance(given, str):
            return given.strip()
        if given is None or given in ([], {}):
            return None
        if isinstance(given, (bool, dict, list)):
            self.refuse("validation_failed", name, "a text")
            return None
        return str(given)

    def _text(self, name: str, model: TypeAdapter[str], text: str) -> str | None:
        if not text:
            return None
        try:
            return model.validate_python(text, strict=True)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            if found["type"] == "string_pattern_mismatch":
                self.refuse("invalid_text", name, "no control characters")
            else:
                self.refuse("validation_failed", name, found["msg"][:200])
            return None

    def _decimal(self, name: str, places: int) -> Decimal | None:
        given = self.get(name)
        text = "" if given is None else "?" if isinstance(given, (bool, list, dict)) else str(given).strip()
        try:
            amount = parse_decimal(text.removeprefix("-"), places=places) if text else None
        except InvalidDecimalError:
            self.refuse("invalid_decimal", name, f"a plain decimal with at most {places} places")
        except NumberOutOfRangeError:
            self.refuse("number_out_of_range", name, "at most 12 digits before the point")
        else:
            return None if text.startswith("-") else amount
        return None


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def answer_of(exchange: sdk.Exchange, name: str, operation: str = "") -> replies.Answer:
    """A recorded answer. operation: where the reply is not named after it. Raises InvalidMessageError where it cannot
    be read, ContractError where it is none.
    """
    body = exchange.replies.get(name)
    if body is None:
        raise sdk.InvalidMessageError(sdk.Issue("validation_failed", "/replies", expected=f"a reply {name}"))
    answer = replies.opened(operation or name, read(name, body), lambda inner: read(name, inner, "result"))
    if answer is None:
        raise _unpromised(name, body, "an envelope")
    if answer.fault:
        raise _unpromised(name, body, f"an answer, not {answer.code or 'no code'}: {answer.message}")
    if answer.nothing and not any(answer.bars(sku, exchange.skus) for sku in exchange.skus):
        raise _unpromised(name, body, "an answer about goods that were asked about")
    return answer


def read(name: str, body: bytes, *steps: str) -> Any:
    """The JSON of a recorded reply, names without blanks at their ends. Raises InvalidMessageError, places included."""
    here = sdk.pointer("replies", name, *steps)
    try:
        return replies.stripped(_decoded(name, body))
    except sdk.InvalidMessageError as error:
        issues = (sdk.Issue(each.code, here + each.path, each.actual, each.expected) for each in error.issues)
        raise sdk.InvalidMessageError(*issues) from error
    except ValueError as error:
        raise sdk.InvalidMessageError(sdk.Issue("duplicate_key", here, expected=str(error))) from error


def _decoded(name: str, body: bytes) -> Any:
    """The JSON of a reply. What spoils single values alone is left to whoever reads them: it costs their rows."""
    try:
        return sdk.decode(body)
    except sdk.InvalidMessageError as error:
        if not {issue.code for issue in error.issues} <= OF_ONE_VALUE:
            raise
        return sdk.decode_reply(sdk.Reply(name, 200, {}, body))


def rows_of(exchange: sdk.Exchange, name: str, answer: replies.Answer) -> dict[str, Row]:
    """What an answer says of each sku; "" has a row that names none, where there is one.

    A sku that is told of in two ways is refused. Raises ContractError for another shape.
    """
    if answer.empty:
        return {}
    rows: dict[str, Row] = {}
    for place, element in _elements(answer.result):
        found = Row(element if isinstance(element, dict) else {}, ("replies", name, "result", *place))
        row = rows.setdefault(found.sku, found)
        if found.sku and row.members != found.members and not row.issues:
            row.refuse("contract_error", "skuId" if found.get("skuId") is not None else "sku", "every sku once")
    if not any(rows):
        raise _unpromised(name, exchange.replies[name], "every sku by its number")
    return rows


def _elements(result: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """What a result lists, each with its place in it; one may stand there without a list."""
    if isinstance(result, list):
        yield from (((index,), each) for index, each in enumerate(result))
    else:
        yield (), result


def _unpromised(name: str, body: bytes, what: str) -> sdk.ContractError:
    return sdk.ContractError(f"{name}: expected {what}", operation=name, reply=body)


def not_answered(sku: str, name: str, words: str = "") -> sdk.Refusal:
    """The refusal of a sku that was asked about in vain. words: of the supplier."""
    return sdk.Refusal(sku, (sdk.Issue("not_answered", sdk.pointer("replies", name), sdk.legible(words), "an answer"),))
