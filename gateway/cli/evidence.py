"""`mallgate evidence`: what was exchanged about an order, in a file that proves itself; whether such a file holds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

from cyclopts import App, Parameter

from gateway.cli.audit import link as link_of
from gateway.cli.connection import admin
from gateway.cli.output import Json, emit, facts
from gateway.evidence.verification import Chain, DamageError
from gateway.evidence.verification import verify as verify_file
from gateway.sdk.errors import GatewayError

evidence = App(name="evidence", help="Export what was exchanged about an order; check such a file.")


class EvidenceDamagedError(GatewayError):
    """The file is not what was exported."""


class FileExistsAlreadyError(GatewayError):
    """There is a file of this name already."""


class FileNotWrittenError(GatewayError):
    """The file cannot be written."""


def _link(_: object, tokens: Any) -> tuple[int, str]:
    return link_of(tokens[0].value)


@evidence.command
async def export(
    order: str,
    /,
    *,
    output: Path | None = None,
    redacted: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> None:
    """Write everything that was exchanged about an order into a zip, and check it.

    It holds JSON lines, a manifest, and a script that checks both with Python alone. What may name people is in it
    unless it is redacted; that it was exported is noted in the audit, with the heads of its chains.

    Parameters
    ----------
    order: str
        The mall's number of the order.
    output: Path
        The file; without it evidence-ORDER.zip, here. One that is there is not overwritten.
    redacted: bool
        Leave out what may be personal; the hashes can be checked all the same.
    """
    path = output or Path(f"evidence-{order.replace('/', '_')}.zip")
    with _written(path) as file:
        async with admin() as client:
            await client.download("orders", order, "evidence", into=file, redacted="true" if redacted else None)
    _print_summary(path, *_verified(path, None), json=json)


@evidence.command
def verify(
    file: Path,
    /,
    *,
    link: Annotated[tuple[int, str] | None, Parameter(converter=_link, n_tokens=1)] = None,
    json: Json = False,
) -> None:
    """Check a file that was exported; needs no gateway. Ends with 1 where something does not hold, the first is named.

    Parameters
    ----------
    file: Path
        What `export` wrote.
    link: tuple
        What this command or the audit of an export showed earlier, POSITION:HASH: it has to be part of a chain, so that
        nobody wrote the whole of it again.
    """
    _print_summary(file, *_verified(file, link, json=json), json=json)


@contextmanager
def _written(path: Path) -> Iterator[IO[bytes]]:
    """A draft that becomes the file once the block ends: it is there whole or not at all.

    Raises FileExistsAlreadyError, FileNotWrittenError.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as draft:
            yield draft
            draft.flush()
            path.hardlink_to(draft.name)
    except FileExistsError as error:
        raise FileExistsAlreadyError(f"{path} is there already; name another with --output.") from error
    except OSError as error:
        raise FileNotWrittenError(f"{path} cannot be written: {error.strerror}.") from error


def _verified(path: Path, link: tuple[int, str] | None, *, json: bool = False) -> tuple[dict[str, Any], list[Chain]]:
    """Raises EvidenceDamagedError, after what is wrong was printed for machines."""
    try:
        return verify_file(str(path), link)
    except DamageError as error:
        if json:
            place = {"supplier": error.supplier or None, "position": error.position}
            emit({"file": str(path), "state": "damaged", "damage": error.kind, **place, "words": error.words})
        at = f" at entry {error.position}" if error.position else ""
        raise EvidenceDamagedError(f"{path} is damaged ({error.kind}){at}: {error.words}.") from error


def _print_summary(path: Path, manifest: dict[str, Any], chains: list[Chain], *, json: bool) -> None:
    if json:
        summary = {name: manifest[name] for name in ("order_no", "redacted", "gateway", "exported_at", "exported_by")}
        emit({"file": str(path), "state": "ok", **summary, "chains": [chain._asdict() for chain in chains]})
        return
    content = "without what may be personal" if manifest["redacted"] else "with everything"
    facts([("file", str(path)), ("state", "ok"), ("order", manifest["order_no"]), ("content", content)])
    for chain in chains:
        link = f"{chain.entries}:{chain.head}"
        unreadable = chain.unreadable or None
        facts([("supplier", chain.supplier), ("entries", chain.entries), ("link", link), ("unreadable", unreadable)])
