"""VOP's own tree of areas, four levels: province, city, county, town.

An id of ours is the way to the area in VOP's numbers, such as `19_1607_3639`: as stock is asked for and told, so that
the two meet. VOP's zeros for levels that an area does not have are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.jd_vop import replies
from gateway import sdk

BELOW: Mapping[int, str] = {0: "get_province", 1: "get_city", 2: "get_county", 3: "get_town"}
"""The operation that tells what lies below an area of a level."""

LEVELS = len(BELOW)

_NUMBER = re.compile(r"[0-9]{1,10}")
_ZEROS = re.compile(r"(?:0_)++")
_ID = re.compile(rf"{_NUMBER.pattern}(?:_{_NUMBER.pattern}){{0,{LEVELS - 1}}}")


def bare(area: str) -> str:
    """An area without the zeros that stand for levels it does not have: VOP appends one to what was asked."""
    zeros = _ZEROS.match(area[::-1])  # sought from the start, each zero would be one more place to begin at
    return area[: len(area) - zeros.end()] if zeros else area


def way_to(level: int, number: str, known: Sequence[str]) -> str | None:
    """Our id of the area of a level with this number, where it is a province or on the way to a known area."""
    if level <= 1:
        return number if level else ""
    ways = (tuple(bare(each).split("_")[:level]) for each in known)
    return next(("_".join(way) for way in ways if len(way) == level and way[-1] == number), None)


async def read_areas(http: sdk.Http, parent: str) -> list[sdk.Area]:
    """The areas right below one. Raises ContractError for an id that is none of ours."""
    if parent and not _ID.fullmatch(parent):
        raise sdk.ContractError(f"No area of VOP's tree: {sdk.legible(parent)!r}", operation="get_province")
    way = parent.split("_") if parent else []
    if len(way) == LEVELS:
        return []
    reply = await http.call(sdk.Request(BELOW[len(way)], form={"id": way[-1]} if way else {}))
    answer = replies.read(reply)
    if answer.empty:
        return []
    return [
        sdk.Area("_".join([*way, number]), name, parent, len(way) + 1)
        for name, number in _numbers(reply, answer.result).items()
    ]


def _numbers(reply: sdk.Reply, result: Any) -> dict[str, str]:
    named = result if isinstance(result, dict) else {"": None}
    numbers = {name: replies.plain_text(given) or "" for name, given in named.items()}
    if not all(name and _NUMBER.fullmatch(each) for name, each in numbers.items()):
        raise replies.unpromised(reply, "areas are numbers by name")
    return numbers
