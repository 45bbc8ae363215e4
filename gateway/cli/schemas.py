"""`mallgate schemas`: the generated JSON Schemas and API documents of the source tree."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from gateway import contracts
from gateway.cli.output import console
from gateway.sdk.errors import GatewayError

schemas = App(name="schemas", help="Write or check the generated schemas.")

HERE = Path()


class StaleSchemasError(GatewayError):
    """The generated files are not what the models say; run `mallgate schemas write`."""


@schemas.command
def write(root: Path = HERE, /) -> None:
    """Bring the generated files up to date.

    Parameters
    ----------
    root: Path
        The source tree.
    """
    contracts.write(root)
    console.print(f"{len(contracts.render())} files are up to date.")


@schemas.command
def check(root: Path = HERE, /) -> None:
    """Fail when a generated file is not what the models say.

    Parameters
    ----------
    root: Path
        The source tree.
    """
    if differing := contracts.check(root):
        raise StaleSchemasError("; ".join([*differing, "run: mallgate schemas write"]))
    console.print("The generated files are what the models say.")
