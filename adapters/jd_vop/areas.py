"""VOP's own tree of areas, four levels: province, city, county, town.

An id of ours is its level and VOP's number, such as `2-412`: a number alone does not say which question it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.jd_vop import replies
from gateway import sdk

BELOW: Mapping[int, str] = {0: "get_province", 1: "get_city", 2: "get_county", 3: "get_town"}
"""The operation that tells what lies below an area of a level."""

_ID = re.compile(r"([1-4])-([0-9]{1,10})")


def area_id(level: int, number: str) -> str:
    """Our id of an area; "" for the top of the tree."""
    return f"{level}-{number}" if level else ""


async def read_areas(http: sdk.Http, parent: str) -> list[sdk.Area]:
    """The areas right below one. Raises ContractError for an id that is none of ours."""
    level, number = _place(parent)
    if level not in BELOW:
        return []
    reply = await http.call(sdk.Request(BELOW[level], form={"id": number} if level else {}))
    answer = replies.read(reply)
    if answer.empty:
        return []
    named = answer.result if isinstance(answer.result, dict) else {"": None}
    numbers = {name: replies.told(given) or "" for name, given in named.items()}
    if not all(name and re.fullmatch(r"[0-9]{1,10}", each) for name, each in numbers.items()):
        raise replies.unpromised(reply, "areas are numbers by name")
    return [sdk.Area(area_id(level + 1, each), name, parent, level + 1) for name, each in numbers.items()]


def _place(parent: str) -> tuple[int, str]:
    if not parent:
        return 0, ""
    if found := _ID.fullmatch(parent):
        return int(found[1]), found[2]
    raise sdk.ContractError(f"No area of VOP's tree: {sdk.legible(parent)!r}", operation="get_province")
