"""From a record to its item, in one validation, with every fault that it has.

A wire model is the facts with the supplier's names and spellings: a subclass of the canonical model that gives a field
an alias or a type of `gateway.sdk.fields`, and of `Stamps` for the members that are not facts. `Reader` validates by
the wire model and fills an instance of the canonical one, so nothing is built twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from math import inf, isinf
from typing import Any, get_args

from jiter import LosslessFloat
from pydantic import ValidationError

from gateway.sdk.adapter import Item, Record
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.faults import issues_of
from gateway.sdk.fields import Stamps
from gateway.sdk.wire import limit_issues, members, nodes, pointer, room_of, shown
from schemas.base import Model
from schemas.catalog import Facts

MAX_VALUES = 2_000
"""Values in a record of facts: a product with all attributes and images that it may have holds 1,700."""

DOUBTFUL = 15
"""Records that are decoded at once after one that was not plain: one program wrote them all."""

_PLAIN_BYTES = 64 * 1024
"""Longest record that is tried without decoding it first: what does not fit is read a second time."""

_BLANK, _TAB, _LINE_FEED, _RETURN = b" \t\n\r"
_SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')
_BLANK_COLON = re.compile(rb'" [ \t\r\n]*:')  # two literal bytes first: found or not found in a quarter of the time


class Reader:
    """Makes items of one facet.

    facts: the canonical model; wire_model: its subclass in the supplier's words; plain: straight from JSON, it takes an
    object only where it makes a model of it, which counts the names it was given. Raises TypeError unless the wire
    model keeps the fields of the facts in their order: the hash of an item is over bytes in that order.
    """

    def __init__(self, facts: type[Facts], wire_model: type[Facts], *, plain: bool = False) -> None:
        if [name for name in wire_model.model_fields if name not in Stamps.model_fields] != list(facts.model_fields):
            raise TypeError(f"{wire_model.__name__} must have the fields of {facts.__name__} and those of Stamps alone")
        self._blank = partial(object.__new__, facts)
        self._holders = [name for name, field in facts.model_fields.items() if _holds_models(field.annotation)]
        self._doubtful = 0 if plain else inf
        self._validate = wire_model.__pydantic_validator__.validate_python
        self._validate_json = wire_model.__pydantic_validator__.validate_json

    def read(self, record: Record) -> Item:
        """The item that a record is. Raises InvalidMessageError with every issue of the record."""
        if self._doubtful:
            self._doubtful -= 1
        elif item := self._read_plain(record):
            return item
        else:
            self._doubtful = DOUBTFUL
        return self.read_members(record, members(record.raw))

    def read_members(self, record: Record, given: dict[str, Any]) -> Item:
        """The item of a record that was decoded; where a supplier's shapes need more than names, here is the place.

        Raises as `read`.
        """
        if _crowded(given):  # asked first: a model would tell of each of them
            raise InvalidMessageError(_TOO_MANY)
        try:
            facts = self._validate(given, self_instance=self._blank(), context=record.received_at)
        except ValidationError as error:
            raise _refusal(record, given, issues_of(error)) from error
        values = facts.__dict__  # the stamps leave the facts before anyone has seen them there
        return Item(facts, values.pop("source_version", None), values.pop("observed_at", None))

    def _read_plain(self, record: Record) -> Item | None:
        """The item of a record at half the cost, without decoding it first; None at the first doubt.

        A record of this length that fits a plain wire model breaks no limit of `decode`, short of a repeated name,
        which pydantic would not see.
        """
        raw = record.raw
        if len(raw) > _PLAIN_BYTES:
            return None
        try:
            facts = self._validate_json(raw, self_instance=self._blank(), context=record.received_at)
        except ValidationError:
            return None
        values = facts.__dict__
        named = len(facts.__pydantic_fields_set__)
        for holder in self._holders:
            named += _named_in(values[holder])
        if (self._holders or raw.count(b":") != named) and not _names_at_most(named, raw):
            return None
        return Item(facts, values.pop("source_version", None), values.pop("observed_at", None))


_TOO_MANY = Issue("too_many_items", expected=f"at most {MAX_VALUES} values in a record")


def _crowded(given: dict[str, Any]) -> bool:
    """Whether a record holds more values than any facts have, counted no further than that."""
    count = 0
    waiting: list[Any] = [given]
    while waiting:
        node = waiting.pop()
        count += len(node)
        if count > MAX_VALUES:
            return True
        inner = node.values() if node.__class__ is dict else node
        waiting += [child for child in inner if child.__class__ in (dict, list)]
    return False


def _holds_models(annotation: Any) -> bool:
    return (isinstance(annotation, type) and issubclass(annotation, Model)) or any(
        map(_holds_models, get_args(annotation))
    )


def _named_in(value: Any) -> int:
    """How many names the objects that became this value have; those inside them are not counted, which is a doubt."""
    if value.__class__ is tuple:
        return sum([len(model.__pydantic_fields_set__) for model in value])
    return 0 if value is None else len(value.__pydantic_fields_set__)


def _names_at_most(named: int, raw: bytes) -> bool:
    """Whether the objects of a record name no more members than these.

    There are at least as many colons as members; not counting those inside values, such as times, there are at least
    as many after a quote, unless white space stands between the two.
    """
    return raw.count(b'":') == named and not _colon_after_space(raw)


def _colon_after_space(raw: bytes) -> bool:
    """Whether a name and its colon may stand apart; tabs and line ends are rare, and in JSON never inside a string."""
    if _TAB in raw or _LINE_FEED in raw or _RETURN in raw:
        return _SPACED_COLON.search(raw) is not None
    return _BLANK in raw and _BLANK_COLON.search(raw) is not None


def _refusal(record: Record, given: dict[str, Any], issues: Iterable[Issue]) -> InvalidMessageError:
    """The error with all issues; a number that no double holds makes the record unreadable to most JSON readers."""
    room = room_of(record.raw)
    infinite = (
        Issue("malformed_json", pointer(*steps), shown(node), "a number that a double can hold")
        for steps, node in nodes(given, _is_infinite)
    )
    return InvalidMessageError(*(limit_issues(infinite, room=room) or limit_issues(issues, room=room)))


def _is_infinite(node: Any) -> bool:
    return node.__class__ is LosslessFloat and isinf(float(node))
