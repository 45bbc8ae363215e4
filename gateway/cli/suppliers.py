"""`mallgate suppliers`: declare them, look at them, pause and resume them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from gateway.cli.breaker import breaker
from gateway.cli.connection import admin
from gateway.cli.declaration import read
from gateway.cli.keys import keys
from gateway.cli.output import Json, console, emit, facts, moment, table
from gateway.cli.pulls import check, pull_now, status
from gateway.outbound import RefusedError
from gateway.sdk.errors import ConfigError

suppliers = App(name="suppliers", help="Declare suppliers, pause them, hand out their keys.")
suppliers.command(keys)
suppliers.command(breaker)
suppliers.command(status)
suppliers.command(pull_now)
suppliers.command(check)

Supplier = Annotated[str, Parameter(help="Id of the supplier.")]


@suppliers.command
async def apply(file: Path, /, *, json: Json = False) -> None:
    """Make the gateway's suppliers what a TOML file says: all of it or, when anything is wrong, nothing.

    Suppliers that the file does not name stay as they are. Applying the same file again changes nothing.

    Parameters
    ----------
    file: Path
        Tables `[suppliers.<id>]`; secrets are written as `env:NAME` or `file:PATH`.
    """
    document = read(file)
    applied = await _apply(document)
    if json:
        emit(applied)
    else:
        rows = ([each["supplier"], each["change"], each["revision"]] for each in applied)
        table("supplier|change|#revision", rows, empty="The file declares no supplier.")


@suppliers.command(name="list")
async def list_(*, json: Json = False) -> None:
    """Every supplier."""
    async with admin() as client:
        found = (await client.get("suppliers"))["suppliers"]
    if json:
        emit(found)
    else:
        table(
            "supplier|name|state|adapter|facets|#revision",
            (_row(each) for each in found),
            empty="No supplier is declared yet: mallgate suppliers apply FILE.toml",
        )


@suppliers.command
async def show(supplier: Supplier, /, *, revision: int | None = None, json: Json = False) -> None:
    """One supplier: how it is configured and what changed.

    Parameters
    ----------
    revision: int
        Show the configuration of this revision instead.
    """
    async with admin() as client:
        if revision is not None:
            found = await client.get("suppliers", supplier, "revisions", str(revision))
        else:
            found = await client.get("suppliers", supplier)
    if json or revision is not None:
        # An old revision is read for what exactly was declared then.
        emit(found)
    else:
        _show(found)


PAUSED: list[tuple[str, object]] = [
    ("stopped", "pushes (503 supplier_paused, uploads under way as well), pulls, messages"),
    ("goes on", "feeds accepted before, reading and cancelling them, replays, decisions about what is held"),
]
"""What a pause stops, and what it does not."""

RESUMED: list[tuple[str, object]] = [("goes on", "pushes, pulls, messages")]


@suppliers.command
async def pause(supplier: Supplier, /, *, reason: str, json: Json = False) -> None:
    """Stop pushes, pulls and messages of a supplier; what was accepted before still takes effect.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    """
    await _move(supplier, "pause", {"reason": reason}, PAUSED, json=json)


@suppliers.command
async def resume(supplier: Supplier, /, *, reason: str | None = None, json: Json = False) -> None:
    """Work for a supplier again.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    """
    await _move(supplier, "resume", {"reason": reason}, RESUMED, json=json)


async def _apply(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What became of each supplier. Raises ConfigError with everything that the gateway finds wrong."""
    async with admin() as client:
        try:
            answer = await client.post("suppliers", "apply", body=document)
        except RefusedError as error:
            if error.problems:
                raise ConfigError(error.problems) from error
            raise
    applied: list[dict[str, Any]] = answer["applied"]
    return applied


async def _move(
    supplier: str, verb: str, body: dict[str, Any], effects: list[tuple[str, object]], *, json: bool
) -> None:
    async with admin() as client:
        found = await client.post("suppliers", supplier, verb, body=body)
    if json:
        emit(found)
    else:
        facts([("supplier", found["id"]), ("state", found["state"]), *effects])


def _row(found: dict[str, Any]) -> list[object]:
    config = found["config"]
    return [found["id"], config["name"], found["state"], config["adapter"], config["facets"], found["revision"]]


def _show(found: dict[str, Any]) -> None:
    config = found["config"]
    facts(
        [
            ("supplier", found["id"]),
            ("name", config["name"]),
            ("state", found["state"]),
            ("adapter", config["adapter"]),
            ("facets", config["facets"]),
            ("options", config["options"]),
            ("periods", {facet: f"{seconds} s" for facet, seconds in config["periods"].items()}),
            ("pulls", config["pulls"]),
            ("webhook", config["webhook"] and config["webhook"]["url"]),
            ("limits", {name: limit for name, limit in config["limits"].items() if limit is not None}),
            ("categories", f"{len(config['category_map'])} mapped" if config["category_map"] else None),
            ("secrets", [f"{secret['name']} (set {moment(secret['set_at'])})" for secret in found["secrets"]]),
        ]
    )
    console.print()
    history = ([each["revision"], moment(each["at"]), each["actor"]] for each in found["revisions"])
    table("#revision|at|by", history, empty="")
