"""`mallgate suppliers keys`: hand out credentials, look at them, end them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.text import Text

from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, facts, moment, table

keys = App(name="keys", help="Hand out credentials of a supplier, look at them, end them.")

Supplier = Annotated[str, Parameter(help="Id of the supplier.")]


def instant(text: str) -> datetime:
    """A day count such as `90d` from now, or an ISO instant with its offset. Raises ValueError."""
    if match := re.fullmatch(r"([1-9][0-9]{0,4})d", text):
        return datetime.now(UTC) + timedelta(days=int(match[1]))
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset; write 2027-01-01T00:00:00+08:00 or 90d")
    return at


def _instant(_: type[datetime], tokens: Any) -> datetime:
    return instant(tokens[0].value)


@keys.command
async def add(
    supplier: Supplier,
    /,
    *,
    scope: Annotated[list[str], Parameter(negative="")],
    kind: Literal["bearer", "webhook"] = "bearer",
    expires: Annotated[datetime | None, Parameter(converter=_instant)] = None,
    json: Json = False,
) -> None:
    """Issue a credential. Its secret is shown this once.

    Parameters
    ----------
    scope: list[str]
        What it allows, may be repeated: feeds:product, feeds:price, feeds:stock, feeds:listing, read, orders.
    kind: str
        bearer: sent with each request; webhook: signs each request as Standard Webhooks has it.
    expires: datetime
        90d, or an instant with its offset, at most five years ahead. Default: in a year.
    """
    body: dict[str, object] = {"kind": kind, "scopes": scope}
    if expires:
        body["expires_at"] = expires.isoformat()
    async with admin() as client:
        issued = await client.post("suppliers", supplier, "keys", body=body)
    if json:
        emit(issued)
    else:
        facts([("key", issued["key_id"]), ("scopes", issued["scopes"]), ("expires", moment(issued["expires_at"]))])
        console.print(Text("\nThe secret; it cannot be shown again:", style="yellow"))
        console.print(issued["secret"], soft_wrap=True, markup=False)


@keys.command(name="list")
async def list_(supplier: Supplier, /, *, json: Json = False) -> None:
    """Every credential a supplier ever had, without the secrets."""
    async with admin() as client:
        found = (await client.get("suppliers", supplier, "keys"))["keys"]
    if json:
        emit(found)
    else:
        table(
            "key|kind|state|scopes|created|expires|last used",
            ([each["key_id"], each["kind"], state(each), each["scopes"], *map(moment, _times(each))] for each in found),
            empty=f"No keys yet: mallgate suppliers keys add {supplier} --scope feeds:price --scope read",
        )


@keys.command
async def revoke(supplier: Supplier, key: str, /, *, reason: str | None = None) -> None:
    """End a credential; within two seconds no process takes it any more.

    Parameters
    ----------
    key: str
        Id of the key.
    reason: str
        Why; kept in the audit.
    """
    async with admin() as client:
        await client.delete("suppliers", supplier, "keys", key, reason=reason)
    facts([("key", key), ("state", "revoked")])


def state(key: dict[str, Any]) -> str:
    """Whether a key of the API can still be used."""
    if key["revoked_at"] is not None:
        return "revoked"
    expires = key["expires_at"]
    return "expired" if expires and datetime.fromisoformat(expires) <= datetime.now(UTC) else "active"


def _times(key: dict[str, Any]) -> tuple[str | None, str | None, str | None]:
    return key["created_at"], key["expires_at"], key["last_used_at"]
