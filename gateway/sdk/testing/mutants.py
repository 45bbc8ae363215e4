"""Records damaged in one place each, as a careless or changing supplier would damage them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import orjson

WRONG: tuple[Any, ...] = (None, True, -1, 1.5, 2**63, "", "\x00", "x" * 3_000, [], {}, [{}], {"x": []})
"""Values of every JSON type, and the usual ends of each."""

_HTML = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"


def mutants(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Each damage with its name: cut off, replaced by an error page, one member dropped, changed, added or repeated."""
    yield "empty", b""
    yield "cut in half", raw[: len(raw) // 2]
    yield "replaced by HTML", _HTML
    yield "invalid UTF-8", raw + b"\xff"
    try:
        record = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return
    for steps in _places(record):
        where = "/" + "/".join(map(str, steps))
        yield f"{where} dropped", orjson.dumps(_without(record, steps))
        for value in WRONG:
            yield f"{where} = {value!r:.20}", orjson.dumps(_with(record, steps, value))
    if isinstance(record, dict):
        yield "a member added", orjson.dumps({**record, "surprise": 1})
        for name, value in record.items():
            member = orjson.dumps({name: value})
            yield f"/{name} repeated", b"%b,%b" % (member[:-1], orjson.dumps(record)[1:])


def _places(value: Any, *steps: str | int) -> Iterator[tuple[str | int, ...]]:
    """The steps to every member and element inside a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in inner:
        yield (*steps, step)
        yield from _places(child, *steps, step)


def _with(record: Any, steps: tuple[str | int, ...], value: Any) -> Any:
    damaged = deepcopy(record)
    _parent(damaged, steps)[steps[-1]] = value
    return damaged


def _without(record: Any, steps: tuple[str | int, ...]) -> Any:
    damaged = deepcopy(record)
    del _parent(damaged, steps)[steps[-1]]
    return damaged


def _parent(record: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps[:-1]:
        record = record[step]
    return record
