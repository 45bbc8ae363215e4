"""`mallgate adapters`: which adapters there are, whether they keep their word, and beginning a new one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import orjson
from cyclopts import App

from gateway.cli import DONE, FAILED, scaffold
from gateway.cli.output import Json, console, emit, table
from gateway.cli.selftest import examined, show, summary
from gateway.cli.selftest_page import page
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import Manifest
from gateway.sdk.testing import Report

adapters = App(name="adapters", help="Look at the adapters there are, test one, begin one.")

HERE = Path("adapters")


@adapters.command(name="list")
def list_(*, json: Json = False) -> None:
    """Every adapter; those that do not load are named with the reason."""
    registry = Registry()
    manifests: list[Manifest] = []
    problems: list[str] = []
    for name in sorted(registry.names()):
        try:
            manifests.append(registry.load(name).manifest)
        except ConfigError as error:
            problems += error.problems
    if json:
        emit([manifest.model_dump(mode="json") for manifest in manifests])
    else:
        rows = ([each.id, each.name, each.capabilities, each.facets, each.docs] for each in manifests)
        table("adapter|interface|capabilities|facets|described in", rows, empty="There are no adapters.")
    if problems:
        raise ConfigError(problems)


Format = Literal["text", "json", "html"]


@adapters.command(name="test")
def examine(name: str, /, *, format: Format = "text", output: Path | None = None) -> int:  # noqa: A002 - the option's name
    """Examine an adapter and print its self-test report; ends with 1 when a check fails.

    Parameters
    ----------
    name: str
        Id of the adapter.
    format: str
        Text for people, JSON for machines, or an HTML page in Chinese and English to be printed and signed.
    output: Path
        A file to write the report to, in place of standard output.
    """
    made = examined(name)
    if output is not None:
        output.write_text(_rendered(made, format), encoding="utf-8")
        console.print(f"{output}: {summary(made)}", soft_wrap=True)
    elif format == "text":
        show(made)
    else:
        sys.stdout.write(_rendered(made, format))
    return DONE if made.passed else FAILED


@adapters.command
def new(name: str, /, *, into: Path = HERE) -> None:
    """Begin an adapter: a folder made from the template, whose test says what to do next.

    Parameters
    ----------
    name: str
        Id of the adapter: its folder, and what suppliers' rows call it.
    into: Path
        The package of adapters that it becomes a part of.
    """
    folder = scaffold.make(name, into, Registry().names())
    console.print(scaffold.next_steps(name, folder), soft_wrap=True)


def _rendered(made: Report, form: Format) -> str:
    match form:
        case "html":
            return page(made)
        case "json":
            return orjson.dumps(made.as_json(), option=orjson.OPT_INDENT_2).decode() + "\n"
        case "text":
            with console.capture() as captured:
                show(made)
            return captured.get()
