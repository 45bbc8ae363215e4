"""`mallgate suppliers breaker`: have a supplier not called for a while, or called again."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from gateway.cli.connection import admin
from gateway.cli.output import Json, emit, facts
from gateway.outbound import RefusedError
from gateway.sdk.errors import GatewayError

breaker = App(name="breaker", help="Have operations of a supplier not called for a while, or called again.")

Supplier = Annotated[str, Parameter(help="Id of the supplier.")]
Operation = Annotated[str | None, Parameter(help="What its adapter calls; without it, everything.")]


@breaker.command(name="open")
async def open_(
    supplier: Supplier,
    operation: Operation = None,
    /,
    *,
    reason: str,
    for_: Annotated[str, Parameter(name="--for")] = "1h",
    json: Json = False,
) -> None:
    """Call nothing for a while: what has to be sent waits, and goes on by itself afterwards.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    for_: str
        How long unless it is closed before: 90s, 15m, 24h, 7d.
    """
    try:
        await _order("open", supplier, {"operation": operation, "reason": reason, "seconds": for_}, json=json)
    except RefusedError as error:
        if error.path != "/seconds":
            raise
        raise GatewayError(f"--for {for_}: {error.detail}") from error


@breaker.command
async def close(supplier: Supplier, operation: Operation = None, /, *, reason: str, json: Json = False) -> None:
    """Let the next call find out whether the supplier answers, whoever opened the breaker.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    """
    await _order("close", supplier, {"operation": operation, "reason": reason}, json=json)


async def _order(verb: str, supplier: str, body: dict[str, Any], *, json: bool) -> None:
    async with admin() as client:
        found = await client.post("suppliers", supplier, "breakers", verb, body=body)
    if json:
        emit(found)
        return
    facts(
        [
            ("supplier", found["supplier"]),
            ("not called" if verb == "open" else "tried with the next call", found["operations"]),
            ("for", found["seconds"] and f"{found['seconds']:,.0f} s"),
            ("takes effect", "within seconds; mallgate suppliers status shows it"),
        ]
    )
