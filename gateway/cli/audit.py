"""`mallgate audit`: who changed what, and whether nobody changed that afterwards."""

from __future__ import annotations

import re
from typing import Annotated, Any

from cyclopts import App, Parameter

from gateway.cli.connection import admin
from gateway.cli.output import Json, emit, facts, moment, table
from gateway.sdk.errors import GatewayError

audit = App(name="audit", help="Look at who changed what; check that the record of it is whole.")


class AuditBrokenError(GatewayError):
    """The audit is not what was recorded."""


def link(text: str) -> tuple[int, str]:
    """Position and hash as `verify` prints them, `12:3f…`. Raises ValueError."""
    found = re.fullmatch(r"([1-9][0-9]{0,18}):([0-9a-f]{64})", text)
    if found is None:
        raise ValueError(f"{text} is no link; it is POSITION:HASH as `mallgate audit verify` prints it")
    return int(found[1]), found[2]


def _link(_: object, tokens: Any) -> tuple[int, str]:
    return link(tokens[0].value)


@audit.command(name="list")
async def list_(
    *,
    object: str | None = None,  # noqa: A002 -- it is what the option is called
    before: int | None = None,
    limit: int = 50,
    json: Json = False,
) -> None:
    """What operators did, newest first.

    Parameters
    ----------
    object: str
        Only what concerns this: the id of a supplier, a feed, a dead letter, a replay.
    before: int
        Only rows below this id: where the page before ended.
    limit: int
        Most rows to show, up to 500.
    """
    async with admin() as client:
        found = (await client.get("audit", object=object, before=before, limit=limit))["audit"]
    if json:
        emit(found)
    else:
        table("#id|at|actor|from|action|object|reason", (_row(each) for each in found), empty="Nothing was done yet.")


@audit.command
async def verify(
    *, link: Annotated[tuple[int, str] | None, Parameter(converter=_link, n_tokens=1)] = None, json: Json = False
) -> None:
    """Follow the chain of hashes through every row. Ends with 1 where a row was altered, removed or slipped in.

    Parameters
    ----------
    link: tuple
        What this command printed earlier: it has to be part of the chain still, so that no end was cut off.
    """
    position, digest = link or (None, None)
    async with admin() as client:
        found = await client.get("audit", "verify", position=position, hash=digest)
    if json:
        emit(found)
    elif found["fault"] is None:
        facts([("rows", found["position"]), ("state", "ok"), ("link", f"{found['position']}:{found['hash']}")])
    if found["fault"] is not None:
        raise AuditBrokenError(f"The audit is not what was recorded: {found['fault']}.")


def _row(row: dict[str, Any]) -> list[object]:
    return [row["id"], moment(row["at"]), *(row[name] for name in ("actor", "peer", "action", "object", "reason"))]
