"""`mallgate webhooks`: how vendors' webhooks fare, a test, sending again, taking one back that was set aside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from gateway.cli import DONE, FAILED
from gateway.cli.connection import admin
from gateway.cli.output import Json, emit, facts, moment, table

webhooks = App(name="webhooks", help="Look at vendors' webhooks; test one, send anew, enable one again.")

Supplier = Annotated[str, Parameter(help="Id of the supplier.")]


@webhooks.command
async def show(supplier: str | None = None, /, *, json: Json = False) -> None:
    """How webhooks fare: state, last failure, what waits.

    Parameters
    ----------
    supplier: str
        Only this one, with all that is known of it.
    """
    async with admin() as client:
        found = await client.get("webhooks", supplier) if supplier else (await client.get("webhooks"))["webhooks"]
    if json:
        emit(found)
    elif supplier:
        _show(found)
    else:
        columns = "supplier|state|url|#waiting|#failed|failing since|last failure"
        table(columns, map(_row, found), empty="No supplier has a webhook.")


@webhooks.command(name="test")
async def send_test(supplier: Supplier, /, *, json: Json = False) -> int:
    """Send a signed message of type `webhook.test` now; what was answered. Ends with 1 for anything but a 2xx."""
    async with admin() as client:
        found = await client.post("webhooks", supplier, "test")
    if json:
        emit(found)
    else:
        names = ("supplier", "message", "outcome", "words", "seconds")
        facts((name, found[name]) for name in names)
    return DONE if found["outcome"] == "delivered" else FAILED


@webhooks.command
async def replay(supplier: Supplier, /, *, since: datetime, reason: str, json: Json = False) -> None:
    """Send again what came in from a moment on, acknowledged or not, under the same ids.

    Parameters
    ----------
    since: datetime
        An instant, as 2026-12-01T08:00:00+08:00; without an offset it is this machine's time. At most 31 days back.
    reason: str
        Why; kept in the audit.
    """
    body = {"since": since.astimezone().isoformat(), "reason": reason}
    async with admin() as client:
        found = await client.post("webhooks", supplier, "replay", body=body)
    if json:
        emit(found)
    else:
        facts(
            [
                ("supplier", found["supplier"]),
                ("sent again at once", found["waiting"]),
                ("acknowledged, sent once more", found["acknowledged"]),
            ]
        )


@webhooks.command
async def enable(supplier: Supplier, /, *, reason: str, json: Json = False) -> None:
    """Send to a webhook again that was set aside; what waits goes at once, its schedule starts again.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    """
    async with admin() as client:
        found = await client.post("webhooks", supplier, "enable", body={"reason": reason})
    if json:
        emit(found)
    else:
        _show(found)


def _state(found: dict[str, Any]) -> str:
    if found["disabled_at"]:
        return f"disabled ({found['disabled_for']})"
    return "failing" if found["failing_since"] else "active"


def _row(found: dict[str, Any]) -> list[object]:
    since = moment(found["failing_since"])
    return [found["supplier"], _state(found), found["url"], found["waiting"], found["failed"], since, found["failure"]]


def _show(found: dict[str, Any]) -> None:
    instants = ("disabled_at", "failing_since", "resting_until", "succeeded_at", "failed_at", "oldest", "next_at")
    facts(
        [
            ("supplier", found["supplier"]),
            ("state", _state(found)),
            ("url", found["url"]),
            ("secrets", found["secrets"]),
            *((name.replace("_", " "), moment(found[name])) for name in instants),
            ("last failure", found["failure"]),
            ("waiting", found["waiting"]),
            ("sent in vain", found["failed"]),
            ("given up", found["given_up"]),
            ("sent once more", found["replays"]),
        ]
    )
