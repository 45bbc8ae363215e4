"""Bodies and records damaged in one place each, as a careless or changing supplier would damage them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.sdk.exchange import Exchange

WRONG: tuple[Any, ...] = (None, True, -1, 1.5, 2**63, "", "\x00", "x" * 3_000, [], {}, [{}], {"x": []})
"""Values of every JSON type, and the usual ends of each."""

HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"
"""What a proxy answers in a supplier's stead."""


@dataclass(slots=True)
class _Nested:
    """An array or object that stands in its place as a text of JSON, as some suppliers have it."""

    value: Any


def mutants(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Each damage with its name: cut off, replaced by an error page, one member dropped, changed, added or repeated.

    A text that holds JSON is damaged inside as well.
    """
    yield "empty", b""
    yield "cut in half", raw[: len(raw) // 2]
    yield "replaced by HTML", HTML
    yield "invalid UTF-8", raw + b"\xff"
    try:
        value = _opened(orjson.loads(raw))
    except orjson.JSONDecodeError:
        return
    for steps in _places(value):
        where = "/" + "/".join(map(str, steps))
        yield f"{where} dropped", _written(_without(value, steps))
        for wrong in WRONG:
            yield f"{where} = {wrong!r:.20}", _written(_with(value, steps, wrong))
    if isinstance(value, dict):
        yield "a member added", _written({**value, "surprise": 1})
        for name, child in value.items():
            member = _written({name: child})
            yield f"/{name} repeated", b"%b,%b" % (member[:-1], _written(value)[1:])


def mutants_of_exchange(exchange: Exchange) -> Iterator[tuple[str, bytes]]:
    """Records of the exchange with one reply damaged, or with the record itself cut off or no exchange at all."""
    raw = exchange.encode()
    yield from (("empty", b""), ("cut in half", raw[: len(raw) // 2]), ("replaced by HTML", HTML))
    for name, body in exchange.replies.items():
        for damage, damaged in mutants(body):
            yield f"{name}: {damage}", replace(exchange, replies={**exchange.replies, name: damaged}).encode()


def _opened(value: Any) -> Any:
    """A JSON value in which texts that hold JSON can be walked into."""
    match value:
        case dict():
            return {name: _opened(child) for name, child in value.items()}
        case list():
            return [_opened(child) for child in value]
        case str() if value.lstrip()[:1] in ("{", "["):
            try:
                return _Nested(_opened(orjson.loads(value)))
            except orjson.JSONDecodeError:
                return value
        case _:
            return value


def _written(value: Any) -> bytes:
    return orjson.dumps(value, default=lambda nested: _written(nested.value).decode(), option=_PLAIN)


_PLAIN = orjson.OPT_PASSTHROUGH_DATACLASS


def _places(value: Any, *steps: str | int) -> Iterator[tuple[str | int, ...]]:
    """The steps to every member and element inside a value."""
    value = _inner(value)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in children:
        yield (*steps, step)
        yield from _places(child, *steps, step)


def _inner(value: Any) -> Any:
    return value.value if isinstance(value, _Nested) else value


def _with(value: Any, steps: tuple[str | int, ...], wrong: Any) -> Any:
    damaged = deepcopy(value)
    _parent(damaged, steps)[steps[-1]] = wrong
    return damaged


def _without(value: Any, steps: tuple[str | int, ...]) -> Any:
    damaged = deepcopy(value)
    del _parent(damaged, steps)[steps[-1]]
    return damaged


def _parent(value: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps[:-1]:
        value = _inner(value)[step]
    return _inner(value)
