"""`mallgate adapters`: which adapters there are and what they do."""

from __future__ import annotations

from cyclopts import App

from gateway.cli.output import Json, emit, table
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.sdk.manifest import Manifest

adapters = App(name="adapters", help="Look at the adapters there are.")


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
