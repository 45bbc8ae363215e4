"""`mallgate schemas`: what is generated in the source tree: JSON Schemas, the AsyncAPI document, README's tables."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from gateway import contracts
from gateway.cli import readme
from gateway.cli.output import console
from gateway.sdk.errors import GatewayError

schemas = App(name="schemas", help="Write or check the generated schemas and README's tables.")

HERE = Path()
README = "README.md"


class StaleSchemasError(GatewayError):
    """The generated files are not what the code says; run `mallgate schemas write`."""


@schemas.command
def write(root: Path = HERE, /) -> None:
    """Bring the generated files up to date.

    Parameters
    ----------
    root: Path
        The source tree.
    """
    contracts.write(root)
    text = _readme(root)
    if text:
        (root / README).write_text(readme.rendered(text), encoding="utf-8")
    console.print(f"{len(contracts.render()) + bool(text)} files are up to date.")


@schemas.command
def check(root: Path = HERE, /) -> None:
    """Fail when a generated file is not what the code says.

    Parameters
    ----------
    root: Path
        The source tree.
    """
    differing, text = contracts.check(root), _readme(root)
    if readme.rendered(text) != text:
        differing.append(f"{README} has tables that differ from the code")
    if differing:
        raise StaleSchemasError("; ".join([*differing, "run: mallgate schemas write"]))
    console.print("The generated files are what the code says.")


def _readme(root: Path) -> str:
    """README; empty where the tree has none, as an unpacked wheel."""
    file = root / README
    return file.read_text(encoding="utf-8") if file.is_file() else ""
