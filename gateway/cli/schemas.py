"""`mallgate schemas`: what is generated in the source tree: JSON Schemas, the AsyncAPI document, READMEs' tables."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from gateway import contracts
from gateway.cli import readme
from gateway.cli.output import console
from gateway.sdk.errors import GatewayError

schemas = App(name="schemas", help="Write or check the generated schemas and the tables of README files.")

HERE = Path()
READMES = {"README.md": readme.TABLES, "adapters/README.md": readme.ADAPTERS_TABLES}
"""The files with generated tables."""


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
    there = [name for name in READMES if (root / name).is_file()]  # an unpacked wheel has none
    for name in there:
        (root / name).write_text(_rendered(root, name), encoding="utf-8")
    console.print(f"{len(contracts.render()) + len(there)} files are up to date.")


@schemas.command
def check(root: Path = HERE, /) -> None:
    """Fail when a generated file is not what the code says.

    Parameters
    ----------
    root: Path
        The source tree.
    """
    differing = contracts.check(root)
    for name in READMES:
        if (root / name).is_file() and _rendered(root, name) != (root / name).read_text(encoding="utf-8"):
            differing.append(f"{name} has tables that differ from the code")
    if differing:
        raise StaleSchemasError("; ".join([*differing, "run: mallgate schemas write"]))
    console.print("The generated files are what the code says.")


def _rendered(root: Path, name: str) -> str:
    return readme.rendered((root / name).read_text(encoding="utf-8"), READMES[name])
